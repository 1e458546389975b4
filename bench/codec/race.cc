#include "bench/codec/race.h"

#include <chrono>
#include <cstring>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "dataplane/base/assert.h"

namespace godwit::bench_codec {
namespace {

double seconds_of(const Work& work, std::size_t index) {
  const auto begin = std::chrono::steady_clock::now();
  work.run(index);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

double rate(const Work& work, double seconds) {
  return static_cast<double>(work.bytes * kPiecesPerRound) * 1e-9 / seconds;
}

}  // namespace

void race(const std::string& figure, const Work& subject, const Work& reference) {
  static_assert(kPiecesPerRound * kRounds == kPieces);
  subject.run(0);
  reference.run(0);
  for (std::size_t round = 0; round < kRounds; ++round) {
    double seconds = 0;
    double reference_seconds = 0;
    for (std::size_t i = 0; i < kPiecesPerRound; ++i) {
      const std::size_t index = round * kPiecesPerRound + i;
      seconds += seconds_of(subject, index);
      reference_seconds += seconds_of(reference, index);
    }
    fmt::print("{}\n",
               nlohmann::json{{"figure", figure},
                              {"value", rate(subject, seconds)},
                              {"reference_value", rate(reference, reference_seconds)}}
                   .dump());
  }
}

Work copying(std::size_t bytes) {
  static std::vector<std::byte> source(kPieces * kCopyBytesMax, std::byte{1});
  static std::vector<std::byte> target(source.size(), std::byte{2});
  GODWIT_ASSERT(bytes <= kCopyBytesMax);
  return {bytes, [bytes](std::size_t index) {
            const std::size_t at = index * kCopyBytesMax;
            std::memcpy(target.data() + at, source.data() + at, bytes);
          }};
}

}  // namespace godwit::bench_codec

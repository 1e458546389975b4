#include "bench/codec/race.h"

#include <cstring>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "dataplane/base/assert.h"
#include "dataplane/base/system_time.h"

namespace godwit::bench_codec {
namespace {

double seconds_of(const Work& work, std::size_t index) {
  const Instant begin = system_thread_time();
  work.run(index);
  return (system_thread_time() - begin).to_seconds();
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
    const std::size_t first = round * kPiecesPerRound;
    for (std::size_t i = 0; i < kPiecesPerRound; ++i) {
      subject.touch(first + i);
      reference.touch(first + i);
    }
    double seconds = 0;
    double reference_seconds = 0;
    for (std::size_t i = 0; i < kPiecesPerRound; ++i) {
      seconds += seconds_of(subject, first + i);
      reference_seconds += seconds_of(reference, first + i);
    }
    fmt::print("{}\n",
               nlohmann::json{{"figure", figure},
                              {"value", rate(subject, seconds)},
                              {"reference_value", rate(reference, reference_seconds)}}
                   .dump());
  }
}

void touch_pages(std::span<const std::byte> memory) {
  constexpr std::size_t kPageBytes = 4096;
  for (std::size_t at = 0; at < memory.size(); at += kPageBytes) {
    static_cast<void>(*static_cast<const volatile std::byte*>(&memory[at]));
  }
}

Work copying(std::size_t bytes) {
  static std::vector<std::byte> source(kPieces * kCopyBytesMax, std::byte{1});
  static std::vector<std::byte> target(source.size(), std::byte{2});
  GODWIT_ASSERT(bytes <= kCopyBytesMax);
  return {bytes,
          [bytes](std::size_t index) {
            const std::size_t at = index * kCopyBytesMax;
            std::memcpy(target.data() + at, source.data() + at, bytes);
          },
          [bytes](std::size_t index) {
            touch_pages(std::span(std::as_const(source)).subspan(index * kCopyBytesMax, bytes));
            touch_pages(std::span(std::as_const(target)).subspan(index * kCopyBytesMax, bytes));
          }};
}

}  // namespace godwit::bench_codec

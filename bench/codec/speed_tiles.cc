#include <cmath>
#include <cstring>
#include <memory>
#include <vector>

#include <fmt/format.h>

#include "bench/codec/speed.h"
#include "codec/codec.h"
#include "codec/fixed_rate/fixed_rate.h"
#include "codec/tile_codec.h"
#include "dataplane/base/assert.h"
#include "dataplane/base/random.h"
#include "dataplane/ledger/kernels.h"

namespace godwit::bench_codec {
namespace {

using codec::kTileElements;

// Integers of a topic with 40 fraction bits and updates of about 1e-3: near-Gaussian, or with the
// tails of raw gradients.
std::vector<std::int64_t> changes(bool heavy) {
  Random random(1);
  std::vector<std::int64_t> values(kPieces * kTileElements);
  for (auto& value : values) {
    const double u = 1 - random.uniform();
    const double x = std::sqrt(-2 * std::log(u)) * std::cos(6.283185307179586 * random.uniform());
    value = std::llround(1e9 * (heavy ? x * x * x : x));
  }
  return values;
}

// A lane's P and S, and the scratch of a gateway.
struct Lane {
  explicit Lane(bool heavy) : p(changes(heavy)), s(p.size(), 0) {}

  void touch(std::size_t index) const {
    touch_pages(std::span(p).subspan(index * kTileElements, kTileElements));
    touch_pages(std::span(s).subspan(index * kTileElements, kTileElements));
  }
  std::span<const std::int64_t> open_tile(std::size_t index) {
    const std::size_t at = index * kTileElements;
    ledger::open_of(p.data() + at, nullptr, s.data() + at, open);
    return open;
  }
  // S goes along with what was removed, by way of a scratch as the ledger's redo slot.
  void freeze(std::size_t index) {
    std::int64_t* const home = s.data() + index * kTileElements;
    ledger::add(home, removed, after.data());
    std::memcpy(home, after.data(), after.size() * sizeof(std::int64_t));
  }

  std::vector<std::int64_t> p;
  std::vector<std::int64_t> s;
  std::vector<std::int64_t> open = std::vector<std::int64_t>(kTileElements);
  std::vector<std::int64_t> removed = std::vector<std::int64_t>(kTileElements);
  std::vector<std::int64_t> after = std::vector<std::int64_t>(kTileElements);
  std::vector<std::byte> coded = std::vector<std::byte>(codec::coded_bytes_max(kTileElements));
};

void race_bpc(const std::string& suffix, double bits, bool heavy) {
  const auto budget = static_cast<std::size_t>(kTileElements * bits / 8);
  Lane lane(heavy);
  codec::Encoder encoder;
  race(fmt::format("bpc_encode_{}", suffix),
       {kTileBytes,
        [&](std::size_t index) {
          encoder.load(lane.open_tile(index));
          encoder.encode({.bytes = budget}, lane.coded, lane.removed);
          lane.freeze(index);
        },
        [&](std::size_t index) { lane.touch(index); }},
       copying(kTileBytes));
  struct Code {
    codec::Id id = codec::Id::kRaw;
    std::vector<std::byte> bytes;
  };
  std::vector<Code> codes(kPieces);
  for (std::size_t index = 0; index < kPieces; ++index) {
    encoder.load(std::span(lane.p).subspan(index * kTileElements, kTileElements));
    const auto done = encoder.encode({.bytes = budget}, lane.coded, lane.removed);
    codes[index] = {
        done.id,
        {lane.coded.begin(), lane.coded.begin() + static_cast<std::ptrdiff_t>(done.bytes)}};
  }
  codec::Decoder decoder;
  race(fmt::format("bpc_decode_add_{}", suffix),
       {kTileBytes,
        [&](std::size_t index) {
          const auto decoded = decoder.decode(codes[index].id, codes[index].bytes, lane.removed);
          GODWIT_ASSERT(decoded.has_value(), "a code of our own");
          lane.freeze(index);  // the same sums, of a receiver
        },
        [&](std::size_t index) { lane.touch(index); }},
       copying(kTileBytes));
}

template <unsigned kBits>
void race_fixed_rate() {
  Lane lane(false);
  const auto encoder = std::make_unique<codec::fixed_rate::Encoder<kBits>>();
  race(fmt::format("q{}", kBits),
       {kTileBytes,
        [&](std::size_t index) {
          encoder->load(lane.open_tile(index));
          encoder->encode({}, lane.coded, lane.removed);
          lane.freeze(index);
        },
        [&](std::size_t index) { lane.touch(index); }},
       copying(kTileBytes));
}

}  // namespace

void race_tiles() {
  race_bpc("0.2_dense", 0.2, false);
  race_bpc("0.2_heavy", 0.2, true);
  race_bpc("1_dense", 1, false);
  race_bpc("1_heavy", 1, true);
  race_fixed_rate<8>();
  race_fixed_rate<4>();
}

}  // namespace godwit::bench_codec

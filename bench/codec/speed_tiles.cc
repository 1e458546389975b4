#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <vector>

#include <fmt/format.h>

#include "api/cli/codec_bench/quanta.h"
#include "bench/codec/speed.h"
#include "codec/codec.h"
#include "codec/fixed_rate/fixed_rate.h"
#include "codec/kernels.h"
#include "codec/tile_codec.h"
#include "dataplane/base/assert.h"
#include "dataplane/ledger/block_change.h"
#include "dataplane/ledger/kernels.h"
#include "dataplane/ledger/layout.h"
#include "dataplane/ledger/redo.h"
#include "dataplane/memory/mapping.h"

namespace godwit::bench_codec {
namespace {

using codec::kTileElements;

// Integers of a topic with 40 fraction bits: an update, again and again until all pieces have some.
std::vector<std::int64_t> integers_of(std::span<const float> update) {
  std::vector<std::int64_t> once(update.size());
  const auto fixed =
      codec::to_fixed(update, codec_bench::kTopicFractionBits, codec::kValueLimit - 1, once);
  GODWIT_ASSERT(fixed.ok() && !once.empty(), "updates of a training that went well");
  std::vector<std::int64_t> values(kPieces * kTileElements);
  for (std::size_t at = 0; at < values.size(); at += once.size()) {
    std::copy_n(once.begin(),
                std::min(once.size(), values.size() - at),
                values.begin() + static_cast<std::ptrdiff_t>(at));
  }
  return values;
}

// A lane's P and S in a ledger's mapping, and the scratch of a gateway.
class Lane {
 public:
  explicit Lane(std::span<const float> update) {
    GODWIT_ASSERT(mapping_.reserve(0, layout_.total).has_value());
    const auto values = integers_of(update);
    std::memcpy(tile(layout_.p, 0), values.data(), values.size() * sizeof(std::int64_t));
    std::memset(tile(layout_.lane_s(0), 0), 0, values.size() * sizeof(std::int64_t));
  }

  std::span<const std::int64_t> p_tile(std::size_t index) {
    return {tile(layout_.p, index), kTileElements};
  }
  void touch(std::size_t index) {
    touch_pages(p_tile(index));
    touch_pages(std::span<const std::int64_t>(tile(layout_.lane_s(0), index), kTileElements));
  }
  std::span<const std::int64_t> open_tile(std::size_t index) {
    ledger::open_of(tile(layout_.p, index), nullptr, tile(layout_.lane_s(0), index), open_);
    return open_;
  }
  // S goes along with what was removed, as the ledger does it.
  void freeze(std::size_t index) {
    for (std::uint32_t i = 0; i < ledger::kTileBlocks; ++i) {
      lines_[i] = ledger::touched(block(i)).lines;
      ledger::prefetch(home(index, i), {.values = block(i), .lines = lines_[i]});
    }
    ledger::RedoStep step(redo_);
    for (std::uint32_t i = 0; i < ledger::kTileBlocks; ++i) {
      const ledger::BlockChange change = {.values = block(i), .lines = lines_[i]};
      if (!change.is_empty()) {
        const std::int64_t* const s = home(index, i);
        const auto offset = reinterpret_cast<const std::byte*>(s) - mapping_.bytes().data();
        const auto image = step.image_lines(static_cast<std::uint64_t>(offset), change.lines);
        ledger::add(s, change, image.data());
      }
    }
    step.run();
  }

  std::vector<std::int64_t> removed = std::vector<std::int64_t>(kTileElements);
  std::vector<std::byte> coded = std::vector<std::byte>(codec::coded_bytes_max(kTileElements));

 private:
  static ledger::Shape shape() {
    ledger::Shape shape;
    shape.topic = TopicId::of("bench");
    shape.site = SiteId::of("a");
    shape.element_count = kPieces * kTileElements;
    shape.lanes_out = 1;
    shape.lanes_in = 0;
    shape.inboxes = 0;
    return shape;
  }
  std::int64_t* tile(std::uint64_t array, std::size_t index) {
    return reinterpret_cast<std::int64_t*>(mapping_.bytes().data() + array) + index * kTileElements;
  }
  const std::int64_t* home(std::size_t index, std::uint32_t i) {
    return tile(layout_.lane_s(0), index) + std::size_t{i} * ledger::kBlockElements;
  }
  std::span<const std::int64_t, ledger::kBlockElements> block(std::uint32_t i) const {
    return std::span(removed)
        .subspan(std::size_t{i} * ledger::kBlockElements)
        .first<ledger::kBlockElements>();
  }

  ledger::Layout layout_{shape()};
  memory::Mapping mapping_ = memory::Mapping::anonymous(layout_.total).value();
  ledger::Redo redo_{mapping_, layout_};
  std::array<ledger::LineBits, ledger::kTileBlocks> lines_{};
  std::vector<std::int64_t> open_ = std::vector<std::int64_t>(kTileElements);
};

void race_bpc(const std::string& suffix, double bits, std::span<const float> update) {
  const auto budget = static_cast<std::size_t>(kTileElements * bits / 8);
  Lane lane(update);
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
    encoder.load(lane.p_tile(index));
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
void race_fixed_rate(std::span<const float> update) {
  Lane lane(update);
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

void race_tiles(std::span<const float> dense, std::span<const float> heavy) {
  race_bpc("0.2_dense", 0.2, dense);
  race_bpc("0.2_heavy", 0.2, heavy);
  race_bpc("1_dense", 1, dense);
  race_bpc("1_heavy", 1, heavy);
  race_fixed_rate<8>(dense);
  race_fixed_rate<4>(dense);
}

}  // namespace godwit::bench_codec

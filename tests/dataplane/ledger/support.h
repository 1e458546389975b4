// A small codec and a small topic for the tests of the ledger.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include <gtest/gtest.h>

#include "dataplane/ledger/ledger.h"
#include "dataplane/memory/mapping.h"
#include "dataplane/wire/transfer.h"

namespace godwit::ledger::test {

// Sparse list of (u16 position, i64 value): the simplest thing that decodes to exact integers.
class SparseDecoder final : public TileDecoder {
 public:
  Result<void> decode(std::uint8_t codec,
                      std::span<const std::byte> coded,
                      std::span<std::int64_t> out) override {
    ++calls;
    if (codec != 0 || coded.size() % 10 != 0 || out.size() != kTileElements) {
      return fail(Code::kCorrupt, "no sparse list");
    }
    std::fill(out.begin(), out.end(), 0);
    for (; !coded.empty(); coded = coded.subspan(10)) {
      std::uint16_t position = 0;
      std::int64_t value = 0;
      std::memcpy(&position, coded.data(), 2);
      std::memcpy(&value, coded.data() + 2, 8);
      if (position >= kTileElements) {
        return fail(Code::kCorrupt, "position {}", position);
      }
      out[position] = value;
    }
    return {};
  }
  std::uint64_t calls = 0;
};

inline std::vector<std::byte> sparse_code(std::span<const std::int64_t> removed) {
  std::vector<std::byte> coded;
  for (std::size_t i = 0; i < removed.size(); ++i) {
    if (removed[i] != 0) {
      const auto position = static_cast<std::uint16_t>(i);
      const std::size_t at = coded.size();
      coded.resize(at + 10);
      std::memcpy(coded.data() + at, &position, 2);
      std::memcpy(coded.data() + at + 2, &removed[i], 8);
    }
  }
  return coded;
}

inline Shape small_shape(const char* site) {
  Shape shape;
  shape.topic = TopicId::of("test/model");
  shape.site = SiteId::of(site);
  shape.element_count = 70'000;  // three tiles, the last one partly there
  shape.lanes_out = 4;
  shape.lanes_in = 3;
  shape.inboxes = 3;
  shape.ring_bytes = 1U << 18U;
  shape.site_count = 3;
  return shape;
}

inline memory::Mapping memory_for(const Shape& shape) {
  auto mapping = memory::Mapping::anonymous(layout_bytes(shape));
  EXPECT_TRUE(mapping.has_value());
  return std::move(*mapping);
}

// One ledger with its memory; `restart` is a death and a new life of the process.
struct Site {
  explicit Site(const char* name, Shape (*make)(const char*) = small_shape)
      : Site(make(name), Incarnation{1, 77}) {}
  Site(const Shape& the_shape, Incarnation incarnation)
      : shape(the_shape), mapping(memory_for(the_shape)), life(incarnation) {
    restart();
  }

  void restart() {
    ledger.reset();
    auto attached = Ledger::attach(mapping, shape, life, workspace);
    ASSERT_TRUE(attached.has_value()) << attached.error().message;
    ledger = std::move(*attached);
  }
  Ledger* operator->() { return ledger.get(); }

  // Publishes, commits and merges at once; the publish's number.
  PublishNumber publish(InboxIndex inbox,
                        std::uint64_t number,
                        std::uint64_t first,
                        const std::vector<std::int64_t>& values) {
    const auto begun = ledger->begin_publish(
        inbox, {.number = number, .step = 0, .first = first, .count = values.size()});
    EXPECT_TRUE(begun.has_value() && *begun == Begin::kFresh);
    EXPECT_TRUE(ledger->stage(inbox, first, values).has_value());
    const auto committed = ledger->commit_publish(inbox);
    EXPECT_TRUE(committed.has_value());
    while (ledger->merge_some(1)) {
    }
    return committed.value_or(PublishNumber());
  }

  // Freezes everything that is open in `tile` into the transfer being built.
  void append_all(LaneIndex lane, std::uint32_t tile) {
    std::vector<std::int64_t> open(kTileElements);
    ledger->read_open(lane, tile, open);
    const auto appended = ledger->append(lane, tile, 0, sparse_code(open), open, 0);
    EXPECT_TRUE(appended.has_value()) << appended.error().message;
  }
  // One transfer with all that is open in `tiles`.
  std::uint64_t freeze_all(LaneIndex lane, const std::vector<std::uint32_t>& tiles) {
    EXPECT_TRUE(ledger->begin_transfer(lane, {}).has_value());
    for (const std::uint32_t tile : tiles) {
      append_all(lane, tile);
    }
    const auto k = ledger->seal(lane);
    EXPECT_TRUE(k.has_value());
    return k.value_or(0);
  }

  std::vector<std::int64_t> sum() {
    std::vector<std::int64_t> all;
    std::vector<std::int64_t> tile(kTileElements);
    for (std::uint32_t i = 0; i < shape.tile_count(); ++i) {
      ledger->read_sum(i, tile);
      all.insert(all.end(), tile.begin(), tile.end());
    }
    all.resize(shape.element_count);
    return all;
  }
  std::uint64_t defects() { return ledger->conservation().defects; }
  // A whole pass of the scrubber.
  void scrub() {
    const std::uint64_t passes = ledger->conservation().scrub_passes;
    while (ledger->conservation().scrub_passes == passes) {
      ledger->audit(100);
    }
  }

  Shape shape;
  memory::Mapping mapping;
  Incarnation life;
  SparseDecoder decoder;
  Workspace workspace{decoder};
  std::unique_ptr<Ledger> ledger;
};

// A lane between two sites with both of its ends open.
struct Pair {
  Pair(Site& a, Site& b) : from(a), to(b) { open(); }
  void open() {
    const auto out = from->open_lane({.kind = LaneKind::kSite,
                                      .to = to.shape.site.value(),
                                      .to_incarnation = to->incarnation()});
    ASSERT_TRUE(out.has_value());
    lane = *out;
    const auto in = to->open_incoming(from.shape.site, from->incarnation(), to->incarnation());
    ASSERT_TRUE(in.has_value());
    incoming = *in;
  }
  std::vector<std::byte> bytes(std::uint64_t k) {
    const auto frozen = from->frozen(lane, k);
    return {frozen.begin(), frozen.end()};
  }
  Result<Applied> deliver(std::span<const std::byte> transfer) {
    const auto view = wire::parse_transfer(transfer, to.shape.tile_count());
    if (!view) {
      return Failure(view.error());
    }
    return to->apply(incoming, *view);
  }
  Result<Applied> deliver(std::uint64_t k) { return deliver(from->frozen(lane, k)); }
  Result<Receipted> receipt() { return from->on_receipt(lane, to->receipt(incoming)); }

  Site& from;
  Site& to;
  LaneIndex lane;
  IncomingIndex incoming;
};

}  // namespace godwit::ledger::test

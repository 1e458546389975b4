// Damaged words in a stored ledger: attaching refuses it with what is wrong, or the ledger works on
// what its records say, reads and writes nothing outside its mapping, and meets no assertion.
//
// Input: u8 which of the states below; bit 7: the redo slot is sealed anew after the damage, as if
// a step had written it. Then patches of 12 bytes: u8 region, u24 offset, u64 value; a patch stores
// the value in the word at that offset of that region.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

#include "dataplane/base/assert.h"
#include "dataplane/base/log.h"
#include "dataplane/ledger/layout.h"
#include "dataplane/ledger/redo.h"
#include "tests/dataplane/ledger/support.h"

namespace godwit::ledger::test {
namespace {

constexpr std::uint32_t kStates = 4;
constexpr std::size_t kPatchBytes = 12;
constexpr std::size_t kPatchesMax = 24;

Shape shape_of_all() {
  Shape shape = small_shape("fra");
  shape.lanes_out = 2;
  shape.lanes_in = 1;
  shape.inboxes = 1;
  shape.element_count = 2 * kTileElements;
  return shape;
}

// What a process left in its mapping when it was killed.
struct Stored {
  std::vector<std::pair<std::uint64_t, std::vector<std::byte>>> granules;  // that are not zero
};

Stored stored_in(const memory::Mapping& mapping) {
  Stored stored;
  for (std::uint64_t at = 0; at < mapping.size(); at += memory::kGranuleBytes) {
    const auto granule = mapping.part(at, memory::kGranuleBytes);
    if (std::any_of(granule.begin(), granule.end(), [](std::byte b) { return b != std::byte{}; })) {
      stored.granules.emplace_back(at, std::vector<std::byte>(granule.begin(), granule.end()));
    }
  }
  return stored;
}

// 0: at rest; 1: a publish to be merged, two transfers frozen and one being built; 2: a transfer of
// two tiles half applied; 3: a committed redo slot.
Stored make_state(std::uint32_t which) {
  Site site(shape_of_all(), {1, 77});
  Site peer("iad", [](const char*) {
    Shape shape = shape_of_all();
    shape.site = SiteId::of("iad");
    return shape;
  });
  Pair there(site, peer);
  Pair back(peer, site);
  const auto inbox = site->open_inbox(PublisherId(1), {1, 1}).value();
  site->open_lane({LaneKind::kSubscriber, 9, {1, 1}}, {.own_publisher = PublisherId(1)}).value();
  site.publish(inbox, 1, 0, {1, 2, 3});
  site.freeze_all(there.lane, {0});
  const Layout layout(site.shape);
  if (which == 1) {
    site.publish(inbox, 2, kTileElements, {4});
    site.freeze_all(there.lane, {1});
    site.publish(inbox, 3, 0, {5});
    GODWIT_ASSERT(site->begin_transfer(there.lane, {}).has_value());
    site.append_all(there.lane, 0);
    const std::vector<std::int64_t> values(9000, 1);
    GODWIT_ASSERT(site->begin_publish(inbox, {.number = 4, .step = 0, .first = 5, .count = 9000})
                      .has_value());
    GODWIT_ASSERT(site->stage(inbox, 5, values).has_value());
    GODWIT_ASSERT(site->commit_publish(inbox).has_value());
  }
  if (which == 2) {
    const auto theirs = peer->open_inbox(PublisherId(2), {1, 1}).value();
    peer.publish(theirs, 1, kTileElements - 1, {6, 7});
    const auto bytes = [&] {
      const std::uint64_t k = peer.freeze_all(back.lane, {0, 1});
      const auto frozen = peer->frozen(back.lane, k);
      return std::vector<std::byte>(frozen.begin(), frozen.end());
    }();
    std::byte* base = site.mapping.bytes().data();
    std::memcpy(base + layout.incoming_intent(0), bytes.data(), bytes.size());
    auto& record = *reinterpret_cast<IncomingRecord*>(base + layout.incomings);
    record.intent_bytes = bytes.size();
    record.intent_number = 1;
  }
  if (which == 3) {
    auto& slot = *reinterpret_cast<RedoRecord*>(site.mapping.bytes().data() + layout.redo);
    slot.commit = seal_of(slot);  // of the last step: repeating it changes nothing
  }
  site.ledger.reset();
  return stored_in(site.mapping);
}

struct Region {
  std::uint64_t offset;
  std::uint64_t bytes;
};

std::array<Region, 12> regions_of(const Layout& layout) {
  return {{{layout.header, sizeof(HeaderRecord)},
           {layout.redo, sizeof(RedoRecord)},
           {layout.inboxes, sizeof(InboxRecord)},
           {layout.lanes, 2 * sizeof(LaneRecord)},
           {layout.incomings, sizeof(IncomingRecord)},
           {layout.tiles, 2 * sizeof(TileRecord)},
           {layout.lane_tiles(0), 2 * sizeof(LaneTileRecord)},
           {layout.lane_tiles(1), 2 * sizeof(LaneTileRecord)},
           {layout.lane_transfers(0), 4 * sizeof(TransferRecord)},
           {layout.lane_ring(0), 1024},
           {layout.incoming_window(0), 4 * sizeof(WindowRecord)},
           {layout.incoming_intent(0), 512}}};
}

// Everything that a gateway does with a ledger that it has attached.
void work(Ledger& ledger) {
  std::vector<std::int64_t> open(kTileElements);
  GODWIT_ASSERT(ledger.bytes_bound() > 0 && ledger.occupancy().inboxes <= 1);
  if (const auto inbox = ledger.open_inbox(PublisherId(1), {1, 1})) {
    const std::uint64_t number = ledger.inbox(*inbox).last_number + 1;
    const std::vector<std::int64_t> values = {1, 2};
    const PublishRequest request{.number = number, .step = 0, .first = 7, .count = 2};
    if (ledger.begin_publish(*inbox, request) == Begin::kFresh) {
      static_cast<void>(ledger.stage(*inbox, 7, values));
      static_cast<void>(ledger.commit_publish(*inbox));
    }
  }
  for (int i = 0; i < 8; ++i) {
    ledger.merge_some(64);
  }
  for (const LaneIndex lane : ledger.lanes()) {
    std::optional<std::uint64_t> k = ledger.next_unreceipted(lane);
    for (; k; k = ledger.next_unreceipted(lane, *k)) {
      const auto frozen = ledger.frozen(lane, *k);
      GODWIT_ASSERT(wire::parse_transfer(frozen, ledger.shape().tile_count()).has_value());
    }
    if (!ledger.window_full(lane) && ledger.begin_transfer(lane, {}).has_value()) {
      for (std::uint32_t tile = 0; tile < ledger.shape().tile_count(); ++tile) {
        ledger.read_open(lane, tile, open);
        static_cast<void>(ledger.append(lane, tile, 0, sparse_code(open), open, 0));
        static_cast<void>(ledger.settle(lane, tile));
      }
      static_cast<void>(ledger.seal(lane));
    }
    static_cast<void>(ledger.on_receipt(lane, {.frontier = ledger.lane(lane).frontier}));
    static_cast<void>(ledger.coverage(lane));
    static_cast<void>(ledger.drained(lane));
  }
  for (const IncomingIndex incoming : ledger.incomings()) {
    static_cast<void>(ledger.receipt(incoming));
    static_cast<void>(ledger.on_coverage(incoming, 1, 1));
  }
  ledger.audit(100);
  static_cast<void>(ledger.conservation());
  std::array<TileActivity, 8> activity;
  static_cast<void>(ledger.poll_activity(activity));
}

}  // namespace
}  // namespace godwit::ledger::test

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace godwit;
  using namespace godwit::ledger;
  using namespace godwit::ledger::test;
  static const std::vector<Stored>* const states = [] {
    log::set_level(log::Level::kError);
    auto* made = new std::vector<Stored>;
    for (std::uint32_t which = 0; which < kStates; ++which) {
      made->push_back(make_state(which));
    }
    return made;
  }();
  if (size < 1 || size > 1 + (kPatchBytes * kPatchesMax)) {
    return 0;
  }
  const Shape shape = shape_of_all();
  const Layout layout(shape);
  auto mapping = memory_for(shape);
  std::byte* const base = mapping.bytes().data();
  for (const auto& [at, bytes] : states->at((data[0] & 0x7fU) % kStates).granules) {
    GODWIT_ASSERT(mapping.reserve(at, bytes.size()).has_value());
    std::memcpy(base + at, bytes.data(), bytes.size());
  }
  const auto regions = regions_of(layout);
  for (std::size_t at = 1; at + kPatchBytes <= size; at += kPatchBytes) {
    const Region region = regions.at(data[at] % regions.size());
    const std::uint64_t offset =
        data[at + 1] + (std::uint64_t{data[at + 2]} << 8U) + (std::uint64_t{data[at + 3]} << 16U);
    std::memcpy(base + region.offset + (offset % (region.bytes / 8) * 8), data + at + 4, 8);
  }
  auto& slot = *reinterpret_cast<RedoRecord*>(base + layout.redo);
  if ((data[0] & 0x80U) != 0 && slot.range_count <= kRedoRangesMax &&
      slot.word_count <= kRedoWordsMax) {
    slot.commit = seal_of(slot);
  }
  SparseDecoder decoder;
  Workspace workspace(decoder);
  auto attached = Ledger::attach(mapping, shape, {2, 78}, workspace);
  if (!attached) {
    const Error& error = attached.error();
    GODWIT_ASSERT(!error.message.empty());
    GODWIT_ASSERT(error.code == Code::kCorrupt || error.code == Code::kUnsupported ||
                  error.code == Code::kInvalid);
    return 0;
  }
  work(**attached);
  // What it has become by working is what another process takes up.
  attached->reset();
  GODWIT_ASSERT(Ledger::attach(mapping, shape, {3, 79}, workspace).has_value());
  return 0;
}

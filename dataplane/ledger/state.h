// What the parts of a ledger share: records in the mapping, and what is rebuilt at every attach.
//
// Internal to this folder. Everything durable is reached through the record accessors and changed
// through RedoStep; everything else here is a cache that attach can compute again.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "dataplane/ledger/field_checksum.h"
#include "dataplane/ledger/kernels.h"
#include "dataplane/ledger/layout.h"
#include "dataplane/ledger/ledger.h"
#include "dataplane/ledger/min_tree.h"
#include "dataplane/ledger/redo.h"

namespace godwit::ledger {

// Unknown bound of |P| in a block: the door looks at every element.
inline constexpr std::uint64_t kBoundUnknown = MinTree::kNone;

// |x| without overflow for the least integer.
inline std::uint64_t magnitude(std::int64_t x) {
  const auto bits = static_cast<std::uint64_t>(x);
  return x < 0 ? 0 - bits : bits;
}
inline std::int64_t wrapping_add(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}
inline std::uint64_t add_mass(std::uint64_t bits, double mass) {
  return std::bit_cast<std::uint64_t>(std::bit_cast<double>(bits) + mass);
}

// Whether |s + q| <= limit everywhere; a null `s` is zero. `bound` is at least the largest |s| and
// becomes so of s + q; it is mostly all that has to be looked at, and refined when it is too
// coarse.
bool sums_within(std::uint64_t& bound,
                 const std::int64_t* s,
                 std::span<const std::int64_t> q,
                 std::uint64_t q_max,
                 std::uint64_t limit);

// A publish between begin and commit; lost with the process, the publisher repeats it.
struct Staging {
  bool active = false;
  PublishRequest request;
  std::uint64_t staged = 0;    // elements so far
  std::uint64_t max = 0;       // largest |value| so far
  std::uint64_t checksum = 0;  // of the values as they came
  double mass = 0;
};

// The part of an outgoing lane that is computed from its durable part.
struct LaneCache {
  explicit LaneCache(const Shape& shape)
      : dirty_since(shape.tile_count()),
        inexact(shape.tile_count()),
        s_bounds(shape.block_count(), kBoundUnknown) {}

  MinTree dirty_since;                  // per tile: first change not covered
  std::vector<std::uint8_t> inexact;    // per tile: 1 when something may be open
  std::vector<std::uint64_t> s_bounds;  // per block: |S| <= this
  std::uint32_t inexact_count = 0;
  std::array<std::uint64_t, kWindowMax / 64> received{};  // bit k % kWindowMax beyond the frontier
  std::vector<std::uint32_t> building;                    // tiles of the transfer being built
  bool begun = false;                                     // begin_transfer wrote a header
  std::uint64_t header_bytes = 0;                         // of that header
  std::uint8_t flags = 0;                                 // in it

  void set_inexact(std::uint32_t tile, bool value) {
    inexact_count += static_cast<std::uint32_t>(value) - inexact[tile];
    inexact[tile] = value ? 1 : 0;
  }
};

// Changes per tile since they were last polled, for P and for R.
class Activity {
 public:
  static constexpr std::uint64_t bytes(std::uint32_t tiles) {
    return std::uint64_t{tiles} * 2 * (sizeof(Slot) + sizeof(std::uint32_t));
  }

  explicit Activity(std::uint32_t tiles) : slots_(std::size_t{tiles} * 2) {
    order_.reserve(slots_.size());
  }
  void note(std::uint32_t tile, bool applied, double energy, std::uint64_t max, std::uint64_t last);
  std::size_t poll(std::span<TileActivity> out);

 private:
  struct Slot {
    double energy = 0;
    std::uint64_t max = 0;
    std::uint64_t last = 0;  // 0: nothing to report
  };
  std::vector<Slot> slots_;           // tile * 2 + applied
  std::vector<std::uint32_t> order_;  // slots with something to report, oldest first
  std::size_t polled_ = 0;            // prefix of order_ that was reported
};

// Recomputes checksums from memory, a few blocks at a time, while the sums go on changing: a change
// behind the cursor is added to the running checksum, which linearity makes exact.
struct Scrub {
  enum class Array : std::uint8_t {
    kP,
    kR,
    kS,
  };
  Array array = Array::kP;
  std::uint32_t lane = 0;
  std::uint64_t block = 0;
  std::uint64_t sum = 0;
  double open = 0;       // of this pass, lanes so far
  double open_last = 0;  // of the last complete pass
  std::uint64_t passes = 0;
  std::uint64_t defects = 0;

  void note(Array changed, std::uint32_t of_lane, std::uint64_t at, std::uint64_t delta) {
    if (changed == array && at < block && (changed != Array::kS || of_lane == lane)) {
      sum = field_add(sum, delta);
    }
  }
  // A lane's S begins anew: so does its scan.
  void restart_if(std::uint32_t of_lane) {
    if (array == Array::kS && lane == of_lane) {
      block = 0;
      sum = 0;
    }
  }
};

struct State {
  State(memory::Mapping& memory, const Shape& topic_shape, Workspace& shared);

  memory::Mapping& mapping;
  Workspace& workspace;
  Shape shape;
  Layout layout;
  Redo redo;
  FieldChecksum checksum;
  bool recovered = false;

  std::vector<Staging> staging;
  std::vector<LaneCache> lane_caches;
  Activity activity;
  Scrub scrub;
  std::vector<std::uint64_t> p_bounds;  // per block: |P| with committed publishes <= this
  std::vector<std::uint64_t> r_bounds;  // per block: |R| <= this
  std::vector<std::uint64_t> newly;     // numbers in the last Receipted

  template <class Record>
  Record& at(std::uint64_t offset, std::uint64_t index = 0) const {
    return *reinterpret_cast<Record*>(mapping.bytes().data() + offset + (index * sizeof(Record)));
  }
  HeaderRecord& header() const { return at<HeaderRecord>(layout.header); }
  InboxRecord& inbox(std::uint32_t i) const { return at<InboxRecord>(layout.inboxes, i); }
  LaneRecord& lane(std::uint32_t i) const { return at<LaneRecord>(layout.lanes, i); }
  IncomingRecord& incoming(std::uint32_t i) const {
    return at<IncomingRecord>(layout.incomings, i);
  }
  TileRecord& tile(std::uint32_t i) const { return at<TileRecord>(layout.tiles, i); }
  LaneTileRecord& lane_tile(std::uint32_t lane_slot, std::uint32_t i) const {
    return at<LaneTileRecord>(layout.lane_tiles(lane_slot), i);
  }
  TransferRecord& transfer(std::uint32_t lane_slot, std::uint64_t k) const {
    return at<TransferRecord>(layout.lane_transfers(lane_slot), k % kWindowMax);
  }
  WindowRecord& window(std::uint32_t slot, std::uint64_t k) const {
    return at<WindowRecord>(layout.incoming_window(slot), k % kWindowMax);
  }
  std::uint64_t offset_of(const void* address) const {
    return static_cast<std::uint64_t>(static_cast<const std::byte*>(address) -
                                      mapping.bytes().data());
  }
  std::span<std::int64_t> integers(std::uint64_t offset, std::uint64_t count) const {
    return {&at<std::int64_t>(offset), count};
  }
  std::span<std::int64_t> block_at(std::uint64_t array, std::uint64_t block) const {
    return integers(array + (block * kBlockBytes), kBlockElements);
  }
  std::span<std::int64_t> tile_at(std::uint64_t array, std::uint32_t i) const {
    return integers(array + (i * kTileBytes), kTileElements);
  }
  // True when S of that tile holds numbers of the lane's present generation.
  bool s_valid(std::uint32_t lane_slot, std::uint32_t i) const {
    return lane_tile(lane_slot, i).generation == lane(lane_slot).generation;
  }
  bool is_subscriber(std::uint32_t lane_slot) const {
    return lane(lane_slot).kind == static_cast<std::uint64_t>(LaneKind::kSubscriber);
  }

  Result<void> reserve_tiles(std::uint64_t array, std::uint64_t first_block, std::uint64_t blocks);

  // publish.cc
  std::uint64_t merged_through() const;
  bool merge_block(std::uint32_t inbox_slot);
  void drop_staging(std::uint32_t inbox_slot);
  int oldest_pending() const;                 // inbox slot, or -1
  int inbox_of(PublisherId publisher) const;  // slot, also a closed one, or -1

  // outgoing.cc
  void mark_dirty(std::uint32_t tile_index,
                  std::uint64_t change,
                  bool subscribers_only,
                  int except);
  void rebuild_lane(std::uint32_t slot);
  void drop_storage(std::uint32_t slot);
  int lane_of_publisher(PublisherId publisher) const;  // slot, or -1
  void read_open(std::uint32_t slot, std::uint32_t tile_index, std::span<std::int64_t> out) const;

  // freeze.cc
  std::uint64_t building_position(std::uint32_t slot) const;
  std::span<std::byte> building_bytes(std::uint32_t slot) const;  // room for the largest transfer
  std::uint64_t coverage_frozen(std::uint32_t slot) const;        // with the transfer being built
  std::uint64_t coverage(std::uint32_t slot) const;
  std::uint64_t coverage_receipted(std::uint32_t slot) const;
  std::uint64_t seal(std::uint32_t slot,
                     std::optional<std::uint32_t> remaining_deadline_ms = std::nullopt);
  bool received(std::uint32_t slot, std::uint64_t k) const {
    return ((lane_caches[slot].received[k % kWindowMax / 64] >> (k % 64)) & 1U) != 0;
  }

  // incoming.cc
  Result<void> finish_intent(std::uint32_t slot);
  void detach(std::uint32_t slot, const IncomingRecord& successor);

  // audit.cc
  void defect(std::string_view what);

  // soundness.cc
  Result<void> check_records() const;
};

// Equal incarnations; the mutant looks at the counterpart's name alone.
bool same_life(std::uint64_t packed_a, std::uint64_t packed_b);

}  // namespace godwit::ledger

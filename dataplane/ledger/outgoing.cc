// Outgoing lanes: their life, what is open in them, and which tiles are dirty.

#include <algorithm>
#include <cstring>

#include "dataplane/base/assert.h"
#include "dataplane/base/crash_point.h"
#include "dataplane/ledger/state.h"

namespace godwit::ledger {

namespace {

OpenMeasure measure_all(std::span<const std::int64_t> open) {
  const BlockStatistics all = block_statistics(open);
  return {.energy = all.energy, .max = all.max};
}

std::uint64_t last_change(const State& state, std::uint32_t slot, std::uint32_t tile) {
  const TileRecord& record = state.tile(tile);
  return state.is_subscriber(slot) ? std::max(record.p_last, record.r_last) : record.p_last;
}

}  // namespace

int State::lane_of_publisher(PublisherId publisher) const {
  for (std::uint32_t i = 0; publisher.value() != 0 && i < shape.lanes_out; ++i) {
    if (lane(i).used != 0 && is_subscriber(i) && lane(i).own_publisher == publisher.value()) {
      return static_cast<int>(i);
    }
  }
  return -1;
}

void State::mark_dirty(std::uint32_t tile_index,
                       std::uint64_t change,
                       bool subscribers_only,
                       int except) {
  for (std::uint32_t i = 0; i < shape.lanes_out; ++i) {
    if (lane(i).used == 0 || static_cast<int>(i) == except ||
        (subscribers_only && !is_subscriber(i))) {
      continue;
    }
    LaneCache& cache = lane_caches[i];
    if (change < cache.dirty_since.at(tile_index)) {
      cache.dirty_since.set(tile_index, change);
    }
    cache.set_inexact(tile_index, true);
  }
}

// Finds the dirty tiles again by looking: those that changed after they were last clean, and in
// which more than the tolerance is open.
void State::rebuild_lane(std::uint32_t slot) {
  LaneCache& cache = lane_caches[slot];
  cache.dirty_since.clear();
  std::fill(cache.inexact.begin(), cache.inexact.end(), std::uint8_t{0});
  cache.inexact_count = 0;
  std::fill(cache.s_bounds.begin(), cache.s_bounds.end(), kBoundUnknown);
  cache.received = {};
  cache.building.clear();
  cache.begun = false;
  for (std::uint32_t i = 0; i < shape.tile_count(); ++i) {
    const std::uint64_t last = last_change(*this, slot, i);
    const bool sent = s_valid(slot, i);
    const std::uint64_t clean_to = sent ? lane_tile(slot, i).clean_to : 0;
    if (last == 0 || (last <= clean_to && shape.tolerance == 0)) {
      continue;
    }
    std::uint64_t open_max = MinTree::kNone;  // a tile never sent is not worth reading
    if (sent) {
      read_open(slot, i, workspace.open());
      open_max = measure_all(workspace.open()).max;
    }
    cache.set_inexact(i, open_max > 0);
    if (last > clean_to && open_max > shape.tolerance) {
      cache.dirty_since.set(i, clean_to + 1);
    }
  }
}

// Gives back what a lane slot stored. The tile table stays: its generations tell that S is stale.
void State::drop_storage(std::uint32_t slot) {
  mapping.release(layout.lane_s(slot), layout.array_bytes);
  mapping.release(layout.lane_ring(slot), layout.ring_stride);
}

void State::read_open(std::uint32_t slot,
                      std::uint32_t tile_index,
                      std::span<std::int64_t> out) const {
  GODWIT_ASSERT(out.size() == kTileElements);
  const TileRecord& record = tile(tile_index);
  const bool with_r = is_subscriber(slot) || GODWIT_MUTANT(kForwardApplied);
  const auto at = [this, tile_index](bool there, std::uint64_t array) {
    return there ? tile_at(array, tile_index).data() : nullptr;
  };
  open_of(at(record.p_last != 0, layout.p),
          at(with_r && record.r_last != 0, layout.r),
          at(s_valid(slot, tile_index), layout.lane_s(slot)),
          out);
}

Result<LaneIndex> Ledger::open_lane(const LaneKey& key, const LaneOptions& options) {
  State& state = *state_;
  if (options.window == 0 || options.window > kWindowMax) {
    return fail(Code::kInvalid, "lane: window {} is not in 1..{}", options.window, kWindowMax);
  }
  const std::uint64_t ring = options.ring_bytes == 0 ? state.shape.ring_bytes : options.ring_bytes;
  if (ring < 2 * wire::kTransferBytesMax || ring > state.shape.ring_bytes || ring % 64 != 0) {
    return fail(Code::kInvalid,
                "lane: ring of {} bytes is not in {}..{} or no multiple of 64",
                ring,
                2 * wire::kTransferBytesMax,
                state.shape.ring_bytes);
  }
  int slot = -1;
  int free_slot = -1;
  for (std::uint32_t i = state.shape.lanes_out; i-- > 0;) {
    const LaneRecord& record = state.lane(i);
    if (record.used == 0) {
      free_slot = static_cast<int>(i);
    } else if (record.kind == static_cast<std::uint64_t>(key.kind) && record.to == key.to) {
      slot = static_cast<int>(i);
    }
  }
  if (slot >= 0) {
    LaneRecord& record = state.lane(static_cast<std::uint32_t>(slot));
    if (same_life(record.to_incarnation, key.to_incarnation.packed())) {
      RedoStep step(state.redo);
      step.put_word(record.window, options.window);
      step.run();
      return LaneIndex(static_cast<std::uint32_t>(slot));
    }
    // A subscriber without its state starts from zero whichever life it is of; sites count theirs.
    if (key.kind == LaneKind::kSite &&
        Incarnation::from_packed(record.to_incarnation).counter > key.to_incarnation.counter) {
      return fail(Code::kRefused,
                  "lane to {:x}: incarnation {} is over, {} lives",
                  key.to,
                  key.to_incarnation.counter,
                  Incarnation::from_packed(record.to_incarnation).counter);
    }
  } else {
    slot = free_slot;
  }
  if (slot < 0) {
    return fail(
        Code::kUnsupported, "lane to {:x}: all {} lanes are taken", key.to, state.shape.lanes_out);
  }
  const auto index = static_cast<std::uint32_t>(slot);
  if (options.own_publisher.value() != 0) {
    const int other = state.lane_of_publisher(options.own_publisher);
    if (other >= 0 && other != slot) {
      return fail(Code::kInvalid, "lane to {:x}: its publisher has a lane already", key.to);
    }
    // A publish half in P and half to come would echo one half.
    while (merge_some(kTileBlocks)) {
    }
  }
  if (auto room =
          state.mapping.reserve(state.layout.lane_tiles(index),
                                state.layout.lane_tiles_bytes + state.layout.lane_transfers_bytes);
      !room) {
    return Failure(room.error());
  }
  // One step starts the lane: the new generation makes all of the old S zero.
  LaneRecord fresh{};
  fresh.used = 1;
  fresh.generation = state.lane(index).generation + 1;
  fresh.kind = static_cast<std::uint64_t>(key.kind);
  fresh.to = key.to;
  fresh.to_incarnation = key.to_incarnation.packed();
  fresh.own_publisher = options.own_publisher.value();
  fresh.window = options.window;
  fresh.ring_bytes = ring;
  fresh.next_k = 1;
  RedoStep step(state.redo);
  step.put(state.offset_of(&state.lane(index)), std::as_bytes(std::span(&fresh, 1)));
  step.run();
  state.scrub.restart_if(index);
  state.drop_storage(index);
  state.rebuild_lane(index);
  return LaneIndex(index);
}

void Ledger::close_lane(LaneIndex lane) {
  State& state = *state_;
  GODWIT_ASSERT(lane.value() < state.shape.lanes_out);
  LaneRecord& record = state.lane(lane.value());
  if (record.used == 0) {
    return;
  }
  RedoStep step(state.redo);
  step.put_word(record.used, 0);
  step.run();
  state.scrub.restart_if(lane.value());
  state.drop_storage(lane.value());
}

std::vector<LaneIndex> Ledger::lanes() const {
  std::vector<LaneIndex> open;
  for (std::uint32_t i = 0; i < state_->shape.lanes_out; ++i) {
    if (state_->lane(i).used != 0) {
      open.emplace_back(i);
    }
  }
  return open;
}

bool Ledger::touched(std::uint32_t tile) const {
  GODWIT_ASSERT(tile < state_->shape.tile_count());
  return state_->tile(tile).p_last != 0 || state_->tile(tile).r_last != 0;
}

bool Ledger::dirty(LaneIndex lane, std::uint32_t tile) const {
  GODWIT_ASSERT(lane.value() < state_->shape.lanes_out && tile < state_->shape.tile_count());
  return state_->lane_caches[lane.value()].dirty_since.at(tile) != MinTree::kNone;
}

void Ledger::read_open(LaneIndex lane, std::uint32_t tile, std::span<std::int64_t> out) const {
  GODWIT_ASSERT(lane.value() < state_->shape.lanes_out && tile < state_->shape.tile_count());
  GODWIT_ASSERT(state_->lane(lane.value()).used != 0);
  state_->read_open(lane.value(), tile, out);
}

OpenMeasure Ledger::measure_open(LaneIndex lane, std::uint32_t tile) const {
  const auto open = state_->workspace.open();
  read_open(lane, tile, open);
  return measure_all(open);
}

bool Ledger::settle(LaneIndex lane, std::uint32_t tile) {
  const std::uint64_t open = measure_open(lane, tile).max;
  LaneCache& cache = state_->lane_caches[lane.value()];
  cache.set_inexact(tile, open > 0);
  if (open > state_->shape.tolerance) {
    return false;
  }
  cache.dirty_since.set(tile, MinTree::kNone);
  return true;
}

void Ledger::read_sum(std::uint32_t tile, std::span<std::int64_t> out) const {
  GODWIT_ASSERT(tile < state_->shape.tile_count() && out.size() == kTileElements);
  const State& state = *state_;
  std::fill(out.begin(), out.end(), 0);
  if (state.tile(tile).p_last != 0) {
    std::memcpy(out.data(), state.tile_at(state.layout.p, tile).data(), kTileBytes);
  }
  if (state.tile(tile).r_last != 0) {
    const auto r = state.tile_at(state.layout.r, tile);
    std::transform(r.begin(), r.end(), out.begin(), out.begin(), wrapping_add);
  }
}

}  // namespace godwit::ledger

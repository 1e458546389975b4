#include "dataplane/ledger/state.h"

#include <algorithm>

#include "dataplane/base/assert.h"
#include "dataplane/base/crash_point.h"

namespace godwit::ledger {

bool same_life(std::uint64_t packed_a, std::uint64_t packed_b) {
  return packed_a == packed_b || GODWIT_MUTANT(kDedupeWithoutIncarnation);
}

bool sums_within(std::uint64_t& bound,
                 const std::int64_t* s,
                 std::span<const std::int64_t> q,
                 std::uint64_t q_max,
                 std::uint64_t limit) {
  if (q_max <= limit && bound <= limit - q_max) {
    bound += q_max;
    return true;
  }
  bound = s == nullptr ? 0 : block_statistics({s, q.size()}).max;
  if (q_max <= limit && bound <= limit - q_max) {
    bound += q_max;
    return true;
  }
  bound = kBoundUnknown;
  for (std::size_t i = 0; i < q.size(); ++i) {
    std::int64_t sum = 0;
    if (__builtin_add_overflow(s == nullptr ? 0 : s[i], q[i], &sum) || magnitude(sum) > limit) {
      return false;
    }
  }
  return true;
}

State::State(memory::Mapping& memory, const Shape& topic_shape, Workspace& shared)
    : mapping(memory),
      workspace(shared),
      shape(topic_shape),
      layout(topic_shape),
      redo(memory, layout),
      checksum(topic_shape.topic, topic_shape.shard),
      staging(topic_shape.inboxes),
      activity(topic_shape.tile_count()),
      p_bounds(topic_shape.block_count(), 0),
      r_bounds(topic_shape.block_count(), kBoundUnknown) {
  lane_caches.reserve(shape.lanes_out);
  for (std::uint32_t i = 0; i < shape.lanes_out; ++i) {
    lane_caches.emplace_back(shape);
    lane_caches.back().building.reserve(wire::kTransferTilesMax);
  }
  newly.reserve(kWindowMax);
}

// Term by term what the constructor above takes.
std::uint64_t work_bytes(const Shape& shape) {
  const std::uint64_t blocks = shape.block_count();
  const std::uint64_t of_lane = sizeof(LaneCache) + MinTree::bytes(shape.tile_count()) +
                                shape.tile_count() + (blocks * sizeof(std::uint64_t)) +
                                (wire::kTransferTilesMax * sizeof(std::uint32_t));
  return sizeof(State) + (shape.inboxes * sizeof(Staging)) + (shape.lanes_out * of_lane) +
         Activity::bytes(shape.tile_count()) + (2 * blocks * sizeof(std::uint64_t)) +
         (kWindowMax * sizeof(std::uint64_t));
}

// Whole tiles, so that a tile that was touched can be read as a whole.
Result<void> State::reserve_tiles(std::uint64_t array,
                                  std::uint64_t first_block,
                                  std::uint64_t blocks) {
  const std::uint64_t first = first_block / kTileBlocks;
  const std::uint64_t end = (first_block + blocks + kTileBlocks - 1) / kTileBlocks;
  return mapping.reserve(array + (first * kTileBytes), (end - first) * kTileBytes);
}

void Activity::note(
    std::uint32_t tile, bool applied, double energy, std::uint64_t max, std::uint64_t last) {
  const std::uint32_t index = (tile * 2) + (applied ? 1 : 0);
  Slot& slot = slots_[index];
  if (slot.last == 0) {
    if (order_.size() == order_.capacity()) {
      // Every slot is listed at most once, so dropping what was reported makes room.
      order_.erase(order_.begin(), order_.begin() + static_cast<std::ptrdiff_t>(polled_));
      polled_ = 0;
    }
    order_.push_back(index);
  }
  slot.energy += energy;
  slot.max = std::max(slot.max, max);
  slot.last = std::max(slot.last, last);
}

std::size_t Activity::poll(std::span<TileActivity> out) {
  std::size_t count = 0;
  for (; polled_ < order_.size() && count < out.size(); ++polled_) {
    const std::uint32_t index = order_[polled_];
    Slot& slot = slots_[index];
    out[count++] = {.tile = index / 2,
                    .applied = index % 2 == 1,
                    .energy = slot.energy,
                    .max = slot.max,
                    .last = PublishNumber(slot.last)};
    slot = {};
  }
  if (polled_ == order_.size()) {
    order_.clear();
    polled_ = 0;
  }
  return count;
}

}  // namespace godwit::ledger

// How many visits per second one lane needs to send every changed tile once per update.
#pragma once

#include <cstdint>

#include "dataplane/base/units.h"

namespace godwit::scheduler {

// Learns the update interval T from the gaps between merges of the same tile, and counts n, the
// distinct tiles touched per interval. demand = n/T, where n also counts tiles still pending.
//
//   time ──┬──── epoch (T) ────┬──── epoch (T) ────┬──▶
//          │ touched: 1..31    │ touched: 1..12    │     n = max(last, this, pending)
//
// Thread: one worker. Memory: none. Time: O(1).
class SweepDemand {
 public:
  static constexpr Duration kIntervalInitial = Duration::ms(100);  // Chosen: until one gap is seen.
  static constexpr Duration kIntervalMin = Duration::ms(10);    // A transfer is 10 ms of the rate.
  static constexpr Duration kIntervalMax = Duration::ms(2000);  // Chosen: as the age cap.
  static constexpr Duration kSameUpdate = Duration::ms(1);  // Chosen: closer merges are one update.

  // A merge at `now` of a tile whose previous merge was `gap` ago (zero: none or unknown) in the
  // epoch `tile_epoch`; returns the epoch to remember for the tile.
  std::uint32_t on_merge(Instant now, Duration gap, std::uint32_t tile_epoch);

  [[nodiscard]] double visits_per_second(Instant now, std::uint64_t pending_tiles) const;
  [[nodiscard]] Duration interval() const { return interval_; }

 private:
  Duration interval_ = kIntervalInitial;
  bool learned_ = false;
  Instant epoch_start_ = Instant::from_ns(0);
  std::uint32_t epoch_ = 0;  // 0: no merge yet; tiles start at 0 and so count in epoch 1.
  std::uint64_t touched_this_ = 0;
  std::uint64_t touched_last_ = 0;
};

}  // namespace godwit::scheduler

// Counting touched tiles by epochs.
#include "scheduler/policy/sweep_demand.h"

#include <algorithm>

namespace godwit::scheduler {

namespace {

constexpr std::int64_t kSettleUpdates =
    16;  // Chosen: an update that touches 16 tiles settles the average.

}  // namespace

std::uint32_t SweepDemand::on_merge(Instant now, Duration gap, std::uint32_t tile_epoch) {
  if (gap >= kSameUpdate) {
    const Duration sample = std::clamp(gap, kIntervalMin, kIntervalMax);
    interval_ = learned_ ? interval_ + (sample - interval_) / kSettleUpdates : sample;
    learned_ = true;
  }
  if (epoch_ == 0 || now - epoch_start_ >= interval_) {
    // After a pause of more than two intervals the last epoch says nothing about the next.
    touched_last_ = epoch_ == 0 || now - epoch_start_ >= interval_ * 2 ? 0 : touched_this_;
    touched_this_ = 0;
    epoch_start_ = now;
    ++epoch_;
  }
  if (tile_epoch != epoch_) {
    ++touched_this_;
  }
  return epoch_;
}

double SweepDemand::visits_per_second(Instant now, std::uint64_t pending_tiles) const {
  std::uint64_t tiles = pending_tiles;
  if (epoch_ != 0 && now - epoch_start_ < interval_ * 2) {
    tiles = std::max({tiles, touched_this_, touched_last_});
  }
  return static_cast<double>(tiles) / interval_.to_seconds();
}

}  // namespace godwit::scheduler

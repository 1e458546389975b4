// The index and the learning of what it needs.
#include "scheduler/policy/significance_index.h"

namespace godwit::scheduler {

namespace {

// Chosen: the last eight merges or so; a training job's step time changes slowly.
constexpr double kSmoothing = 1.0 / 8;

}  // namespace

double significance_index(const IndexInput& in) {
  const double merges_pending = in.energy / (2 * in.merge_energy);
  return in.weight * in.energy * in.interval_seconds * (merges_pending + 1) / in.bytes;
}

void MergeStatistics::on_merge(double energy, double interval_seconds) {
  if (interval_seconds <= 0) {
    // Another part of the same update: its energy belongs to the sample that is being averaged.
    merge_energy_ += knows_interval() ? kSmoothing * energy : energy;
    return;
  }
  merge_energy_ += kSmoothing * (energy - merge_energy_);
  interval_seconds_ = knows_interval()
                          ? interval_seconds_ + kSmoothing * (interval_seconds - interval_seconds_)
                          : interval_seconds;
}

}  // namespace godwit::scheduler

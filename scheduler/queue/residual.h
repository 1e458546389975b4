// The error feedback of a lane: what was merged and has not been sent, how old it is, how fast it
// leaves.
//
//     merge ──▶ energy, born now ──▶ visits take from it what they send ──▶ the rest keeps its age
//
// An update that is coded in part leaves a remainder, which is sent with later ones. Nothing of it
// is ever dropped, but an optimiser sees it late: age and decay say how late.
//
// Thread: one worker. Time: passed in.
#pragma once

#include "dataplane/base/units.h"

namespace godwit::scheduler {

// Of one lane, or of several added up.
struct Residual {
  double energy = 0;            // Sum of squares, >= 0; unit is the caller's.
  double age_seconds = 0;       // How long ago it was merged, the mean over the energy.
  double decay_per_second = 0;  // Share of the energy that left of late, the mean over the energy.

  Residual& operator+=(const Residual& other);
};

// Keeps the sums; each key keeps its own energy and the mean time at which that was merged.
class ResidualTracker {
 public:
  // A key has `energy` more, merged now; `born` is its mean time of merging, of `before` so far.
  void on_merge(Instant now, double before, double energy, double& born);
  // `energy` of a key has left. Below zero: more was pending all the while than merges add up to,
  // as when they go the same way.
  void on_left(Instant now, double energy, double born);
  // Nothing is pending: rounding of the sums ends here.
  void on_empty() { energy_ = moment_ = 0; }
  [[nodiscard]] Residual at(Instant now) const;

 private:
  [[nodiscard]] double decay_at(Instant now) const;

  double energy_ = 0;
  double moment_ = 0;  // Sum over keys of energy times mean time of merging, seconds.
  double decay_ = 0;   // Per second, as of left_at_.
  Instant left_at_ = Instant::from_ns(0);
};

}  // namespace godwit::scheduler

#include "scheduler/queue/residual.h"

#include <algorithm>
#include <cmath>

namespace godwit::scheduler {
namespace {

constexpr double kDecaySeconds = 10;  // Chosen: what happened over about ten seconds counts.

double seconds(Instant at) {
  return (at - Instant::from_ns(0)).to_seconds();
}

}  // namespace

Residual& Residual::operator+=(const Residual& other) {
  const double sum = energy + other.energy;
  if (sum > 0) {
    const double share = other.energy / sum;
    age_seconds += share * (other.age_seconds - age_seconds);
    decay_per_second += share * (other.decay_per_second - decay_per_second);
  } else {
    decay_per_second = std::max(decay_per_second, other.decay_per_second);
  }
  energy = sum;
  return *this;
}

void ResidualTracker::on_merge(Instant now, double before, double energy, double& born) {
  const double all = before + energy;
  born = all > 0 ? born + energy / all * (seconds(now) - born) : seconds(now);
  energy_ += energy;
  moment_ += energy * seconds(now);
}

// Every share that leaves adds itself to the decay, which forgets exponentially.
void ResidualTracker::on_left(Instant now, double energy, double born) {
  if (energy > 0 && energy_ > 0) {
    decay_ = decay_at(now) + std::min(1.0, energy / energy_) / kDecaySeconds;
    left_at_ = now;
  }
  energy_ -= energy;
  moment_ -= energy * born;
}

double ResidualTracker::decay_at(Instant now) const {
  return decay_ * std::exp(-(now - left_at_).to_seconds() / kDecaySeconds);
}

Residual ResidualTracker::at(Instant now) const {
  if (energy_ <= 0) {
    return {.decay_per_second = decay_at(now)};
  }
  return {.energy = energy_,
          .age_seconds = std::max(0.0, seconds(now) - moment_ / energy_),
          .decay_per_second = decay_at(now)};
}

}  // namespace godwit::scheduler

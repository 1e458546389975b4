#include "dataplane/transport/rate_estimate.h"

#include <algorithm>

namespace godwit::transport {
namespace {

BitRate share_of(BitRate rate, double share) {
  return BitRate::bps(
      static_cast<std::uint64_t>(static_cast<double>(rate.bits_per_second()) * share));
}

BitRate rate_of(std::uint64_t bytes, Duration time) {
  return BitRate::bps(
      static_cast<std::uint64_t>(static_cast<double>(bytes) * 8 / time.to_seconds()));
}

double ratio(BitRate rate, BitRate to) {
  return static_cast<double>(rate.bits_per_second()) /
         std::max(static_cast<double>(to.bits_per_second()), 1.0);
}

// A round that lasted longer than this many planned ones is a cut and tells nothing.
constexpr std::int64_t kCutRounds = 3;
// Rounds from the end of a drain until all that was sent in it is acknowledged.
constexpr int kSettleRounds = 2;
// How much of the way down the share of losses that is the path's own moves in a round. Chosen.
constexpr double kLossForgotten = 0.125;

}  // namespace

void RateEstimate::set_ceiling(BitRate ceiling) {
  ceiling_ = ceiling;
  if (is_bounded() && bound_ >= ceiling_) {
    enter(Phase::kOpen, 1.0);
  }
}

BitRate RateEstimate::delivery() const {
  return *std::max_element(deliveries_.begin(), deliveries_.end());
}

Duration RateEstimate::queue_allowed(BitRate rate) const {
  return kQueueTarget + std::max(rate, kBoundMin).time_for(kPacket) * kQueuePackets;
}

void RateEstimate::on_arrival(Instant now, const Arrival& arrival) {
  floor_.on_round_trip(now, arrival.rtt);
  if (began_at_ == Instant::never()) {
    begin_round(now, arrival.rtt);
    return;  // what it tells was sent before the round
  }
  settled_ += arrival.settled;
  lost_ += arrival.lost;
  least_ = std::min(least_, arrival.rtt);
  if (now >= late_from_) {
    least_late_ = std::min(least_late_, arrival.rtt);
  }
  if (now < ends_at_) {
    return;
  }
  if (now - began_at_ <= (ends_at_ - began_at_) * kCutRounds) {
    const Round round = close_round(now);
    note_delivery(round);
    on_round(now, round);
  } else {
    strained_ = 0;
    if (phase_ == Phase::kProbe || phase_ == Phase::kJudge) {
      enter(Phase::kHold, kHoldShare);
    }
  }
  begin_round(now, arrival.rtt);
}

void RateEstimate::begin_round(Instant now, Duration rtt) {
  // While the path is open a queue must be noticed before it is long; later what a round changes
  // must be acknowledged in the next one.
  const Duration length = std::max(is_bounded() ? rtt : floor_.value(), kRoundMin);
  began_at_ = now;
  late_from_ = now + length / 2;
  ends_at_ = now + length;
  settled_ = lost_ = 0;
  held_ = Duration::zero();
  least_ = least_late_ = Duration::max();
}

RateEstimate::Round RateEstimate::close_round(Instant now) {
  Round round;
  const std::uint64_t lost = std::min(lost_, settled_);
  round.delivery = rate_of(settled_ - lost, now - began_at_);
  round.queue = floor_.queue(least_);
  round.queue_late = floor_.queue(least_late_);
  round.is_busy = held_ >= (now - began_at_) / 2;
  if (round.is_busy && settled_ > 0) {
    const double share = static_cast<double>(lost) / static_cast<double>(settled_);
    loss_floor_ -= std::max(loss_floor_ - share, 0.0) * kLossForgotten;
    round.lost = lost >= kLossMin.count() ? std::max(share - loss_floor_, 0.0) : 0;
  }
  const Duration path = floor_.value();
  const Duration allowed = queue_allowed(round.delivery);
  const Duration open_allowed =
      allowed - kQueueTarget + std::max(kQueueOpen, path / kQueueOpenShare);
  const bool is_growing = !is_bounded() && ratio(round.delivery, delivery()) >= kGrowth;
  const bool has_queue = round.queue > (is_bounded() ? allowed : open_allowed);
  round.is_strained = round.is_busy && !is_growing && (has_queue || round.lost > kLossShare);
  return round;
}

void RateEstimate::note_delivery(const Round& round) {
  if (round.is_busy || round.delivery > delivery()) {
    deliveries_.at(next_delivery_) = round.delivery;
    next_delivery_ = (next_delivery_ + 1) % kWindowRounds;
  }
}

void RateEstimate::on_round(Instant now, const Round& round) {
  strained_ = round.is_strained ? strained_ + 1 : 0;
  ++rounds_;
  switch (phase_) {
    case Phase::kOpen:
      if (strained_ >= 2) {
        bind(now, round);
      }
      break;
    case Phase::kDrain:
    case Phase::kSettle:
      if (round.is_busy && round.queue_late > queue_peak_ + kQueueTarget) {
        drain(now, round.queue_late);  // it still grew when the drain began
      } else if (phase_ == Phase::kDrain && now >= drains_until_) {
        enter(Phase::kSettle, kHoldShare);
      } else if (phase_ == Phase::kSettle && rounds_ >= kSettleRounds) {
        settle(now, round);
      }
      break;
    case Phase::kHold:
      delivery_held_ = std::max(delivery_held_, round.is_busy ? round.delivery : BitRate());
      if (strained_ >= 2) {
        bind(now, round);
      } else if (rounds_ >= kProbeEvery && round.is_busy && !round.is_strained) {
        probe_ = std::clamp(
            kProbeQueue.to_seconds() / (ends_at_ - began_at_).to_seconds(), kProbeMin, kProbeMax);
        enter(Phase::kProbe, 1 + probe_);
      }
      break;
    case Phase::kProbe:
      enter(Phase::kJudge, kHoldShare);
      break;
    case Phase::kJudge:
      judge(now, round);
      break;
  }
}

void RateEstimate::enter(Phase phase, double share) {
  phase_ = phase;
  rounds_ = 0;
  if (phase == Phase::kOpen) {
    bound_ = pace_ = BitRate::unlimited();
    strained_ = 0;
    return;
  }
  pace_ = share_of(bound_, share);
  if (phase == Phase::kHold) {
    delivery_held_ = BitRate();
  }
}

// The bottleneck was busy for the whole round, or let no more pass: that is what it carries.
void RateEstimate::bind(Instant now, const Round& round) {
  bound_before_ = bound_;
  lost_before_ = round.lost > kLossShare ? round.lost : 0;
  bound_ = std::max(round.delivery, kBoundMin);
  drain(now, round.queue_late);
}

void RateEstimate::drain(Instant now, Duration queue) {
  const double length = (ends_at_ - began_at_).to_seconds();
  const double share = std::clamp(queue.to_seconds() / length, kDrainMin, kDrainMax);
  drained_ = queue_peak_ = queue;
  drains_until_ = now + Duration::seconds(queue.to_seconds() / share);
  strained_ = 0;
  enter(Phase::kDrain, 1 - share);
}

// What the path was drained for is gone, or is not ours.
void RateEstimate::settle(Instant now, const Round& round) {
  enter(Phase::kHold, kHoldShare);
  if (!round.is_busy) {
    return;
  }
  if (lost_before_ > 0 && round.lost > lost_before_ / 2) {
    loss_floor_ += round.lost;
    bound_ = bound_before_;
    enter(bound_.is_unlimited() ? Phase::kOpen : Phase::kHold, kHoldShare);
    return;
  }
  const Duration allowed = queue_allowed(bound_);
  if (round.queue_late <= allowed) {
    return;
  }
  if (round.queue_late + drained_ / 2 <= queue_peak_) {
    drain(now, round.queue_late);
  } else {
    floor_.raise(floor_.value() + round.queue_late);
  }
}

// All that was sent above the bound is acknowledged.
void RateEstimate::judge(Instant now, const Round& round) {
  const BitRate enough = share_of(ceiling_, kCeilingShare);
  const bool is_clear =
      round.is_busy && round.queue_late <= queue_allowed(bound_) && round.lost <= kLossShare;
  const double rise = ratio(round.delivery, delivery_held_);
  if (is_clear && (round.delivery >= enough || rise >= 1 + probe_ / 2)) {
    bound_ = share_of(bound_, std::min(rise, 1 + probe_));
    if (bound_ >= enough || round.delivery >= enough) {
      enter(Phase::kOpen, 1.0);
      return;
    }
    delivery_held_ = round.delivery;
    probe_ = std::min(probe_ * kProbeGrowth, kProbeMax);
    enter(Phase::kProbe, 1 + probe_);
  } else if (round.is_busy && round.queue_late > kQueueTarget) {
    drain(now, round.queue_late);
  } else {
    enter(Phase::kHold, kHoldShare);
  }
}

}  // namespace godwit::transport

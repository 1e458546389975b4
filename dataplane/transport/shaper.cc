#include "dataplane/transport/shaper.h"

#include <algorithm>

#include "dataplane/base/assert.h"

namespace godwit::transport {

LinkShaper::LinkShaper(BitRate cap, SharedCap* shared) {
  set_cap(cap, shared);
}

void LinkShaper::set_cap(BitRate cap, SharedCap* shared) {
  GODWIT_ASSERT(cap.bits_per_second() > 0, "a link with a cap of zero carries nothing");
  GODWIT_ASSERT(shared == nullptr || shared->usable() == usable(cap), "it is the cap of all");
  cap_ = cap;
  if (shared == nullptr) {
    share_.reset();
  } else if (!share_ || &share_->whole() != shared) {
    share_.emplace(*shared);
  }
  estimate_.set_ceiling(most());
  set_rate(std::min(most(), estimate_.pace()));
}

BitRate LinkShaper::usable(BitRate cap) {
  return cap.is_unlimited() ? cap
                            : BitRate::bps(static_cast<std::uint64_t>(
                                  static_cast<double>(cap.bits_per_second()) * kShare));
}

Duration LinkShaper::credit_at(BitRate rate) {
  return std::clamp(rate.time_for(kCreditBytes), kCreditTimeMin, kCreditTimeMax);
}

BitRate LinkShaper::expected() const {
  const BitRate left = share_ ? share_->left() : most();
  const BitRate expected = is_background_ ? left : std::min(left, estimate_.bound());
  return expected.is_unlimited() ? estimate_.delivery() : expected;
}

void LinkShaper::set_rate(BitRate rate) {
  rate_ = std::max(rate, BitRate::bps(1));
  credit_ = credit_at(rate_);
}

void LinkShaper::set_background(bool yields) {
  is_background_ = yields && has_cap();
}

void LinkShaper::use_path(const port::Peer& local, const port::Peer& remote) {
  if (is_on_path(local, remote)) {
    return;
  }
  local_ = local;
  remote_ = remote;
  estimate_ = {};
  floor_ = {};
  least_ = Duration::max();
  set_cap(cap_, share_ ? &share_->whole() : nullptr);
}

void LinkShaper::on_arrival(Instant now, const RateEstimate::Arrival& arrival) {
  estimate_.on_arrival(now, arrival);
  if (share_) {
    share_->look(now);
  }
  if (is_background_) {
    yield(now, arrival.rtt);
  } else {
    set_rate(std::min(most(), estimate_.pace()));
  }
}

void LinkShaper::yield(Instant now, Duration rtt) {
  floor_.on_round_trip(now, rtt);
  least_ = std::min(least_, rtt);
  if (now < moves_at_) {
    return;
  }
  const double room = 1.0 - floor_.queue(least_).to_seconds() / kQueueTarget.to_seconds();
  // Workers that share the cap move by their parts, so that all together move as one.
  const auto due_now = static_cast<double>(due().bits_per_second());
  const double step =
      std::clamp(room > 0 ? room : kRetreat * room, -kRetreatMax, 1.0) * kGain * due_now;
  const double next = std::clamp(static_cast<double>(rate_.bits_per_second()) + step,
                                 due_now * kBackgroundMin,
                                 static_cast<double>(most().bits_per_second()));
  set_rate(BitRate::bps(static_cast<std::uint64_t>(next)));
  least_ = Duration::max();
  moves_at_ = now + rtt;
}

std::size_t LinkShaper::train_packets(std::size_t packet_bytes) const {
  if (rate_.is_unlimited()) {
    return kTrainPacketsUncapped;
  }
  const std::size_t packets =
      rate_.bytes_in(kTrainTime).count() / std::max<std::size_t>(packet_bytes, 1);
  return std::clamp<std::size_t>(packets, 2, has_cap() ? kTrainPacketsMax : kTrainPacketsUncapped);
}

void LinkShaper::charge(Instant now, std::uint64_t layer3_bytes, bool has_waited) {
  if (!rate_.is_unlimited()) {
    const Instant earliest = has_waited ? now - credit_ : now;
    clock_ = std::max(clock_, earliest) + rate_.time_for(Bytes(layer3_bytes));
  }
  if (share_) {
    share_->charge(now, layer3_bytes, has_waited);
  }
}

}  // namespace godwit::transport

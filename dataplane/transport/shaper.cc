#include "dataplane/transport/shaper.h"

#include <algorithm>

#include "dataplane/base/assert.h"

namespace godwit::transport {

LinkShaper::LinkShaper(BitRate cap, SharedCap* shared) : yielding_(usable(cap)) {
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
  const BitRate expected = yields_ == Yields::kAll ? left : std::min(left, estimate_.bound());
  return expected.is_unlimited() ? estimate_.delivery() : expected;
}

void LinkShaper::set_rate(BitRate rate) {
  rate_ = std::max(rate, BitRate::bps(1));
  credit_ = credit_at(rate_);
}

void LinkShaper::set_yields(Yields yields) {
  yields_ = has_cap() ? yields : Yields::kNothing;
}

void LinkShaper::use_path(const port::Peer& local, const port::Peer& remote) {
  if (is_on_path(local, remote)) {
    return;
  }
  local_ = local;
  remote_ = remote;
  estimate_ = {};
  yielding_ = YieldingRate(most());
  set_cap(cap_, share_ ? &share_->whole() : nullptr);
}

void LinkShaper::on_arrival(Instant now, const RateEstimate::Arrival& arrival) {
  estimate_.on_arrival(now, arrival);
  if (share_) {
    share_->look(now);
  }
  if (yields_ != Yields::kNothing) {
    yielding_.on_round_trip(now, arrival.rtt, due(), most());
  }
  set_rate(yields_ == Yields::kAll ? yielding_.rate() : std::min(most(), estimate_.pace()));
}

void LinkShaper::charge_bulk(Instant now, std::uint64_t bytes) {
  if (yields_ == Yields::kBulk) {
    bulk_clock_ = std::max(bulk_clock_, now) + yielding_.rate().time_for(Bytes(bytes));
  }
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
  if (share_) {
    share_->charge(now, layer3_bytes, has_waited);
  }
  if (rate_.is_unlimited()) {
    return;
  }
  const Duration time = rate_.time_for(Bytes(layer3_bytes));
  Duration at_once =
      has_waited ? std::clamp(now - clock_, Duration::zero(), credit_) : Duration::zero();
  Duration bit = Duration::zero();
  if (is_at_cap() && !share_) {
    const Duration usual = std::min(at_once, kTrainTime);
    const Duration owed = owed_ + (at_once - usual);
    const Duration beyond = std::max(owed - kOwedMax, Duration::zero());
    at_once = usual + beyond;
    bit = std::min(owed - beyond, time - cap_.time_for(Bytes(layer3_bytes)));
    owed_ = owed - beyond - bit;
  }
  clock_ = std::max(clock_, now - at_once) + time - bit;
}

}  // namespace godwit::transport

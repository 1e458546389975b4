#include "dataplane/transport/shaper.h"

#include <algorithm>

#include "dataplane/base/assert.h"

namespace godwit::transport {

LinkShaper::LinkShaper(BitRate cap) {
  set_cap(cap);
}

void LinkShaper::set_cap(BitRate cap) {
  GODWIT_ASSERT(cap.bits_per_second() > 0, "a link with a cap of zero carries nothing");
  cap_ = cap;
  estimate_.set_ceiling(most());
  set_rate(std::min(most(), estimate_.pace()));
}

BitRate LinkShaper::usable(BitRate cap) {
  return cap.is_unlimited() ? cap
                            : BitRate::bps(static_cast<std::uint64_t>(
                                  static_cast<double>(cap.bits_per_second()) * kShare));
}

BitRate LinkShaper::expected() const {
  const BitRate expected = is_background_ ? most() : std::min(most(), estimate_.bound());
  return expected.is_unlimited() ? estimate_.delivery() : expected;
}

void LinkShaper::set_rate(BitRate rate) {
  rate_ = std::max(rate, BitRate::bps(1));
  credit_ = std::clamp(rate_.time_for(kCreditBytes), kCreditTimeMin, kCreditTimeMax);
}

void LinkShaper::set_background(bool yields) {
  is_background_ = yields && has_cap();
}

void LinkShaper::on_arrival(Instant now, const RateEstimate::Arrival& arrival) {
  estimate_.on_arrival(now, arrival);
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
  const auto most_now = static_cast<double>(most().bits_per_second());
  const double step =
      std::clamp(room > 0 ? room : kRetreat * room, -kRetreatMax, 1.0) * kGain * most_now;
  const double next = std::clamp(
      static_cast<double>(rate_.bits_per_second()) + step, most_now * kBackgroundMin, most_now);
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
}

}  // namespace godwit::transport

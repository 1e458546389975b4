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
  rate_ = BitRate::unlimited();
  if (!cap.is_unlimited()) {
    set_rate(static_cast<double>(cap.bits_per_second()) * kShare);
  }
}

void LinkShaper::set_rate(double bits_per_second) {
  rate_ = BitRate::bps(std::max<std::uint64_t>(1, static_cast<std::uint64_t>(bits_per_second)));
  credit_ = std::clamp(rate_.time_for(kCreditBytes), kCreditTimeMin, kCreditTimeMax);
}

void LinkShaper::set_background(bool yields) {
  is_background_ = yields && is_limited();
}

void LinkShaper::on_round_trip(Instant now, Duration rtt) {
  if (!is_background_ || rtt <= Duration::zero()) {
    return;
  }
  if (now >= base_until_) {
    base_before_ = base_;
    base_ = rtt;
    base_until_ = now + kBaseWindow;
  }
  base_ = std::min(base_, rtt);
  least_ = std::min(least_, rtt);
  if (now < moves_at_) {
    return;
  }
  const Duration queue = least_ - std::min(base_, base_before_);
  const double room = 1.0 - queue.to_seconds() / kQueueTarget.to_seconds();
  const double most = static_cast<double>(cap_.bits_per_second()) * kShare;
  const double step =
      std::clamp(room > 0 ? room : kRetreat * room, -kRetreatMax, 1.0) * kGain * most;
  set_rate(
      std::clamp(static_cast<double>(rate_.bits_per_second()) + step, most * kBackgroundMin, most));
  least_ = Duration::max();
  moves_at_ = now + rtt;
}

bool LinkShaper::is_limited() const {
  return !cap_.is_unlimited();
}

std::size_t LinkShaper::train_packets(std::size_t packet_bytes) const {
  if (!is_limited()) {
    return kTrainPacketsUncapped;
  }
  const std::size_t packets =
      rate_.bytes_in(kTrainTime).count() / std::max<std::size_t>(packet_bytes, 1);
  return std::clamp<std::size_t>(packets, 2, kTrainPacketsMax);
}

void LinkShaper::charge(Instant now, std::uint64_t layer3_bytes, bool has_waited) {
  if (is_limited()) {
    const Instant earliest = has_waited ? now - credit_ : now;
    clock_ = std::max(clock_, earliest) + rate_.time_for(Bytes(layer3_bytes));
  }
}

}  // namespace godwit::transport

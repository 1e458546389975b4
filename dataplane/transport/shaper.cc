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
    const double kept = static_cast<double>(cap.bits_per_second()) * kShare;
    rate_ = BitRate::bps(std::max<std::uint64_t>(1, static_cast<std::uint64_t>(kept)));
    credit_ = std::clamp(rate_.time_for(kCreditBytes), kCreditTimeMin, kCreditTimeMax);
  }
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

void LinkShaper::charge(Instant now, std::uint64_t layer3_bytes) {
  if (is_limited()) {
    clock_ = std::max(clock_, now - credit_) + rate_.time_for(Bytes(layer3_bytes));
  }
}

}  // namespace godwit::transport

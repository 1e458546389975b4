#include "api/gateway/rate_meter.h"

#include <algorithm>

namespace godwit::gateway {

void RateMeter::on_total(Instant now, std::uint64_t bytes) {
  if (now < next_step_) {
    return;
  }
  looks_.at(count_ % kLooks) = {now, bytes};
  ++count_;
  next_step_ = now + kStep;
}

BitRate RateMeter::rate(Instant now, std::uint64_t bytes) const {
  const std::size_t known = std::min(count_, kLooks);
  for (std::size_t age = 1; age <= known; ++age) {
    const Look& look = looks_.at((count_ - age) % kLooks);
    const Duration elapsed = now - look.at;
    if (elapsed < kWindow && age < known) {
      continue;
    }
    if (elapsed < kStep || bytes < look.bytes) {
      return BitRate::bps(0);
    }
    const double bits = static_cast<double>(bytes - look.bytes) * 8;
    return BitRate::bps(static_cast<std::uint64_t>(bits / elapsed.to_seconds()));
  }
  return BitRate::bps(0);
}

}  // namespace godwit::gateway

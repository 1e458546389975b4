// The policer's rate follows the link's.
#include "scheduler/budget/control_policer.h"

#include <algorithm>

namespace godwit::scheduler {

namespace {

BitRate share_of(BitRate link_rate) {
  if (link_rate.is_unlimited()) {
    return link_rate;
  }
  return std::max(ControlPolicer::kRateMin,
                  BitRate::bps(link_rate.bits_per_second() / ControlPolicer::kRateDivisor));
}

}  // namespace

ControlPolicer::ControlPolicer(Instant now, BitRate link_rate)
    : bucket_(now, share_of(link_rate), kBurst) {}

void ControlPolicer::set_link_rate(Instant now, BitRate link_rate) {
  bucket_.set_rate(now, share_of(link_rate));
}

}  // namespace godwit::scheduler

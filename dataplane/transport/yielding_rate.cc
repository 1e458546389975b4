#include "dataplane/transport/yielding_rate.h"

#include <algorithm>
#include <cstdint>

namespace godwit::transport {

void YieldingRate::on_round_trip(Instant now, Duration rtt, BitRate due, BitRate most) {
  floor_.on_round_trip(now, rtt);
  least_ = std::min(least_, rtt);
  if (now < moves_at_) {
    return;
  }
  const double room = 1.0 - floor_.queue(least_).to_seconds() / kQueueTarget.to_seconds();
  const auto whole = static_cast<double>(due.bits_per_second());
  const double step =
      std::clamp(room > 0 ? room : kRetreat * room, -kRetreatMax, 1.0) * kGain * whole;
  const double next = std::clamp(static_cast<double>(rate_.bits_per_second()) + step,
                                 whole * kLeast,
                                 static_cast<double>(most.bits_per_second()));
  rate_ = BitRate::bps(static_cast<std::uint64_t>(next));
  least_ = Duration::max();
  moves_at_ = now + rtt;
}

}  // namespace godwit::transport

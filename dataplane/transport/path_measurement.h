// When BBR will measure its path next: once no round trip has been as short as the least one for
// ten seconds, it lets no more than four packets be under way for 200 ms
// (draft-cardwell-iccrg-bbr-congestion-control-00 section 4.2.3.2). The library does not tell.
//
// Until what was under way has arrived, nothing else can be sent then, control included. So bulk
// keeps to that window one round trip before, and the window is open for control all the time.
// Where a round trip's losses do not fit into it, it is two: their repetitions take the second one.
//
// Time: sans-I/O. Thread: one.
#pragma once

#include <cstdint>

#include "dataplane/base/units.h"

namespace godwit::transport {

class PathMeasurement {
 public:
  static constexpr Duration kEvery = Duration::seconds(10);

  // Something was acknowledged: the library's newest round trip, and whether it measures now. It
  // looks at nothing else; ten seconds begin again when it has measured.
  void on_acknowledgement(Instant now, Duration rtt, bool is_measuring) {
    if (rtt <= least_ || now > since_ + kEvery) {
      least_ = rtt;
      since_ = now;
    }
    if (is_measuring_ && !is_measuring) {
      since_ = now;
    }
    rtt_ = rtt;
    is_measuring_ = is_measuring;
  }
  // About once in a round trip: so many packets were lost since the last call.
  void on_losses(std::uint64_t packets) {
    losses_ += (static_cast<double>(packets) - losses_) / kLossRounds;
  }
  // Whether what is sent now, or its repetition, may still be under way when it begins.
  bool is_near(Instant now) const {
    const Duration before = losses_ > kLossesMax ? rtt_ * 9 / 4 : rtt_;  // noticed after 9/8 of one
    return rtt_ > Duration::zero() && now + before > since_ + kEvery;
  }

 private:
  static constexpr double kLossesMax = 2;   // packets: half of the window
  static constexpr double kLossRounds = 8;  // how many are averaged; chosen

  Duration least_ = Duration::max();
  Instant since_ = Instant::from_ns(0);
  Duration rtt_ = Duration::zero();
  bool is_measuring_ = false;
  double losses_ = 0;  // in a round trip
};

}  // namespace godwit::transport

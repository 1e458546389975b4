// When BBR will measure its path next: once no round trip has been as short as the least one for
// ten seconds, it lets no more than four packets be under way for 200 ms
// (draft-cardwell-iccrg-bbr-congestion-control-00 section 4.2.3.2). The library does not tell.
//
// Until what was under way has arrived, nothing else can be sent then, control included. So bulk
// keeps to that window one round trip before, and the window is open for control all the time.
//
// Time: sans-I/O. Thread: one.
#pragma once

#include "dataplane/base/units.h"

namespace godwit::transport {

class PathMeasurement {
 public:
  static constexpr Duration kEvery = Duration::seconds(10);

  // Of every packet that came in: the library's newest round trip.
  void on_round_trip(Instant now, Duration rtt) {
    if (rtt <= least_ || now > since_ + kEvery) {
      least_ = rtt;
      since_ = now;
    }
    rtt_ = rtt;
  }
  // Whether what is sent now may still be under way when it begins.
  bool is_near(Instant now) const {
    return rtt_ > Duration::zero() && now + rtt_ > since_ + kEvery;
  }

 private:
  Duration least_ = Duration::max();
  Instant since_ = Instant::from_ns(0);
  Duration rtt_ = Duration::zero();
};

}  // namespace godwit::transport

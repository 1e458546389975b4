// The least round trip that a path has shown lately: what is above it is waiting in queues.
//
// A value is forgotten after two windows, so that a path that became longer is not taken for a
// queue for ever (RFC 6817 section 3.2, BASE_HISTORY).
// Time: sans-I/O. Thread: one.
#pragma once

#include <algorithm>

#include "dataplane/base/units.h"

namespace godwit::transport {

class RoundTripFloor {
 public:
  static constexpr Duration kWindow = Duration::ms(300'000);

  void on_round_trip(Instant now, Duration rtt) {
    if (now >= until_) {
      before_ = present_;
      present_ = rtt;
      until_ = now + kWindow;
    }
    present_ = std::min(present_, rtt);
  }
  // The path is longer than what was seen before.
  void raise(Duration rtt) { present_ = before_ = rtt; }
  // Duration::max() before the first round trip.
  Duration value() const { return std::min(present_, before_); }
  // What `rtt` has waited.
  Duration queue(Duration rtt) const { return std::max(rtt - value(), Duration::zero()); }

 private:
  Duration present_ = Duration::max();  // of the window that lasts until until_
  Duration before_ = Duration::max();   // of the one before
  Instant until_ = Instant::from_ns(0);
};

}  // namespace godwit::transport

// At most one event per `spacing` in the long run, and a burst of `burst` at once.
//
// The generic cell rate algorithm: `next_` is the instant at which an event would be exactly on
// time. Time: sans-I/O. Thread: one.
#pragma once

#include <algorithm>
#include <cstdint>

#include "dataplane/base/units.h"

namespace godwit {

class Pace {
 public:
  // spacing > 0; a burst of 0 allows nothing.
  constexpr Pace(Duration spacing, std::int64_t burst)
      : spacing_(spacing), ahead_max_(spacing * (burst - 1)) {}

  // True: the event may happen at `now`, and is booked.
  bool take(Instant now) {
    if (next_ > now + ahead_max_ || ahead_max_ < Duration::zero()) {
      return false;
    }
    next_ = std::max(next_, now) + spacing_;
    return true;
  }

 private:
  Duration spacing_;
  Duration ahead_max_;
  Instant next_ = Instant::from_ns(0);
};

}  // namespace godwit

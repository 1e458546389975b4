// At most `burst` at once and one per `interval` in the long run: the pace at which strangers are
// answered.
#pragma once

#include <algorithm>

#include "dataplane/base/units.h"

namespace godwit::port::ip {

class RateLimit {
 public:
  RateLimit(Duration interval, int burst) : interval_(interval), ahead_(interval * (burst - 1)) {}

  // True: do it, it is booked.
  bool take(Instant now) {
    if (booked_until_ > now + ahead_) {
      return false;
    }
    booked_until_ = std::max(booked_until_, now) + interval_;
    return true;
  }

 private:
  Duration interval_;
  Duration ahead_;
  Instant booked_until_ = Instant::from_ns(0);
};

}  // namespace godwit::port::ip

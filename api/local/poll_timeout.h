// The timeout for poll(2) that ends a wait at an instant.
#pragma once

#include <algorithm>
#include <cstdint>

#include "dataplane/base/units.h"

namespace godwit::local {

// Waits are cut here, so that a duration fits poll's integer; whoever woke looks again. Chosen.
inline constexpr Duration kPollMax = Duration::ms(60'000);

// In milliseconds, [0, kPollMax], rounded up so that the instant has come when poll returns; -1,
// poll's "for ever", for never() alone: an instant that has passed since it was asked for is due.
constexpr int poll_timeout(Instant now, Instant until) {
  if (until == Instant::never()) {
    return -1;
  }
  if (until <= now) {
    return 0;
  }
  return static_cast<int>((std::min(until - now, kPollMax) + Duration::ns(999'999)).count_ms());
}

}  // namespace godwit::local

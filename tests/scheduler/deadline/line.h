// A line on which a byte takes a microsecond.
#pragma once

#include "dataplane/base/units.h"

namespace godwit::scheduler::testing {

inline constexpr Instant kStart = Instant::from_ns(1'000);
inline constexpr BitRate kRate = BitRate::mbps(8);

inline Instant at_us(std::int64_t us) {
  return kStart + Duration::us(us);
}

}  // namespace godwit::scheduler::testing

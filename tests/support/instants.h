// Points in virtual time that tests name.
#pragma once

#include <cstdint>

#include "dataplane/base/units.h"

namespace godwit {

inline Instant at_ms(std::int64_t ms) {
  return Instant::from_ns(ms * 1'000'000);
}

}  // namespace godwit

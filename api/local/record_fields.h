// What the readers and writers of every kind of record share; nobody else includes this file.
#pragma once

#include <algorithm>
#include <cstdint>

#include "api/local/records.h"

namespace godwit::local {

inline Failure corrupt(const char* what) {
  return fail(Code::kCorrupt, "record {}", what);
}

// A span of time as it is written: nanoseconds within [0, kLongestDeadline].
inline std::uint64_t nanoseconds(Duration duration) {
  return static_cast<std::uint64_t>(
      std::clamp(duration, Duration::zero(), kLongestDeadline).count_ns());
}

}  // namespace godwit::local

// What the readers and writers of every kind of record share; nobody else includes this file.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "api/local/records.h"

namespace godwit::local {

inline Failure corrupt(const char* what) {
  return fail(Code::kCorrupt, "record {}", what);
}

// Whether values may be viewed where these bytes lie.
inline bool is_aligned(std::span<const std::byte> bytes) {
  return std::bit_cast<std::uintptr_t>(bytes.data()) % kRecordAlign == 0;
}

// Whether a topic may have these elements.
inline bool is_range(std::uint64_t first, std::uint64_t count) {
  return count >= 1 && first < kElementsMax && count <= kElementsMax - first;
}

// A span of time as it is written: nanoseconds within [0, kLongestDeadline].
inline std::uint64_t nanoseconds(Duration duration) {
  return static_cast<std::uint64_t>(
      std::clamp(duration, Duration::zero(), kLongestDeadline).count_ns());
}

}  // namespace godwit::local

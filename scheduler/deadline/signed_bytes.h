// Bytes that are added and subtracted: signed, and bounded so that nothing overflows.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "dataplane/base/units.h"

namespace godwit::scheduler {

// Sums and differences of two such amounts fit into 64 bits.
inline constexpr std::int64_t kSignedBytesMax = std::numeric_limits<std::int64_t>::max() / 4;

constexpr std::int64_t signed_bytes(Bytes bytes) {
  return static_cast<std::int64_t>(
      std::min(bytes.count(), static_cast<std::uint64_t>(kSignedBytesMax)));
}

// Nothing for what is below zero.
constexpr Bytes unsigned_bytes(std::int64_t bytes) {
  return Bytes(static_cast<std::uint64_t>(std::max<std::int64_t>(0, bytes)));
}

}  // namespace godwit::scheduler

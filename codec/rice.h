// Rice codes of the gaps between what is named: a zero for each 2^k of a gap, a one, its low k bits
// (Rice, "Some practical universal noiseless coding techniques", 1979).
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "codec/simd/bits.h"

namespace godwit::codec {

// The parameter k for gaps between `count` of `elements`.
constexpr unsigned rice_bits(std::size_t count, std::size_t elements) {
  const std::size_t scaled = std::max<std::size_t>(1, elements * 216 / (count * 256));
  return static_cast<unsigned>(std::bit_width(scaled)) - 1;
}

inline void put_gap(WordWriter& writer, std::size_t gap, unsigned k) {
  for (; gap >> k >= 32; gap -= std::size_t{32} << k) {
    writer.put(0, 32);
  }
  const auto zeros = static_cast<unsigned>(gap >> k);
  const std::uint64_t low = gap & ((std::uint64_t{1} << k) - 1);
  writer.put((low << 1U | 1U) << zeros, zeros + 1 + k);
}

// The next gap; nothing when its one is not before bit `end`. Its low bits may lie behind it, and
// so may the cursor then.
inline std::optional<std::size_t> take_gap(BitCursor& cursor, std::size_t end, unsigned k) {
  constexpr unsigned kSeen = 57;  // bits of a peek
  std::size_t zeros = 0;
  while (cursor.position() < end && cursor.peek() << (64 - kSeen) == 0) {
    zeros += kSeen;
    cursor.skip(kSeen);
  }
  if (cursor.position() >= end) {
    return std::nullopt;
  }
  const auto more = static_cast<unsigned>(std::countr_zero(cursor.peek()));
  cursor.skip(more + 1);
  const std::size_t gap = (zeros + more) << k | (cursor.peek() & ((std::uint64_t{1} << k) - 1));
  cursor.skip(k);
  return gap;
}

}  // namespace godwit::codec

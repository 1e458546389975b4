// A change of one block, by the lines that it touches.
//
// Of what a link sends in one visit most is zero: the lines around a change need be neither read
// nor written, nor kept twice for an atomic step.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/ledger/types.h"

namespace godwit::ledger {

// Bit i % 64 of word i / 64 is line i of the block.
using LineBits = std::array<std::uint64_t, kBlockLines / 64>;

inline std::size_t lines_in(const LineBits& lines) {
  std::size_t count = 0;
  for (const std::uint64_t word : lines) {
    count += static_cast<std::size_t>(std::popcount(word));
  }
  return count;
}

// `lines` has every line in which an integer is not zero, and may have others.
struct BlockChange {
  std::span<const std::int64_t, kBlockElements> values;
  LineBits lines{};

  bool is_empty() const { return lines_in(lines) == 0; }
};

// Of every line, whatever is in it.
inline BlockChange whole(std::span<const std::int64_t, kBlockElements> values) {
  BlockChange change{.values = values};
  change.lines.fill(~std::uint64_t{0});
  return change;
}

}  // namespace godwit::ledger

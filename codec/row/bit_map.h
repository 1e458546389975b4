// A bit for each element, or each row, of a tile, and its runs of ones.
//
// Thread: values. Memory: 4 KiB each.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "codec/codec.h"

namespace godwit::codec::row {

// Bit i is bit i % 64 of word i / 64; bits behind the last element or row are 0.
using BitMap = std::array<std::uint64_t, kTileElements / 64>;

// Shorter runs of zeros are no rows that nobody touched, but zeros in one that somebody did.
inline constexpr std::size_t kGapMin = 8;

struct Run {
  std::size_t first = 0;
  std::size_t end = 0;  // behind the last one
};

// The first run of ones from `from` on, of which bit from - 1 is no part; {count, count} if there
// is none below `count`.
Run next_run(const BitMap& bits, std::size_t from, std::size_t count);

std::size_t count_ones(const BitMap& bits);

// Makes bits [first, end) ones.
void set_ones(BitMap& bits, std::size_t first, std::size_t end);

// Runs of fewer than kGapMin zeros, where ones follow, become ones.
void close_gaps(BitMap& bits);

}  // namespace godwit::codec::row

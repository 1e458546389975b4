#include "codec/row/bit_map.h"

#include <algorithm>
#include <bit>

namespace godwit::codec::row {
namespace {

// The first bit from `from` on that is 1 after flipping with `flip`; at most `count`.
std::size_t next_bit(const BitMap& bits, std::size_t from, std::size_t count, std::uint64_t flip) {
  std::uint64_t looked_at = ~std::uint64_t{0} << (from % 64);
  for (std::size_t word = from / 64; word * 64 < count; ++word) {
    const std::uint64_t found = (bits[word] ^ flip) & looked_at;
    if (found != 0) {
      return std::min(count, word * 64 + static_cast<std::size_t>(std::countr_zero(found)));
    }
    looked_at = ~std::uint64_t{0};
  }
  return count;
}

}  // namespace

Run next_run(const BitMap& bits, std::size_t from, std::size_t count) {
  const std::size_t first = next_bit(bits, from, count, 0);
  return {first, next_bit(bits, first, count, ~std::uint64_t{0})};
}

std::size_t count_ones(const BitMap& bits) {
  std::size_t count = 0;
  for (const std::uint64_t word : bits) {
    count += static_cast<std::size_t>(std::popcount(word));
  }
  return count;
}

void set_ones(BitMap& bits, std::size_t first, std::size_t end) {
  while (first < end) {
    const std::size_t count = std::min(64 - first % 64, end - first);
    bits[first / 64] |= ~std::uint64_t{0} >> (64 - count) << (first % 64);
    first += count;
  }
}

// Zeros are worn away to where kGapMin of them begin, and grown again from there.
void close_gaps(BitMap& bits) {
  static_assert(kGapMin == 8, "three steps that double what they look at");
  BitMap zeros;
  std::transform(bits.begin(), bits.end(), zeros.begin(), [](std::uint64_t word) { return ~word; });
  for (const unsigned step : {1U, 2U, 4U}) {
    for (std::size_t word = 0; word < zeros.size(); ++word) {
      const std::uint64_t next = word + 1 < zeros.size() ? zeros[word + 1] : ~std::uint64_t{0};
      zeros[word] &= zeros[word] >> step | next << (64 - step);
    }
  }
  for (const unsigned step : {1U, 2U, 4U}) {
    for (std::size_t word = zeros.size(); word-- > 0;) {
      const std::uint64_t last = word > 0 ? zeros[word - 1] : 0;
      zeros[word] |= zeros[word] << step | last >> (64 - step);
    }
  }
  std::transform(
      zeros.begin(), zeros.end(), bits.begin(), [](std::uint64_t word) { return ~word; });
}

}  // namespace godwit::codec::row

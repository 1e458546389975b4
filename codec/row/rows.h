// Where the rows of a tile lie, and which there are of them. Part of the format (SPEC.md).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "codec/row/bit_map.h"

namespace godwit::codec::row {

// `elements` cut into rows of `width`, of which the first `phase` elements end one that began in
// the tile before; a row at the end may go on in the next.
struct Rows {
  std::size_t elements = 1;
  std::size_t width = 1;  // 1 to kTileElements
  std::size_t phase = 0;  // below `width` and `elements`

  constexpr std::size_t count() const {
    return (phase > 0 ? 1 : 0) + (elements - phase + width - 1) / width;
  }
  // The first element of a row, or `elements` for the row behind the last.
  constexpr std::size_t first_of(std::size_t row) const {
    return row == 0 ? 0 : std::min(elements, row * width - before());
  }
  constexpr std::size_t row_of(std::size_t element) const { return (element + before()) / width; }
  // Elements of the first row that lie in the tile before.
  constexpr std::size_t before() const { return phase > 0 ? width - phase : 0; }
};

// The rows with at least one of these elements.
BitMap rows_with(const Rows& rows, const BitMap& elements);

// The number of elements in the rows that are named.
std::size_t elements_in(const Rows& rows, const BitMap& named);

// Copies the elements of the named rows to the beginning of `out`, one row behind the other.
void gather(const Rows& rows,
            const BitMap& named,
            std::span<const std::int64_t> values,
            std::span<std::int64_t> out);

// The other way, in place: they lie at the end of `values`, and all others become 0.
void scatter(const Rows& rows, const BitMap& named, std::span<std::int64_t> values);

}  // namespace godwit::codec::row

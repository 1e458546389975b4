// Finds how wide the rows of a tile are, from where its zeros lie.
//
// Rows that nobody touched are long runs of zeros, and where these begin and end, rows do: such
// borders are multiples of the width apart, from first to last:
//
//   ####............####....########............####     # touched, . not
//       ^           ^   ^   ^       ^           ^        borders; the width divides 4 12 4 4 8 12
//
// Thread: a pure function. Memory: none.
#pragma once

#include <cstddef>
#include <optional>

#include "codec/row/bit_map.h"
#include "codec/row/rows.h"

namespace godwit::codec::row {

// `nonzero`: which elements are, with its gaps closed. Nothing when too few borders agree on a
// width of kGapMin or more. A first or last element of a row that is 0 by chance moves a border;
// some such do no harm.
std::optional<Rows> find_rows(const BitMap& nonzero, std::size_t elements);

}  // namespace godwit::codec::row

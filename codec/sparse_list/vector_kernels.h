// The loop of SL over all elements of a tile; vectorised, chosen at run time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace godwit::codec::sparse_list {

// Writes the positions of all values of at least `least` in magnitude, rising, and returns how many
// there are. At most 2^16 values; `positions` has room for all of them.
std::size_t positions_of(std::span<const std::int64_t> values,
                         std::uint64_t least,
                         std::uint16_t* positions);

}  // namespace godwit::codec::sparse_list

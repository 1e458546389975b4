// The loop of ROW over all elements of a tile; vectorised, chosen at run time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace godwit::codec::row {

// Bit i of the words is whether the magnitude of value i is above `floor`, which is below
// kValueLimit; bits behind the last value's in its word are 0.
void bits_above(std::span<const std::int64_t> values, std::uint64_t floor, std::uint64_t* words);

}  // namespace godwit::codec::row

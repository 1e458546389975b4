// The loops of Q8 and Q4 over a group's elements; vectorised, chosen at run time.
//
// A kernel is a pure loop: it checks nothing, allocates nothing and cannot fail. Arrays of
// quotients and removed integers are padded to kGroup.
#pragma once

#include <cstddef>
#include <cstdint>

#include "codec/fixed_rate/format.h"
#include "codec/kernels.h"

namespace godwit::codec::fixed_rate {

// quotients[i] = values[i] / step, rounded to the nearest within ±most and never to more than twice
// the value; removed[i] = quotients[i] * step. What is left of the values.
Remainder quantise(const std::int64_t* values,
                   std::size_t count,
                   Step step,
                   std::uint32_t most,
                   std::int8_t* quotients,
                   std::int64_t* removed);

// out[i] = quotients[i] * step.
void reconstruct(const std::int8_t* quotients, std::size_t count, Step step, std::int64_t* out);

// Two quotients of 4 bits a byte, the even one low; and back, with their signs.
void pack_nibbles(const std::int8_t* quotients, std::size_t count, std::uint8_t* out);
void unpack_nibbles(const std::uint8_t* packed, std::size_t count, std::int8_t* quotients);

}  // namespace godwit::codec::fixed_rate

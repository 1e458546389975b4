// Reads the segments of one plane: loops over bitmaps, with PDEP where the processor has it.
//
// Every count from the wire is checked; the bytes from `at` to `end` are all that is believed, and
// kReadAhead bytes behind `end` must be readable and zero.
#pragma once

#include <cstddef>
#include <cstdint>

#include "codec/bpc/format.h"
#include "codec/bpc/maps.h"

namespace godwit::codec::bpc {

// How far a reader may look before it compares its position with the end: a class of 4,096
// Huffman codes of 11 bits.
inline constexpr std::size_t kReadAhead = 8192;

struct BitReading {
  // Sets fresh, fresh_count and signs in the first `cut` sub-blocks. The end of what was read;
  // null when the bytes break the format: then `maps.fault` says how.
  const std::uint8_t* (*significance)(Maps& maps,
                                      std::size_t cut,
                                      Strings& scratch,
                                      const std::uint8_t* at,
                                      const std::uint8_t* end);
  // Sets bits, likewise.
  const std::uint8_t* (*refinement)(Maps& maps,
                                    std::size_t cut,
                                    const std::uint8_t* at,
                                    const std::uint8_t* end);
};

const BitReading& bit_reading();

// The variant without PDEP, to which tests pin the other.
const BitReading& portable_bit_reading();

}  // namespace godwit::codec::bpc

// Writes the segments of one plane: loops over bitmaps, with PEXT where the processor has it.
//
// A kernel: it cannot fail, as the caller's buffer has room for kSegmentBytesMax.
#pragma once

#include <cstddef>
#include <cstdint>

#include "codec/bpc/format.h"
#include "codec/bpc/maps.h"

namespace godwit::codec::bpc {

// More than any segment: 4,096 bytes of signs, strings at 11/8 of their length, counts, sizes.
inline constexpr std::size_t kSegmentBytesMax = 4096 + 4096 * 11 / 8 + 256;

struct BitWriting {
  // fresh = bits & pending, and its counts, in sub-blocks [first, last).
  void (*mark_fresh)(Maps& maps, std::size_t first, std::size_t last);

  // A segment of the current plane for the first `cut` sub-blocks; the end of what was written.
  std::uint8_t* (*significance)(const Maps& maps,
                                std::size_t cut,
                                Strings& scratch,
                                std::uint8_t* out);
  std::uint8_t* (*refinement)(const Maps& maps, std::size_t cut, std::uint8_t* out);
};

const BitWriting& bit_writing();

// The variant without PEXT, to which tests pin the other.
const BitWriting& portable_bit_writing();

}  // namespace godwit::codec::bpc

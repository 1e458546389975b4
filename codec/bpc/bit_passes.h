// The loops of BPC over bitmaps: one significance or refinement segment, written or read.
//
// The same source is compiled with PEXT/PDEP and without; `bit_passes()` picks by the processor.
// Writing cannot fail: buffers are sized by kSegmentBytesMax. Reading checks every count that
// comes from the wire.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "codec/bpc/format.h"

namespace godwit::codec::bpc {

// More than any segment: 4,096 bytes of signs, strings at 11/8 of their length, counts, sizes.
inline constexpr std::size_t kSegmentBytesMax = 4096 + 4096 * 11 / 8 + 256;

// Bytes that may be read behind the end of a code: a four-stream Huffman class.
inline constexpr std::size_t kReadAhead = 8192;

// Bit i of word w stands for coefficient 64 w + i.
struct Maps {
  std::array<std::uint64_t, kWords> pending;      // exists, not yet significant
  std::array<std::uint64_t, kWords> significant;  // significant above the current plane
  std::array<std::uint64_t, kWords> fresh;        // becomes significant in the current plane
  std::array<std::uint64_t, kWords> bits;         // encoder: the plane; decoder: refinement bits
  std::array<std::uint64_t, kWords> signs;        // 1: negative
  std::array<std::uint16_t, kSubBlocks> significant_count;
  std::array<std::uint16_t, kSubBlocks> fresh_count;

  // Before the first plane of a tile of `elements`.
  void reset(std::size_t elements);
};

// The significance bits of each class, as strings; one word of slack each.
struct Strings {
  alignas(64) std::array<std::array<std::uint64_t, kWords + 2>, kClasses> words;
  std::array<std::uint32_t, kClasses> length;
  std::array<std::uint32_t, kClasses> ones;
};

struct BitPasses {
  // fresh = bits & pending with counts, in sub-blocks [first, last).
  void (*mark_fresh)(Maps& maps, std::size_t first, std::size_t last);

  // The segments of the current plane for the first `cut` sub-blocks; the end of what was written.
  std::uint8_t* (*write_significance)(const Maps& maps,
                                      std::size_t cut,
                                      Strings& scratch,
                                      std::uint8_t* out);
  std::uint8_t* (*write_refinement)(const Maps& maps, std::size_t cut, std::uint8_t* out);

  // The mirror images: set fresh, fresh_count and signs, or bits. Nothing when the bytes between
  // `at` and `end` break the format; else the end of what was read. kReadAhead bytes behind `end`
  // are readable and zero.
  const std::uint8_t* (*read_significance)(Maps& maps,
                                           std::size_t cut,
                                           Strings& scratch,
                                           const std::uint8_t* at,
                                           const std::uint8_t* end);
  const std::uint8_t* (*read_refinement)(Maps& maps,
                                         std::size_t cut,
                                         const std::uint8_t* at,
                                         const std::uint8_t* end);

  // The plane is done: what was fresh is significant.
  void (*settle)(Maps& maps, std::size_t sub_blocks);
};

const BitPasses& bit_passes();

// The variant without PEXT and PDEP, to which tests pin the other.
const BitPasses& portable_bit_passes();

}  // namespace godwit::codec::bpc

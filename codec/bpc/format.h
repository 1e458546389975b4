// What encoder and decoder of BPC share: sizes, contexts, modes and the reconstruction rule.
//
// Everything here is part of the wire format (SPEC.md): a change of any number is a new version.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "codec/codec.h"

namespace godwit::codec::bpc {

inline constexpr int kPlanes = 16;             // magnitudes are u16
inline constexpr int kShiftMax = 46;           // 2^46 * 2^16 = kValueLimit
inline constexpr std::size_t kWordBits = 64;   // coefficients per bitmap word
inline constexpr std::size_t kSubBlock = 256;  // coefficients that share a context
inline constexpr std::size_t kSubWords = kSubBlock / kWordBits;
inline constexpr std::size_t kWords = kTileElements / kWordBits;
inline constexpr std::size_t kSubBlocks = kTileElements / kSubBlock;
inline constexpr std::size_t kHeaderBytes = 3;

constexpr std::size_t words_of(std::size_t elements) {
  return (elements + kWordBits - 1) / kWordBits;
}
constexpr std::size_t sub_blocks_of(std::size_t elements) {
  return (elements + kSubBlock - 1) / kSubBlock;
}
// The bits of word `word` that stand for elements of a tile of `elements`.
constexpr std::uint64_t valid_bits(std::size_t word, std::size_t elements) {
  const std::size_t left = elements - word * kWordBits;
  return left >= kWordBits ? ~std::uint64_t{0} : (std::uint64_t{1} << left) - 1;
}

// Context classes: sub-blocks are alike when about as many of their coefficients are already
// significant, which both ends know. The borders grow as a model update's energy does from one
// sub-block to the next (chosen on dumps of CNN, GPT and factorisation updates).
inline constexpr std::size_t kClasses = 7;
constexpr std::size_t class_of(std::size_t significant) {
  constexpr std::array<std::size_t, kClasses - 1> kBorders = {1, 3, 8, 20, 48, 104};
  std::size_t index = 0;
  for (const std::size_t border : kBorders) {
    index += significant >= border ? 1U : 0U;
  }
  return index;
}

// How a class's string of significance bits is written; follows from its length and the number of
// its ones, so it costs nothing on the wire.
enum class Mode : std::uint8_t {
  kNone,     // all bits equal
  kRice,     // gaps between ones
  kHuffman,  // bytes by a static table
  kRaw,      // the bits
};

// The coded string: `flip` when ones are the majority, then zeros are coded as ones.
struct StringCode {
  Mode mode = Mode::kNone;
  bool flip = false;
  std::uint32_t ones = 0;       // after flipping, at most length / 2
  std::uint32_t rice_bits = 0;  // Rice parameter
  std::uint32_t table = 0;      // Huffman table
};

inline constexpr std::uint32_t kRiceBelow = 12;  // Rice when fewer than one bit in 12 is a one
inline constexpr std::size_t kHuffmanTables = 9;
// Density in 1/256 from which table i + 1 is better than table i.
inline constexpr std::array<std::uint32_t, kHuffmanTables - 1> kTableBorders = {
    28, 37, 51, 59, 67, 74, 85, 102};

// of a value above 0
constexpr std::uint32_t floor_log2(std::uint64_t value) {
  return 63U ^ static_cast<std::uint32_t>(std::countl_zero(value));
}

constexpr StringCode code_of(std::uint32_t ones, std::uint32_t length) {
  StringCode code;
  code.flip = ones > length - ones;
  code.ones = code.flip ? length - ones : ones;
  if (code.ones == 0) {
    return code;
  }
  if (code.ones * kRiceBelow < length) {
    code.mode = Mode::kRice;
    // 216 / 256: the mean gap times ln 2, raised so that rounding down picks the better power.
    const std::uint32_t scaled = length * 216U / (code.ones * 256U);
    code.rice_bits = floor_log2(scaled);
  } else if (code.ones * 16U >= length * 7U) {
    code.mode = Mode::kRaw;  // above 7/16 the entropy is over 0.988 bit
  } else {
    code.mode = Mode::kHuffman;
    for (const std::uint32_t border : kTableBorders) {
      code.table += code.ones * 256U >= border * length ? 1U : 0U;
    }
  }
  return code;
}

// Strings of at least this many bytes are written as four Huffman streams, so that a decoder has
// four independent chains of table look-ups.
inline constexpr std::size_t kFourStreamsFrom = 1024;

// The step of a code: 2^shift quanta, or that times 19, 23 or 27 sixteenths, which divide the way
// to the next power of two into four about equal parts.
inline constexpr std::array<std::uint32_t, 4> kSixteenths = {16, 19, 23, 27};
inline constexpr int kSixteenthBits = 4;
// A finer step is whole and keeps every value below kValueLimit.
constexpr bool may_be_finer(int shift) {
  return shift >= kSixteenthBits && shift < kShiftMax;
}

struct StepSize {
  int shift = 0;
  int quarter = 0;  // of the way to 2^(shift + 1); 1 to 3 only if may_be_finer(shift)

  // As multiplier() * 2^multiplier_shift() quanta.
  constexpr std::uint32_t multiplier() const {
    return quarter == 0 ? 1 : kSixteenths[static_cast<std::size_t>(quarter)];
  }
  constexpr int multiplier_shift() const { return quarter == 0 ? shift : shift - kSixteenthBits; }
  constexpr std::uint64_t quanta() const {
    return std::uint64_t{multiplier()} << static_cast<unsigned>(multiplier_shift());
  }
};

// How far a code goes: segments in the order significance(top), then for each lower plane
// significance and refinement; the last one covers the first `cut` sub-blocks only.
struct Extent {
  StepSize step = {};
  int top = 0;       // the highest plane with a significant coefficient
  int segments = 1;  // 1 to 2 * top + 1
  int cut = 1;       // 1 to sub_blocks_of(n)

  constexpr int last_plane() const { return top - segments / 2; }
  constexpr bool last_is_refinement() const { return segments > 1 && segments % 2 == 1; }
};

constexpr std::uint32_t pack(const Extent& extent) {
  return static_cast<std::uint32_t>(extent.step.shift) |
         static_cast<std::uint32_t>(extent.top) << 6U |
         static_cast<std::uint32_t>(extent.segments - 1) << 10U |
         static_cast<std::uint32_t>(extent.cut - 1) << 15U |
         static_cast<std::uint32_t>(extent.step.quarter) << 22U;
}

// Nothing when a field is out of range for a tile of `elements`.
constexpr std::optional<Extent> unpack(std::uint32_t packed, std::size_t elements) {
  const Extent extent{
      .step = {.shift = static_cast<int>(packed & 63U), .quarter = static_cast<int>(packed >> 22U)},
      .top = static_cast<int>(packed >> 6U & 15U),
      .segments = static_cast<int>(packed >> 10U & 31U) + 1,
      .cut = static_cast<int>(packed >> 15U & 127U) + 1};
  const auto [shift, quarter] = extent.step;
  if (quarter > 3 || (quarter != 0 && !may_be_finer(shift)) || shift > kShiftMax ||
      extent.segments > 2 * extent.top + 1 ||
      static_cast<std::size_t>(extent.cut) > sub_blocks_of(elements)) {
    return std::nullopt;
  }
  return extent;
}

// What is known of the magnitudes of a range of sub-blocks, and with it the value they stand for.
//
// Magnitudes below 2^(low_plane + 1) are known down to low_plane, larger ones down to high_plane
// (one more when the refinement of low_plane is missing).
struct Rule {
  StepSize step = {};
  int low_plane = 0;
  int high_plane = 0;

  // Value in the middle of what is possible, biased towards zero (7/16) as magnitudes are
  // denser there; 0 stays 0. A plane of one quantum is exact.
  constexpr std::uint64_t offset(int plane) const {
    const std::uint64_t unit = step.quanta() << static_cast<unsigned>(plane);
    return (unit >> 4U) * 7U + ((unit & 15U) * 7U >> 4U);
  }
  constexpr std::uint64_t value(std::uint32_t magnitude) const {
    const bool low = magnitude >> static_cast<unsigned>(low_plane + 1) == 0;
    const auto plane = static_cast<unsigned>(low ? low_plane : high_plane);
    const std::uint64_t known = magnitude >> plane << plane;
    return known == 0 ? 0 : known * step.quanta() + offset(static_cast<int>(plane));
  }
};

// Sub-blocks before the cut and from it on; a plane above `top` leaves nothing but zeros.
struct Rules {
  Rule before;
  Rule after;
};

constexpr Rules rules_of(const Extent& extent) {
  const int plane = extent.last_plane();
  const Rule complete{extent.step, plane, plane};
  const Rule unrefined{extent.step, plane, plane + 1};
  const Rule above{extent.step, plane + 1, plane + 1};
  if (extent.last_is_refinement()) {
    return {complete, unrefined};
  }
  return {unrefined, above};
}

}  // namespace godwit::codec::bpc

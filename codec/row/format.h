// What stands before the set of rows in a code of ROW. Part of the format (SPEC.md).
#pragma once

#include <cstddef>
#include <cstdint>

#include "codec/codec.h"
#include "codec/row/row_set.h"
#include "codec/row/rows.h"

namespace godwit::codec::row {

inline constexpr std::size_t kHeadBytes = 4;  // and the count of rows, of up to kCountBytesMax
inline constexpr std::size_t kCountBytesMax = 3;

struct Head {
  std::size_t width = 1;
  std::size_t phase = 0;
  Id inner = Id::kBpc;  // or kSparseList
  SetForm form = SetForm::kGaps;

  static constexpr std::uint32_t kFlag = 1U << 15U;

  constexpr std::uint16_t first() const {
    return static_cast<std::uint16_t>((width - 1) | (inner == Id::kSparseList ? kFlag : 0U));
  }
  constexpr std::uint16_t second() const {
    return static_cast<std::uint16_t>(phase | (form == SetForm::kBits ? kFlag : 0U));
  }
  static constexpr Head unpack(std::uint16_t first, std::uint16_t second) {
    return {.width = (first & (kFlag - 1U)) + std::size_t{1},
            .phase = second & (kFlag - 1U),
            .inner = (first & kFlag) != 0 ? Id::kSparseList : Id::kBpc,
            .form = (second & kFlag) != 0 ? SetForm::kBits : SetForm::kGaps};
  }
};
static_assert(kTileElements == Head::kFlag, "a width - 1 and a phase have 15 bits");

}  // namespace godwit::codec::row

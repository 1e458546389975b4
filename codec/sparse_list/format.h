// What encoder and decoder of SL share. Everything here is part of the format (SPEC.md).
#pragma once

#include <cstddef>
#include <cstdint>

#include "codec/codec.h"
#include "codec/step.h"

namespace godwit::codec::sparse_list {

inline constexpr unsigned kLevelBitsMax = 3;

// No code is longer: all elements named, with all levels.
constexpr std::size_t coded_bytes_max(std::size_t elements) {
  return 3 + 2 * Step::kBytes + (elements * (3 + kLevelBitsMax) + 7) / 8;
}

// The sizes that an element can have.
struct Sizes {
  unsigned level_bits = 0;
  Step base;
  Step step;  // unused without levels

  constexpr std::uint64_t levels() const { return std::uint64_t{1} << level_bits; }
  constexpr std::uint64_t of(std::uint64_t level) const {
    return base.quanta() + level * step.quanta();
  }
  // Whether the largest is below kValueLimit; the sum itself could overflow.
  constexpr bool in_range() const {
    const std::uint64_t room = std::uint64_t{kValueLimit} - 1;
    return base.quanta() <= room &&
           (level_bits == 0 || step.quanta() <= (room - base.quanta()) / (levels() - 1));
  }
};

}  // namespace godwit::codec::sparse_list

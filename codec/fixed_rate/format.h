// What encoder and decoder of Q8 and Q4 share. Everything here is part of the formats (SPEC.md).
#pragma once

#include <cstddef>
#include <cstdint>

#include "codec/step.h"

namespace godwit::codec::fixed_rate {

inline constexpr std::size_t kGroup = 256;  // elements that share a step

constexpr std::size_t groups_of(std::size_t elements) {
  return (elements + kGroup - 1) / kGroup;
}

// The largest |q| of a code with `bits` bits an element.
constexpr std::uint32_t quotient_max(unsigned bits) {
  return (1U << (bits - 1)) - 1;
}

constexpr std::size_t coded_bytes(unsigned bits, std::size_t elements) {
  return Step::kBytes * groups_of(elements) + (elements * bits + 7) / 8;
}

// The least step of which `most` make at least `largest`.
constexpr Step step_for(std::uint64_t largest, std::uint32_t most) {
  return Step::at_least((largest + most - 1) / most);
}

}  // namespace godwit::codec::fixed_rate

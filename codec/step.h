// A step size in 16 bits: 10 of mantissa, 6 of exponent. Part of the formats that use it.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace godwit::codec {

// mantissa * 2^exponent quanta.
struct Step {
  static constexpr std::size_t kBytes = 2;
  static constexpr unsigned kMantissaBits = 10;
  static constexpr unsigned kExponentMax = 52;  // 2^10 * 2^52 = kValueLimit

  std::uint32_t mantissa = 0;
  std::uint32_t exponent = 0;

  constexpr std::uint64_t quanta() const { return std::uint64_t{mantissa} << exponent; }
  constexpr std::uint16_t packed() const {
    return static_cast<std::uint16_t>(mantissa | exponent << kMantissaBits);
  }
  static constexpr Step unpack(std::uint16_t word) {
    return {word & ((1U << kMantissaBits) - 1), static_cast<std::uint32_t>(word >> kMantissaBits)};
  }

  // The largest step of at most so many quanta; the least of at least so many.
  static constexpr Step at_most(std::uint64_t quanta) {
    const auto width = static_cast<unsigned>(std::bit_width(quanta));
    const unsigned exponent = width > kMantissaBits ? width - kMantissaBits : 0;
    return {static_cast<std::uint32_t>(quanta >> exponent), exponent};
  }
  static constexpr Step at_least(std::uint64_t quanta) {
    const Step below = at_most(quanta);
    return below.quanta() == quanta
               ? below
               : at_most(below.quanta() + (std::uint64_t{1} << below.exponent));
  }
};

}  // namespace godwit::codec

// RAW: the integers of a tile, packed to the width of the largest (SPEC.md).
//
// Exact, and the length that no other code may exceed.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "codec/tile_codec.h"

namespace godwit::codec::raw {

// Bits of an integer of magnitude up to `max_abs`, with its sign; 0 bits for a tile of zeros.
constexpr unsigned width_of(std::uint64_t max_abs) {
  return max_abs == 0 ? 0U : static_cast<unsigned>(std::bit_width(max_abs)) + 1U;
}

constexpr std::size_t bytes_of(unsigned width, std::size_t elements) {
  return 1 + (elements * width + 7) / 8;
}

class Encoder final : public TileEncoder {
 public:
  Encoder();

  void load(std::span<const std::int64_t> open) override;
  // For a caller that knows the largest magnitude.
  void load(std::span<const std::int64_t> open, std::uint64_t max_abs, double energy);

  // All or nothing.
  Encoded encode(Budget budget, std::span<std::byte> out, std::span<std::int64_t> removed) override;
  // At the greatest width that fits: integers beyond it are cut to its largest, the rest of them
  // stays open. Nothing, when two bits an element do not fit. The floor is not looked at.
  Encoded encode_cut(Budget budget, std::span<std::byte> out, std::span<std::int64_t> removed);

 private:
  void write(unsigned width, std::span<const std::int64_t> values, std::span<std::byte> out);

  std::span<const std::int64_t> open_;
  std::uint64_t max_abs_ = 0;
  double energy_ = 0;
  std::vector<std::uint8_t> scratch_;
};

class Decoder final : public TileDecoder {
 public:
  Result<void> decode(std::span<const std::byte> coded, std::span<std::int64_t> out) override;
};

}  // namespace godwit::codec::raw

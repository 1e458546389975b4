// Q8 and Q4: 8 or 4 bits an element and a step for each group of 256 (SPEC.md).
//
// For links that are faster than BPC: a quarter of its work, for more bytes. All or nothing; what
// is left of an element is at most half a step.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "codec/fixed_rate/format.h"
#include "codec/tile_codec.h"

namespace godwit::codec::fixed_rate {

template <unsigned kBits>
class Encoder final : public TileEncoder {
 public:
  void load(std::span<const std::int64_t> open) override;
  Encoded encode(Budget budget, std::span<std::byte> out, std::span<std::int64_t> removed) override;

 private:
  std::span<const std::int64_t> open_;
};

template <unsigned kBits>
class Decoder final : public TileDecoder {
 public:
  Result<void> decode(std::span<const std::byte> coded, std::span<std::int64_t> out) override;
};

extern template class Encoder<8>;
extern template class Encoder<4>;
extern template class Decoder<8>;
extern template class Decoder<4>;

}  // namespace godwit::codec::fixed_rate

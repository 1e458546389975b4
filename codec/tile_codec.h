// The two faces every codec has: one tile in, bytes out; bytes in, one tile out.
//
// Thread: one owner. Memory: allocated by the constructor, nothing afterwards.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "codec/codec.h"
#include "dataplane/base/result.h"

namespace godwit::codec {

class TileEncoder {
 public:
  virtual ~TileEncoder() = default;

  // As Encoder::load.
  virtual void load(std::span<const std::int64_t> open) = 0;

  // As Encoder::encode, but this codec alone: `bytes` is 0 and `removed` all zero when it has
  // nothing to say within the budget.
  virtual Encoded encode(Budget budget,
                         std::span<std::byte> out,
                         std::span<std::int64_t> removed) = 0;
};

class TileDecoder {
 public:
  virtual ~TileDecoder() = default;

  // As Decoder::decode.
  virtual Result<void> decode(std::span<const std::byte> coded, std::span<std::int64_t> out) = 0;
};

}  // namespace godwit::codec

// BPC, the reading side (SPEC.md): bounded by the declared shape, whatever the bytes say.
//
// Thread: one owner. Memory: about 450 KiB, allocated by the constructor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "codec/tile_codec.h"

namespace godwit::codec::bpc {

class Decoder final : public TileDecoder {
 public:
  Decoder();
  ~Decoder() override;

  Result<void> decode(std::span<const std::byte> coded, std::span<std::int64_t> out) override;

 private:
  struct Buffers;
  std::unique_ptr<Buffers> buffers_;
};

}  // namespace godwit::codec::bpc

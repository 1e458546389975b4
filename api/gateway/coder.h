// The codec as the ledger and the lanes see it: tiles to bytes and back, with fixed scratch.
//
// Thread: the worker. Memory: about 3 MiB, allocated once.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "codec/codec.h"
#include "dataplane/ledger/types.h"

namespace godwit::gateway {

static_assert(codec::kTileElements == ledger::kTileElements, "one tile for codec and ledger");

class Coder : public ledger::TileDecoder {
 public:
  Coder() : scratch_(std::make_unique<Scratch>()) {}

  Result<void> decode(std::uint8_t codec,
                      std::span<const std::byte> coded,
                      std::span<std::int64_t> out) override {
    return decoder_.decode(static_cast<codec::Id>(codec), coded, out);
  }

  // Encodes `values` into `out`; removed() then holds the integers that a receiver will add.
  codec::Encoded encode(std::span<const std::int64_t> values,
                        codec::Budget budget,
                        std::span<std::byte> out) {
    encoder_.load(values);
    return encoder_.encode(budget, out, removed());
  }

  std::span<std::int64_t> open() { return scratch_->open; }
  std::span<std::int64_t> removed() { return scratch_->removed; }
  // Current values in quanta, and what of open() is significant against them.
  std::span<std::int64_t> value() { return scratch_->value; }
  std::span<std::int64_t> significant() { return scratch_->significant; }
  std::span<float> seed() { return scratch_->seed; }

 private:
  struct Scratch {
    alignas(64) std::array<std::int64_t, codec::kTileElements> open;
    alignas(64) std::array<std::int64_t, codec::kTileElements> removed;
    alignas(64) std::array<std::int64_t, codec::kTileElements> value;
    alignas(64) std::array<std::int64_t, codec::kTileElements> significant;
    alignas(64) std::array<float, codec::kTileElements> seed;
  };

  std::unique_ptr<Scratch> scratch_;
  codec::Encoder encoder_;
  codec::Decoder decoder_;
};

}  // namespace godwit::gateway

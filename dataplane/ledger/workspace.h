// What the ledgers of one thread work with and none of them owns: how tiles are decoded, and room
// for tiles that a call needs until it returns. A worker has hundreds of ledgers and one of these.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "dataplane/ledger/block_change.h"
#include "dataplane/ledger/field_checksum.h"
#include "dataplane/ledger/types.h"

namespace godwit::ledger {

class Workspace {
 public:
  // Decoded tiles kept between the check and the application of a transfer; further ones are
  // decoded twice. 8 tiles are 2 MiB, about a core's second-level cache. Chosen.
  static constexpr std::uint32_t kDecodedTiles = 8;

  // `decoder` outlives it.
  explicit Workspace(TileDecoder& decoder) : decoder_(decoder) {}

  TileDecoder& decoder() { return decoder_; }

  using Tile = std::span<std::int64_t, kTileElements>;
  // A decoded tile, and what was found of its blocks.
  struct Block {
    LineBits lines{};
    FieldChecksum::Measured measured;
  };
  Tile decoded(std::uint32_t place) { return tile(place); }
  std::span<Block, kTileBlocks> blocks(std::uint32_t place) {
    return std::span(blocks_).subspan(std::size_t{place} * kTileBlocks).first<kTileBlocks>();
  }
  // One more, to look at what a tile has open.
  Tile open() { return tile(kDecodedTiles); }

 private:
  static constexpr std::size_t kElements = (std::size_t{kDecodedTiles} + 1) * kTileElements;

  Tile tile(std::uint32_t place) {
    return std::span(tiles_.get(), kElements)
        .subspan(std::size_t{place} * kTileElements)
        .first<kTileElements>();
  }

  TileDecoder& decoder_;
  // Filled before it is read, so the memory is taken when it is used.
  std::unique_ptr<std::int64_t[]> tiles_ =
      std::make_unique_for_overwrite<std::int64_t[]>(kElements);
  std::array<Block, std::size_t{kDecodedTiles} * kTileBlocks> blocks_{};
};

}  // namespace godwit::ledger

// The static Huffman tables of BPC: bytes of eight independent bits of a given density.
//
// Thread: immutable after the first use. Memory: 41 KiB, shared by the process.
#pragma once

#include <array>
#include <cstdint>

#include "codec/bpc/format.h"

namespace godwit::codec::bpc {

inline constexpr int kCodeBitsMax = 11;

struct HuffmanTable {
  struct Code {
    std::uint16_t bits = 0;  // first bit on the wire in bit 0
    std::uint16_t length = 0;
  };
  std::array<Code, 256> codes;
  // Indexed by the next 11 bits: symbol in bits 0-7, length in bits 8-11.
  std::array<std::uint16_t, std::size_t{1} << kCodeBitsMax> symbols;
};

// Built once, by integer arithmetic only.
const std::array<HuffmanTable, kHuffmanTables>& huffman_tables();

}  // namespace godwit::codec::bpc

#include "codec/bpc/huffman.h"

#include <bit>

namespace godwit::codec::bpc {
namespace {

// Of the bytes with a given number of ones, the first `shorter` (in numerical order) have codes
// of `length` bits and the others one bit more.
struct Lengths {
  std::uint8_t length;
  std::uint8_t shorter;
};

// Optimal lengths of at most 11 bits (package-merge) for bytes whose bits are ones with
// probability 23, 33, 43, 53, 61, 71, 82, 94 and 109 / 256; row i is for table i, column j for
// bytes with j ones.
constexpr std::array<std::array<Lengths, 9>, kHuffmanTables> kLengths = {{
    {{{1, 1}, {4, 1}, {8, 28}, {10, 5}, {11, 70}, {11, 56}, {11, 28}, {11, 8}, {11, 1}}},
    {{{2, 1}, {4, 5}, {7, 26}, {10, 53}, {11, 70}, {11, 56}, {11, 28}, {11, 8}, {11, 1}}},
    {{{2, 1}, {4, 3}, {7, 28}, {9, 54}, {10, 1}, {11, 56}, {11, 28}, {11, 8}, {11, 1}}},
    {{{3, 1}, {5, 8}, {6, 10}, {8, 54}, {10, 69}, {11, 56}, {11, 28}, {11, 8}, {11, 1}}},
    {{{3, 1}, {5, 8}, {6, 9}, {8, 56}, {9, 3}, {10, 1}, {11, 28}, {11, 8}, {11, 1}}},
    {{{4, 1}, {5, 8}, {6, 8}, {8, 56}, {9, 70}, {10, 11}, {11, 28}, {11, 8}, {11, 1}}},
    {{{4, 1}, {5, 8}, {6, 5}, {8, 56}, {9, 70}, {9, 1}, {10, 1}, {11, 8}, {11, 1}}},
    {{{5, 1}, {6, 8}, {7, 28}, {8, 56}, {8, 66}, {9, 56}, {10, 27}, {11, 8}, {11, 1}}},
    {{{6, 1}, {7, 8}, {7, 28}, {8, 56}, {8, 70}, {8, 16}, {9, 28}, {9, 7}, {10, 1}}},
}};

constexpr std::uint16_t reversed(std::uint32_t code, int length) {
  std::uint32_t result = 0;
  for (int bit = 0; bit < length; ++bit) {
    result |= (code >> bit & 1U) << (length - 1 - bit);
  }
  return static_cast<std::uint16_t>(result);
}

// Canonical codes: shorter ones first, bytes in numerical order within a length.
HuffmanTable table_of(const std::array<Lengths, 9>& lengths) {
  std::array<int, 256> bits{};
  std::array<int, 9> seen{};
  for (unsigned byte = 0; byte < 256; ++byte) {
    const auto ones = static_cast<std::size_t>(std::popcount(byte));
    bits[byte] = lengths[ones].length + (seen[ones]++ < lengths[ones].shorter ? 0 : 1);
  }
  HuffmanTable table{};
  std::uint32_t next = 0;
  for (int length = 1; length <= kCodeBitsMax; ++length, next <<= 1U) {
    for (unsigned byte = 0; byte < 256; ++byte) {
      if (bits[byte] != length) {
        continue;
      }
      const std::uint16_t code = reversed(next++, length);
      table.codes[byte] = {code, static_cast<std::uint16_t>(length)};
      const std::size_t step = std::size_t{1} << length;
      for (std::size_t index = code; index < table.symbols.size(); index += step) {
        table.symbols[index] =
            static_cast<std::uint16_t>(byte | static_cast<unsigned>(length) << 8U);
      }
    }
  }
  return table;
}

}  // namespace

const std::array<HuffmanTable, kHuffmanTables>& huffman_tables() {
  static const auto kTables = [] {
    std::array<HuffmanTable, kHuffmanTables> tables{};
    for (std::size_t index = 0; index < tables.size(); ++index) {
      tables[index] = table_of(kLengths[index]);
    }
    return tables;
  }();
  return kTables;
}

}  // namespace godwit::codec::bpc

// Codes of four neighbouring bytes joined to one string, many at a time; vectorised, chosen at run
// time.
//
// A kernel is a pure loop: it checks nothing, allocates nothing and cannot fail.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace godwit::codec::xh {

// A code of at most 11 bits for each byte, its bits in the order in which they are sent, lowest
// first; a byte that does not occur has length 0.
struct CodeTables {
  alignas(16) std::array<std::uint8_t, 256> low{};     // the first eight bits
  alignas(16) std::array<std::uint8_t, 256> high{};    // the others
  alignas(16) std::array<std::uint8_t, 256> length{};  // of all
  std::array<std::uint8_t, 16> rows{};  // those of 16 bytes among which some have codes
  std::size_t row_count = 0;

  std::uint64_t code_of(std::uint8_t byte) const {
    return low[byte] | std::uint64_t{high[byte]} << 8U;
  }
};

// Bytes that are joined at a time, a multiple of every vector's.
inline constexpr std::size_t kJoinedBytes = 512;
inline constexpr std::size_t kJoinedStrings = kJoinedBytes / 4;

// The codes of `kJoinedBytes` bytes: string i, of lengths[i] bits, holds those of bytes 4 i to
// 4 i + 3.
void join_codes(const CodeTables& tables,
                const std::uint8_t* bytes,
                std::uint64_t* strings,
                std::uint32_t* lengths);

}  // namespace godwit::codec::xh

// The bitmaps of a tile that both sides of BPC keep while planes go by.
//
// Thread: one owner. Memory: 20 KiB and 29 KiB, parts of an encoder's or decoder's own.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "codec/bpc/format.h"

namespace godwit::codec::bpc {

// Bit i of word w stands for coefficient 64 w + i.
struct Maps {
  std::array<std::uint64_t, kWords> pending;      // exists, not yet significant
  std::array<std::uint64_t, kWords> significant;  // significant above the current plane
  std::array<std::uint64_t, kWords> fresh;        // becomes significant in the current plane
  std::array<std::uint64_t, kWords> bits;         // encoder: the plane; decoder: refinement bits
  std::array<std::uint64_t, kWords> signs;        // 1: negative
  std::array<std::uint16_t, kSubBlocks> significant_count;
  std::array<std::uint16_t, kSubBlocks> fresh_count;
  const char* fault;  // decoder: why a plane was refused

  // Before the first plane of a tile of `elements`.
  void reset(std::size_t elements) {
    significant.fill(0);
    significant_count.fill(0);
    fresh_count.fill(0);
    for (std::size_t word = 0; word < kWords; ++word) {
      pending[word] = word < words_of(elements) ? valid_bits(word, elements) : 0;
    }
  }

  // The plane is done: what was fresh in the first `sub_blocks` is significant.
  void settle(std::size_t sub_blocks) {
    for (std::size_t sub = 0; sub < sub_blocks; ++sub) {
      const std::uint16_t count = fresh_count[sub];
      if (count == 0) {
        continue;
      }
      significant_count[sub] = static_cast<std::uint16_t>(significant_count[sub] + count);
      for (std::size_t word = sub * kSubWords; word < (sub + 1) * kSubWords; ++word) {
        significant[word] |= fresh[word];
        pending[word] &= ~fresh[word];
      }
    }
  }
};

// The significance bits of each class, as strings, with two words of slack.
struct Strings {
  alignas(64) std::array<std::array<std::uint64_t, kWords + 2>, kClasses> words;
  std::array<std::uint32_t, kClasses> length;
  std::array<std::uint32_t, kClasses> ones;
};

}  // namespace godwit::codec::bpc

// Words of bits: gather and scatter under a mask, and bit strings in memory.
//
// `gather_bits` and `scatter_bits` are PEXT and PDEP where the code is compiled for them (inside a
// Highway target of AVX2 or better) and loops elsewhere; the result is the same.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace godwit::codec {

inline std::uint64_t load_word(const std::uint8_t* at) {
  std::uint64_t word = 0;
  std::memcpy(&word, at, sizeof(word));
  return word;
}

inline void store_word(std::uint8_t* at, std::uint64_t word) {
  std::memcpy(at, &word, sizeof(word));
}

// The bits of `word` under `mask`, moved together at the low end.
constexpr std::uint64_t gather_bits_portable(std::uint64_t word, std::uint64_t mask) {
  if (mask == ~std::uint64_t{0}) {
    return word;
  }
  std::uint64_t result = 0;
  for (unsigned at = 0; mask != 0; ++at, mask &= mask - 1) {
    result |= (word >> static_cast<unsigned>(std::countr_zero(mask)) & 1U) << at;
  }
  return result;
}

// The low bits of `word`, moved apart to the positions of `mask`.
constexpr std::uint64_t scatter_bits_portable(std::uint64_t word, std::uint64_t mask) {
  if (mask == ~std::uint64_t{0}) {
    return word;
  }
  std::uint64_t result = 0;
  for (; mask != 0; word >>= 1U, mask &= mask - 1) {
    result |= (mask & (~mask + 1)) & (~(word & 1U) + 1);
  }
  return result;
}

// True on processors whose PEXT and PDEP are microcode: AMD's family 17h needs 18 to 289 cycles for
// one (Fog, "Instruction tables"), more than the loops above.
inline bool bit_gathering_is_slow() {
#if defined(__x86_64__)
  static const bool kSlow = __builtin_cpu_is("znver1") != 0 || __builtin_cpu_is("znver2") != 0;
  return kSlow;
#else
  return false;
#endif
}

// Exchanges ones and zeros of a string, leaving zeros behind its end.
inline void flip_bits(std::uint64_t* words, std::uint32_t length) {
  const std::size_t whole = length / 64;
  for (std::size_t word = 0; word < whole; ++word) {
    words[word] = ~words[word];
  }
  if (length % 64 != 0) {
    words[whole] ^= (std::uint64_t{1} << (length % 64)) - 1;
  }
}

// Appends strings of up to 64 bits, first bit lowest. Writes whole words: 8 bytes beyond the end
// of what was put must belong to the buffer.
class WordWriter {
 public:
  explicit WordWriter(std::uint8_t* at) : at_(at) {}

  // `count` in [0, 64]; the bits of `word` above it are 0.
  void put(std::uint64_t word, unsigned count) {
    word_ |= word << used_;
    store_word(at_, word_);
    const std::uint64_t carry = word >> 1U >> (63U - used_);
    used_ += count;
    const bool full = used_ >= 64;
    word_ = full ? carry : word_;
    at_ += full ? sizeof(word_) : 0;
    used_ &= 63U;
  }

  // Where the next whole word goes; what is not whole yet stands there, too.
  std::uint8_t* at() const { return at_; }

  // Pads with zeros to a byte; the first byte behind the string.
  std::uint8_t* finish() {
    store_word(at_, word_);
    return at_ + (used_ + 7) / 8;
  }

 private:
  std::uint8_t* at_;
  std::uint64_t word_ = 0;
  unsigned used_ = 0;
};

// Reads strings of bits. It does not check: 16 bytes beyond what is asked for must be readable,
// and the owner compares `position()` with the end before it believes anything.
class BitCursor {
 public:
  explicit BitCursor(const std::uint8_t* base, std::size_t position = 0)
      : base_(base), position_(position) {}

  // At least the next 57 bits.
  std::uint64_t peek() const { return load_word(base_ + position_ / 8) >> (position_ % 8); }

  // The next 64 bits.
  std::uint64_t peek_word() const {
    const std::uint8_t* const at = base_ + position_ / 8;
    const unsigned skip = position_ % 8;
    return load_word(at) >> skip | std::uint64_t{at[8]} << 1U << (63U - skip);
  }

  void skip(std::size_t bits) { position_ += bits; }
  std::size_t position() const { return position_; }
  const std::uint8_t* byte() const { return base_ + position_ / 8; }

 private:
  const std::uint8_t* base_;
  std::size_t position_;
};

}  // namespace godwit::codec

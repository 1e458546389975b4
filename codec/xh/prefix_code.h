// Prefix codes of at most 11 bits for bytes, made for the bytes at hand (SPEC.md).
//
// Thread: pure functions and values. Memory: none but the arguments'.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "codec/simd/bits.h"
#include "codec/xh/code_joining.h"
#include "codec/xh/planes.h"
#include "dataplane/base/result.h"

namespace godwit::codec::xh {

inline constexpr std::size_t kSymbols = 256;
inline constexpr unsigned kLengthMax = 11;
inline constexpr std::size_t kStreams = 4;

using Counts = std::array<std::uint32_t, kSymbols>;
using Lengths = std::array<std::uint8_t, kSymbols>;  // of each symbol's code; 0: it does not occur

Counts count_bytes(std::span<const std::uint8_t> bytes);
// The same from one byte in eight when there are many, which costs next to nothing in length; none
// in `range` is 0, so that whatever occurs has a code.
Counts estimated_counts(std::span<const std::uint8_t> bytes, ByteRange range);

// The lengths that cost least in total (Larmore and Hirschberg, "A fast algorithm for optimal
// length-limited Huffman codes", 1990). At least two counts are above 0.
Lengths best_lengths(const Counts& counts);

// Elements of stream `index` of `count` in all.
constexpr std::size_t stream_begin(std::size_t index, std::size_t count) {
  const std::size_t quarter = (count + kStreams - 1) / kStreams;
  return index * quarter < count ? index * quarter : count;
}

class PrefixWriter {
 public:
  explicit PrefixWriter(const Lengths& lengths);

  std::size_t description_bytes() const;

  // Both return the first byte behind what they wrote. `write` stays before `limit`; null: the
  // codes may not fit there.
  std::uint8_t* describe(std::uint8_t* out) const;
  std::uint8_t* write(std::span<const std::uint8_t> bytes,
                      std::uint8_t* out,
                      const std::uint8_t* limit) const;

 private:
  std::uint8_t* write_stream(std::span<const std::uint8_t> bytes,
                             std::uint8_t* out,
                             const std::uint8_t* limit) const;

  std::size_t first_ = 0;  // symbol with a code
  std::size_t last_ = 0;
  CodeTables codes_{};
};

class PrefixReader {
 public:
  // Reads a description; the bytes it took, or kCorrupt.
  Result<std::size_t> learn(std::span<const std::uint8_t> description);

  // Decodes out.size() bytes from the front of `coded`; the bytes they took, or kCorrupt. 16 bytes
  // behind `coded` must be readable.
  Result<std::size_t> read(std::span<const std::uint8_t> coded, std::span<std::uint8_t> out) const;

 private:
  // What the next 11 bits begin with: one symbol, or two when both are complete.
  struct Entry {
    std::uint8_t first = 0;
    std::uint8_t second = 0;
    std::uint8_t bits = 0;   // of all
    std::uint8_t count = 0;  // 1 or 2
  };
  struct Stream {
    BitCursor cursor;
    std::size_t end;  // position
    std::uint8_t* out;
    std::uint8_t* out_end;
  };

  void decode_some(Stream& stream) const;
  bool finish(Stream& stream) const;

  Lengths lengths_{};
  std::array<Entry, std::size_t{1} << kLengthMax> table_;
};

}  // namespace godwit::codec::xh

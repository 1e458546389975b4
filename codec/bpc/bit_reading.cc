#include "codec/bpc/bit_reading.h"

#include <array>
#include <bit>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "codec/bpc/bit_reading.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "codec/bpc/huffman.h"
#include "codec/simd/bits.h"

HWY_BEFORE_NAMESPACE();
namespace godwit::codec::bpc::HWY_NAMESPACE {
namespace {

constexpr const char* kPaddingIsSet = "bits behind its end are set";

HWY_INLINE std::uint64_t scatter_bits(std::uint64_t word, std::uint64_t mask) {
#if HWY_TARGET <= HWY_AVX2 && defined(__x86_64__)
  return _pdep_u64(word, mask);
#else
  return scatter_bits_portable(word, mask);
#endif
}

HWY_INLINE unsigned count_ones(std::uint64_t word) {
  return static_cast<unsigned>(std::popcount(word));
}

// A count of up to `most`, in at most three bytes of seven bits; false if it is neither.
HWY_INLINE bool read_count(const std::uint8_t*& at,
                           const std::uint8_t* end,
                           std::uint32_t most,
                           std::uint32_t& count) {
  count = 0;
  for (unsigned shift = 0; shift < 21 && at < end; shift += 7) {
    const std::uint32_t byte = *at++;
    count |= (byte & 127U) << shift;
    if (byte < 128) {
      return count <= most && (byte != 0 || shift == 0);
    }
  }
  return false;
}

// Sets the ones of a string of zeros; false if they leave it or the code ends first.
HWY_INLINE bool get_rice(BitCursor& cursor,
                         std::size_t end,
                         std::uint32_t ones,
                         unsigned rice_bits,
                         std::uint64_t* words,
                         std::uint32_t length) {
  const std::uint64_t low_mask = (std::uint64_t{1} << rice_bits) - 1;
  std::uint32_t position = 0;
  for (std::uint32_t i = 0; i < ones; ++i) {
    std::uint64_t next = cursor.peek();
    auto zeros = static_cast<unsigned>(std::countr_zero(next));
    if (zeros + 1 + rice_bits <= 57) [[likely]] {
      position += zeros << rice_bits | static_cast<std::uint32_t>(next >> zeros >> 1U & low_mask);
      cursor.skip(zeros + 1 + rice_bits);
    } else {
      // A gap that is long for its parameter: count zeros 32 at a time, then take the rest.
      for (next &= 0xffffffffU; next == 0; next = cursor.peek() & 0xffffffffU) {
        position += 32U << rice_bits;
        cursor.skip(32);
        if (position >= length || cursor.position() > end) {
          return false;
        }
      }
      zeros = static_cast<unsigned>(std::countr_zero(next));
      cursor.skip(zeros + 1);
      position += zeros << rice_bits | static_cast<std::uint32_t>(cursor.peek() & low_mask);
      cursor.skip(rice_bits);
    }
    if (position >= length) {
      return false;
    }
    words[position / kWordBits] |= std::uint64_t{1} << (position % kWordBits);
    ++position;
  }
  return cursor.position() <= end;
}

// Decodes up to four streams of equal length side by side; `cursors` are moved to their ends.
template <std::size_t kStreams>
HWY_INLINE void get_huffman(std::array<BitCursor, kStreams>& cursors,
                            const std::array<std::uint8_t*, kStreams>& out,
                            std::size_t count,
                            const HuffmanTable& table) {
  constexpr std::uint64_t kMask = (std::uint64_t{1} << kCodeBitsMax) - 1;
  std::size_t i = 0;
  for (; i + 5 <= count; i += 5) {
    for (std::size_t stream = 0; stream < kStreams; ++stream) {
      std::uint64_t next = cursors[stream].peek();  // five codes are at most 55 bits
      std::size_t length = 0;
      for (std::size_t j = 0; j < 5; ++j) {
        const std::uint32_t entry = table.symbols[next & kMask];
        out[stream][i + j] = static_cast<std::uint8_t>(entry);
        next >>= entry >> 8U;
        length += entry >> 8U;
      }
      cursors[stream].skip(length);
    }
  }
  for (; i < count; ++i) {
    for (std::size_t stream = 0; stream < kStreams; ++stream) {
      const std::uint32_t entry = table.symbols[cursors[stream].peek() & kMask];
      out[stream][i] = static_cast<std::uint8_t>(entry);
      cursors[stream].skip(entry >> 8U);
    }
  }
}

// True when the bits from the cursor to the next byte are zero; moves it there.
HWY_INLINE bool align_to_byte(BitCursor& cursor) {
  const std::size_t padding = (8 - cursor.position() % 8) % 8;
  const bool zero = (cursor.peek() & ((std::uint64_t{1} << padding) - 1)) == 0;
  cursor.skip(padding);
  return zero;
}

// One class's bytes from `at`; null if the code is not well formed.
HWY_INLINE const std::uint8_t* read_huffman_class(const HuffmanTable& table,
                                                  std::uint64_t* words,
                                                  std::uint32_t length,
                                                  const std::uint8_t* at,
                                                  const std::uint8_t* end) {
  auto* const bytes = reinterpret_cast<std::uint8_t*>(words);
  const std::size_t count = (length + 7) / 8;
  if (count < kFourStreamsFrom) {
    std::array<BitCursor, 1> cursor = {BitCursor(at)};
    get_huffman<1>(cursor, {bytes}, count, table);
    if (!align_to_byte(cursor[0])) {
      return nullptr;
    }
    at += cursor[0].position() / 8;
    return at <= end ? at : nullptr;
  }
  if (end - at < 6) {
    return nullptr;
  }
  const std::size_t quarter = (count + 3) / 4;
  std::array<const std::uint8_t*, 4> starts = {at + 6, nullptr, nullptr, nullptr};
  for (std::size_t stream = 0; stream < 3; ++stream) {
    std::uint16_t size = 0;
    std::memcpy(&size, at + 2 * stream, sizeof(size));
    if (end - starts[stream] < size) {
      return nullptr;
    }
    starts[stream + 1] = starts[stream] + size;
  }
  std::array<BitCursor, 4> cursors = {
      BitCursor(starts[0]), BitCursor(starts[1]), BitCursor(starts[2]), BitCursor(starts[3])};
  const std::size_t last = count - 3 * quarter;
  get_huffman<4>(
      cursors, {bytes, bytes + quarter, bytes + 2 * quarter, bytes + 3 * quarter}, last, table);
  for (std::size_t stream = 0; stream < 4; ++stream) {
    std::array<BitCursor, 1> cursor = {cursors[stream]};
    if (stream < 3) {
      get_huffman<1>(cursor, {bytes + stream * quarter + last}, quarter - last, table);
    }
    if (!align_to_byte(cursor[0])) {
      return nullptr;
    }
    const std::uint8_t* const stop = starts[stream] + cursor[0].position() / 8;
    if (stream < 3 ? stop != starts[stream + 1] : stop > end) {
      return nullptr;
    }
    at = stop;
  }
  return at;
}

// The ones of a string, or more than fit if bits behind its end are set.
HWY_INLINE std::uint32_t ones_of(const std::uint64_t* words, std::uint32_t length) {
  std::uint32_t ones = 0;
  const std::size_t count = words_of(length);
  for (std::size_t word = 0; word < count; ++word) {
    ones += count_ones(words[word]);
  }
  const std::size_t rest = length % kWordBits;
  return rest != 0 && words[count - 1] >> rest != 0 ? length + 1 : ones;
}

// Reads the strings of all classes into `strings`; leaves `cursor` at the signs. Why not, or null.
HWY_INLINE const char* read_strings(Strings& strings,
                                    const std::uint8_t* at,
                                    const std::uint8_t* end,
                                    BitCursor& cursor,
                                    std::uint32_t& total) {
  std::array<StringCode, kClasses> codes{};
  for (std::size_t index = 0; index < kClasses; ++index) {
    const std::uint32_t length = strings.length[index];
    strings.ones[index] = 0;
    if (length == 0) {
      continue;
    }
    if (!read_count(at, end, length, strings.ones[index])) {
      return "a count is cut, above its string's length or not in shortest form";
    }
    codes[index] = code_of(strings.ones[index], length);
    total += strings.ones[index];
    // Huffman and raw modes write the last word in part; the reader looks one word further.
    std::memset(strings.words[index].data(), 0, (words_of(length) + 1) * sizeof(std::uint64_t));
  }
  for (std::size_t index = 0; index < kClasses; ++index) {
    if (codes[index].mode != Mode::kHuffman) {
      continue;
    }
    std::uint64_t* const words = strings.words[index].data();
    at = read_huffman_class(
        huffman_tables()[codes[index].table], words, strings.length[index], at, end);
    if (at == nullptr) {
      return "a Huffman stream does not end where it says, or its padding is set";
    }
    if (ones_of(words, strings.length[index]) != codes[index].ones) {
      return "a Huffman string has other ones than its count";
    }
  }
  cursor = BitCursor(at);
  const std::size_t bits = static_cast<std::size_t>(end - at) * 8;
  for (std::size_t index = 0; index < kClasses; ++index) {
    std::uint64_t* const words = strings.words[index].data();
    const std::uint32_t length = strings.length[index];
    if (codes[index].mode == Mode::kRice) {
      if (!get_rice(cursor, bits, codes[index].ones, codes[index].rice_bits, words, length)) {
        return "a Rice code leaves its string or the code";
      }
    } else if (codes[index].mode == Mode::kRaw) {
      if (length > bits - cursor.position()) {
        return "the code ends within a raw string";
      }
      for (std::uint32_t base = 0; base < length; base += kWordBits) {
        const std::uint32_t left = length - base;
        const std::uint64_t mask =
            left < kWordBits ? (std::uint64_t{1} << left) - 1 : ~std::uint64_t{0};
        words[base / kWordBits] = cursor.peek_word() & mask;
        cursor.skip(left < kWordBits ? left : kWordBits);
      }
      if (ones_of(words, length) != codes[index].ones) {
        return "a raw string has other ones than its count";
      }
    }
    if (codes[index].flip) {
      flip_bits(words, length);
    }
  }
  return total <= bits - cursor.position() ? nullptr : "the code ends within the signs";
}

const std::uint8_t* read_significance(Maps& maps,
                                      std::size_t cut,
                                      Strings& strings,
                                      const std::uint8_t* at,
                                      const std::uint8_t* end) {
  strings.length.fill(0);
  for (std::size_t sub = 0; sub < cut; ++sub) {
    std::uint32_t length = 0;
    for (std::size_t word = sub * kSubWords; word < (sub + 1) * kSubWords; ++word) {
      length += count_ones(maps.pending[word]);
    }
    strings.length[class_of(maps.significant_count[sub])] += length;
  }
  BitCursor cursor(at);
  std::uint32_t total = 0;
  maps.fault = read_strings(strings, at, end, cursor, total);
  if (maps.fault != nullptr) {
    return nullptr;
  }
  std::array<std::size_t, kClasses> read{};
  for (std::size_t sub = 0; sub < cut; ++sub) {
    const std::size_t index = class_of(maps.significant_count[sub]);
    BitCursor string(reinterpret_cast<const std::uint8_t*>(strings.words[index].data()),
                     read[index]);
    unsigned fresh_count = 0;
    for (std::size_t word = sub * kSubWords; word < (sub + 1) * kSubWords; ++word) {
      const std::uint64_t pending = maps.pending[word];
      const std::uint64_t fresh = scatter_bits(string.peek_word(), pending);
      string.skip(count_ones(pending));
      maps.fresh[word] = fresh;
      if (fresh != 0) {
        const unsigned count = count_ones(fresh);
        maps.signs[word] |= scatter_bits(cursor.peek_word(), fresh);
        cursor.skip(count);
        fresh_count += count;
      }
    }
    read[index] = string.position();
    maps.fresh_count[sub] = static_cast<std::uint16_t>(fresh_count);
  }
  maps.fault = kPaddingIsSet;
  return align_to_byte(cursor) ? cursor.byte() : nullptr;
}

const std::uint8_t* read_refinement(Maps& maps,
                                    std::size_t cut,
                                    const std::uint8_t* at,
                                    const std::uint8_t* end) {
  std::size_t total = 0;
  for (std::size_t sub = 0; sub < cut; ++sub) {
    total += maps.significant_count[sub];
  }
  if ((total + 7) / 8 > static_cast<std::size_t>(end - at)) {
    maps.fault = "the code ends within it";
    return nullptr;
  }
  BitCursor cursor(at);
  for (std::size_t sub = 0; sub < cut; ++sub) {
    for (std::size_t word = sub * kSubWords; word < (sub + 1) * kSubWords; ++word) {
      const std::uint64_t mask = maps.significant[word];
      maps.bits[word] = scatter_bits(cursor.peek_word(), mask);
      cursor.skip(count_ones(mask));
    }
  }
  maps.fault = kPaddingIsSet;
  return align_to_byte(cursor) ? cursor.byte() : nullptr;
}

}  // namespace

const BitReading* bit_reading_here() {
  static constexpr BitReading kHere = {.significance = read_significance,
                                       .refinement = read_refinement};
  return &kHere;
}

}  // namespace godwit::codec::bpc::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace godwit::codec::bpc {

HWY_EXPORT(bit_reading_here);

const BitReading& portable_bit_reading() {
  return *HWY_STATIC_DISPATCH(bit_reading_here)();
}

const BitReading& bit_reading() {
  return bit_gathering_is_slow() ? portable_bit_reading()
                                 : *HWY_DYNAMIC_DISPATCH(bit_reading_here)();
}

}  // namespace godwit::codec::bpc
#endif  // HWY_ONCE

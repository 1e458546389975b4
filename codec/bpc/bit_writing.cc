#include "codec/bpc/bit_writing.h"

#include <array>
#include <bit>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "codec/bpc/bit_writing.cc"
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

HWY_INLINE std::uint64_t gather_bits(std::uint64_t word, std::uint64_t mask) {
#if HWY_TARGET <= HWY_AVX2 && defined(__x86_64__)
  return _pext_u64(word, mask);
#else
  return gather_bits_portable(word, mask);
#endif
}

HWY_INLINE unsigned count_ones(std::uint64_t word) {
  return static_cast<unsigned>(std::popcount(word));
}

void mark_fresh(Maps& maps, std::size_t first, std::size_t last) {
  for (std::size_t sub = first; sub < last; ++sub) {
    unsigned count = 0;
    for (std::size_t word = sub * kSubWords; word < (sub + 1) * kSubWords; ++word) {
      const std::uint64_t fresh = maps.bits[word] & maps.pending[word];
      maps.fresh[word] = fresh;
      count += count_ones(fresh);
    }
    maps.fresh_count[sub] = static_cast<std::uint16_t>(count);
  }
}

// Sorts the significance bits of the first `cut` sub-blocks by class.
HWY_INLINE void gather_strings(const Maps& maps, std::size_t cut, Strings& strings) {
  strings.length.fill(0);
  strings.ones.fill(0);
  std::array<WordWriter, kClasses> writers = {
      WordWriter(reinterpret_cast<std::uint8_t*>(strings.words[0].data())),
      WordWriter(reinterpret_cast<std::uint8_t*>(strings.words[1].data())),
      WordWriter(reinterpret_cast<std::uint8_t*>(strings.words[2].data())),
      WordWriter(reinterpret_cast<std::uint8_t*>(strings.words[3].data())),
      WordWriter(reinterpret_cast<std::uint8_t*>(strings.words[4].data())),
      WordWriter(reinterpret_cast<std::uint8_t*>(strings.words[5].data())),
      WordWriter(reinterpret_cast<std::uint8_t*>(strings.words[6].data()))};
  for (std::size_t sub = 0; sub < cut; ++sub) {
    const std::size_t index = class_of(maps.significant_count[sub]);
    WordWriter writer = writers[index];
    std::uint32_t length = 0;
    for (std::size_t word = sub * kSubWords; word < (sub + 1) * kSubWords; ++word) {
      const std::uint64_t pending = maps.pending[word];
      const unsigned count = count_ones(pending);
      writer.put(gather_bits(maps.fresh[word], pending), count);
      length += count;
    }
    writers[index] = writer;
    strings.length[index] += length;
    strings.ones[index] += maps.fresh_count[sub];
  }
  for (WordWriter& writer : writers) {
    writer.finish();
  }
}

HWY_INLINE void put_rice(const std::uint64_t* words,
                         std::uint32_t length,
                         unsigned rice_bits,
                         WordWriter& writer) {
  const std::uint32_t low_mask = (1U << rice_bits) - 1;
  std::uint32_t next = 0;  // the first position that may hold the next one
  for (std::uint32_t base = 0; base < length; base += kWordBits) {
    for (std::uint64_t word = words[base / kWordBits]; word != 0; word &= word - 1) {
      const std::uint32_t position = base + static_cast<std::uint32_t>(std::countr_zero(word));
      const std::uint32_t gap = position - next;
      next = position + 1;
      unsigned zeros = gap >> rice_bits;
      for (; zeros > 40; zeros -= 40) {
        writer.put(0, 40);
      }
      const std::uint64_t tail = std::uint64_t{gap & low_mask} << 1U | 1U;
      writer.put(tail << zeros, zeros + 1 + rice_bits);
    }
  }
}

HWY_INLINE void put_raw(const std::uint64_t* words, std::uint32_t length, WordWriter& writer) {
  for (std::uint32_t base = 0; base < length; base += kWordBits) {
    const std::uint32_t left = length - base;
    writer.put(words[base / kWordBits], left < kWordBits ? left : unsigned{kWordBits});
  }
}

HWY_INLINE std::uint8_t* put_huffman(const std::uint8_t* bytes,
                                     std::size_t count,
                                     const HuffmanTable& table,
                                     std::uint8_t* out) {
  WordWriter writer(out);
  std::size_t i = 0;
  for (; i + 4 <= count; i += 4) {
    std::uint64_t word = 0;
    unsigned length = 0;
    for (std::size_t j = 0; j < 4; ++j) {
      const auto code = table.codes[bytes[i + j]];
      word |= std::uint64_t{code.bits} << length;
      length += code.length;
    }
    writer.put(word, length);
  }
  for (; i < count; ++i) {
    writer.put(table.codes[bytes[i]].bits, table.codes[bytes[i]].length);
  }
  return writer.finish();
}

HWY_INLINE std::uint8_t* write_huffman_class(const std::uint64_t* words,
                                             std::uint32_t length,
                                             const HuffmanTable& table,
                                             std::uint8_t* out) {
  const auto* const bytes = reinterpret_cast<const std::uint8_t*>(words);
  const std::size_t count = (length + 7) / 8;
  if (count < kFourStreamsFrom) {
    return put_huffman(bytes, count, table, out);
  }
  const std::size_t quarter = (count + 3) / 4;
  std::uint8_t* const sizes = out;
  out += 6;
  for (std::size_t stream = 0; stream < 4; ++stream) {
    const std::size_t first = stream * quarter;
    const std::size_t size = stream < 3 ? quarter : count - first;
    std::uint8_t* const end = put_huffman(bytes + first, size, table, out);
    if (stream < 3) {
      const auto bytes_written = static_cast<std::uint16_t>(end - out);
      std::memcpy(sizes + 2 * stream, &bytes_written, sizeof(bytes_written));
    }
    out = end;
  }
  return out;
}

std::uint8_t* write_significance(const Maps& maps,
                                 std::size_t cut,
                                 Strings& strings,
                                 std::uint8_t* out) {
  gather_strings(maps, cut, strings);
  std::array<StringCode, kClasses> codes{};
  for (std::size_t index = 0; index < kClasses; ++index) {
    const std::uint32_t length = strings.length[index];
    if (length == 0) {
      continue;
    }
    std::uint32_t ones = strings.ones[index];
    codes[index] = code_of(ones, length);
    for (; ones >= 128; ones >>= 7U) {
      *out++ = static_cast<std::uint8_t>(ones | 128U);
    }
    *out++ = static_cast<std::uint8_t>(ones);
    if (codes[index].flip) {
      flip_bits(strings.words[index].data(), length);
    }
  }
  for (std::size_t index = 0; index < kClasses; ++index) {
    if (codes[index].mode == Mode::kHuffman) {
      out = write_huffman_class(strings.words[index].data(),
                                strings.length[index],
                                huffman_tables()[codes[index].table],
                                out);
    }
  }
  WordWriter writer(out);
  for (std::size_t index = 0; index < kClasses; ++index) {
    if (codes[index].mode == Mode::kRice) {
      put_rice(strings.words[index].data(), strings.length[index], codes[index].rice_bits, writer);
    } else if (codes[index].mode == Mode::kRaw) {
      put_raw(strings.words[index].data(), strings.length[index], writer);
    }
  }
  for (std::size_t sub = 0; sub < cut; ++sub) {
    if (maps.fresh_count[sub] == 0) {
      continue;
    }
    for (std::size_t word = sub * kSubWords; word < (sub + 1) * kSubWords; ++word) {
      const std::uint64_t fresh = maps.fresh[word];
      writer.put(gather_bits(maps.signs[word], fresh), count_ones(fresh));
    }
  }
  return writer.finish();
}

std::uint8_t* write_refinement(const Maps& maps, std::size_t cut, std::uint8_t* out) {
  WordWriter writer(out);
  for (std::size_t sub = 0; sub < cut; ++sub) {
    if (maps.significant_count[sub] == 0) {
      continue;
    }
    for (std::size_t word = sub * kSubWords; word < (sub + 1) * kSubWords; ++word) {
      const std::uint64_t mask = maps.significant[word];
      writer.put(gather_bits(maps.bits[word], mask), count_ones(mask));
    }
  }
  return writer.finish();
}

}  // namespace

const BitWriting* bit_writing_here() {
  static constexpr BitWriting kHere = {
      .mark_fresh = mark_fresh, .significance = write_significance, .refinement = write_refinement};
  return &kHere;
}

}  // namespace godwit::codec::bpc::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace godwit::codec::bpc {

HWY_EXPORT(bit_writing_here);

const BitWriting& portable_bit_writing() {
  return *HWY_STATIC_DISPATCH(bit_writing_here)();
}

const BitWriting& bit_writing() {
  return bit_gathering_is_slow() ? portable_bit_writing()
                                 : *HWY_DYNAMIC_DISPATCH(bit_writing_here)();
}

}  // namespace godwit::codec::bpc
#endif  // HWY_ONCE

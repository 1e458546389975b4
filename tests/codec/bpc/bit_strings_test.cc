// Segments of bitmaps: what is written is read, with PEXT/PDEP and without, in every mode.
#include <gtest/gtest.h>

#include "codec/bpc/bit_reading.h"
#include "codec/bpc/bit_writing.h"
#include "codec/simd/bits.h"
#include "dataplane/base/random.h"

namespace godwit::codec::bpc {
namespace {

struct Variant {
  const BitWriting& writing;
  const BitReading& reading;
};

// A plane in which coefficients of sub-block b become significant with a density of their own.
void draw(Maps& maps, std::size_t elements, double density, Random& random) {
  for (std::size_t word = 0; word < kWords; ++word) {
    const double here = density * static_cast<double>(word / kSubWords % 8) / 4;
    maps.bits[word] = 0;
    maps.signs[word] = random.next();
    for (unsigned bit = 0; bit < 64 && word < words_of(elements); ++bit) {
      maps.bits[word] |= std::uint64_t{random.chance(here)} << bit;
    }
    maps.bits[word] &= word < words_of(elements) ? valid_bits(word, elements) : 0;
  }
}

TEST(BitStrings, AreReadAsTheyWereWrittenByEveryVariant) {
  const std::array<Variant, 2> variants = {Variant{bit_writing(), bit_reading()},
                                           Variant{portable_bit_writing(), portable_bit_reading()}};
  Random random(11);
  const auto out = std::make_unique<Maps>();
  const auto in = std::make_unique<Maps>();
  const auto strings = std::make_unique<Strings>();
  for (const std::size_t elements :
       {std::size_t{1}, std::size_t{300}, std::size_t{9999}, kTileElements}) {
    const std::size_t subs = sub_blocks_of(elements);
    for (const double density : {0.0, 0.001, 0.02, 0.05, 0.1, 0.2, 0.4, 0.5, 0.7, 1.0}) {
      out->reset(elements);
      in->reset(elements);
      in->signs.fill(0);
      for (int plane = 0; plane < 3; ++plane) {
        draw(*out, elements, density, random);
        const std::size_t cut = plane < 2 ? subs : 1 + random.below(subs);
        out->fresh.fill(0);
        std::vector<std::uint8_t> bytes;
        std::vector<std::uint8_t> refinement;
        for (const Variant& variant : variants) {
          variant.writing.mark_fresh(*out, 0, subs);
          std::vector<std::uint8_t> written(kSegmentBytesMax + 16);
          const auto* end = variant.writing.significance(*out, cut, *strings, written.data());
          written.resize(static_cast<std::size_t>(end - written.data()));
          ASSERT_TRUE(bytes.empty() || bytes == written) << "variants differ";
          bytes = written;
          std::vector<std::uint8_t> refined(kSegmentBytesMax + 16);
          end = variant.writing.refinement(*out, cut, refined.data());
          refined.resize(static_cast<std::size_t>(end - refined.data()));
          ASSERT_TRUE(refinement.empty() || refinement == refined) << "variants differ";
          refinement = refined;
        }
        ASSERT_LE(bytes.size(), kSegmentBytesMax);
        const std::size_t size = bytes.size();
        const std::size_t refined_size = refinement.size();
        bytes.resize(size + kReadAhead);
        refinement.resize(refined_size + kReadAhead);
        const Maps before = *in;
        for (const Variant& variant : variants) {
          *in = before;
          const auto* end = bytes.data() + size;
          ASSERT_EQ(variant.reading.significance(*in, cut, *strings, bytes.data(), end), end);
          const auto* refined_end = refinement.data() + refined_size;
          ASSERT_EQ(variant.reading.refinement(*in, cut, refinement.data(), refined_end),
                    refined_end);
          for (std::size_t word = 0; word < cut * kSubWords; ++word) {
            ASSERT_EQ(in->fresh[word], out->fresh[word]) << word;
            ASSERT_EQ(in->signs[word] & in->fresh[word], out->signs[word] & out->fresh[word]);
            ASSERT_EQ(in->bits[word], out->bits[word] & out->significant[word]);
          }
          for (std::size_t sub = 0; sub < cut; ++sub) {
            ASSERT_EQ(in->fresh_count[sub], out->fresh_count[sub]);
          }
          for (std::size_t shorter = 0; shorter < size; shorter += 1 + size / 50) {
            // Zeros behind the end stand for what is missing.
            *in = before;
            std::vector<std::uint8_t> cut_bytes(
                bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(shorter));
            cut_bytes.resize(shorter + kReadAhead);
            ASSERT_EQ(variant.reading.significance(
                          *in, cut, *strings, cut_bytes.data(), cut_bytes.data() + shorter),
                      nullptr)
                << shorter << " of " << size;
          }
          *in = before;
          variant.reading.significance(*in, cut, *strings, bytes.data(), end);
        }
        out->settle(cut);
        in->settle(cut);
      }
    }
  }
}

TEST(GatherBits, PortableFormsUndoEachOther) {
  Random random(12);
  for (int round = 0; round < 2000; ++round) {
    const std::uint64_t mask = round == 0 ? ~std::uint64_t{0} : random.next() & random.next();
    const std::uint64_t word = random.next();
    std::uint64_t expected = 0;
    unsigned count = 0;
    for (unsigned bit = 0; bit < 64; ++bit) {
      if ((mask >> bit & 1U) != 0) {
        expected |= (word >> bit & 1U) << count++;
      }
    }
    ASSERT_EQ(gather_bits_portable(word, mask), expected);
    ASSERT_EQ(scatter_bits_portable(expected, mask), word & mask);
  }
}

TEST(WordWriter, AppendsStringsThatACursorReadsBack) {
  Random random(13);
  std::vector<std::pair<std::uint64_t, unsigned>> strings(500);
  std::vector<std::uint8_t> bytes(500 * 8 + 32);
  WordWriter writer(bytes.data());
  std::size_t bits = 0;
  for (auto& [word, count] : strings) {
    count = static_cast<unsigned>(random.below(65));
    word = count == 0 ? 0 : random.next() >> (64U - count);
    writer.put(word, count);
    bits += count;
  }
  EXPECT_EQ(writer.finish(), bytes.data() + (bits + 7) / 8);
  BitCursor cursor(bytes.data());
  for (const auto& [word, count] : strings) {
    const std::uint64_t mask = count == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
    ASSERT_EQ(cursor.peek_word() & mask, word);
    ASSERT_EQ(cursor.peek() & mask & 0x1ffffffffffffff, word & 0x1ffffffffffffff);
    cursor.skip(count);
  }
}

}  // namespace
}  // namespace godwit::codec::bpc

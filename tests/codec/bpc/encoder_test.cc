// What BPC's encoder promises beyond the round trip: estimates, progress, equality of machines.
#include "codec/bpc/encoder.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include <gtest/gtest.h>

#include "codec/bpc/decoder.h"
#include "codec/bpc/huffman.h"
#include "tests/codec/targets.h"
#include "tests/codec/tiles.h"
#include "tests/support/allocation_guard.h"

namespace godwit::codec::bpc {
namespace {

class OnTargets : public testing::OnEveryTarget {};

TEST_P(OnTargets, BytesAndValuesAreTheSame) {
  Encoder encoder;
  Decoder decoder;
  for (const auto& tile : testing::tiles()) {
    for (const unsigned budget : {50U, 700U, 9000U, 200000U}) {
      std::vector<std::byte> here(budget);
      std::vector<std::byte> best(budget);
      std::vector<std::int64_t> removed_here(tile.values.size());
      std::vector<std::int64_t> removed_best(tile.values.size());
      testing::choose(GetParam());
      encoder.load(tile.values);
      here.resize(encoder.encode({budget}, here, removed_here).bytes);
      if (!here.empty()) {
        std::vector<std::int64_t> decoded(tile.values.size());
        ASSERT_TRUE(decoder.decode(here, decoded));
        ASSERT_EQ(decoded, removed_here);
      }
      testing::choose(0);
      encoder.load(tile.values);
      best.resize(encoder.encode({budget}, best, removed_best).bytes);
      ASSERT_EQ(here, best) << tile.name;
      ASSERT_EQ(removed_here, removed_best) << tile.name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Targets,
                         OnTargets,
                         ::testing::ValuesIn(testing::targets()),
                         testing::target_name);

std::size_t bytes_after(Encoder& encoder,
                        std::size_t elements,
                        std::uint64_t floor,
                        double* energy) {
  std::vector<std::byte> out(coded_bytes_max(elements));
  std::vector<std::int64_t> removed(elements);
  const Encoded done = encoder.encode({.floor = floor}, out, removed);
  *energy = done.energy_after;
  return done.bytes;
}

TEST(Segments, EstimateWhatIsWrittenAndRemoved) {
  Random random(21);
  Encoder encoder;
  for (const bool heavy : {false, true}) {
    const auto tile = heavy ? testing::heavy_tailed(kTileElements, 1e4, random)
                            : testing::gaussian(kTileElements, 1e5, random);
    encoder.load(tile);
    const auto segments = encoder.segments();
    const auto top = static_cast<int>((segments.size() - 1) / 2);
    const auto shift = static_cast<int>(std::bit_width(encoder.max_abs())) - 1 - top;
    // Coding down to each plane: its exact size and gain against the sum of the estimates.
    double estimated_bytes = kHeaderBytes;
    double estimated_gain = 0;
    std::size_t next = 0;
    for (int plane = top; plane >= 0; --plane) {
      for (const std::size_t last = plane == top ? 1 : next + 2; next < last; ++next) {
        estimated_bytes += segments[next].bytes;
        estimated_gain += double{segments[next].slope} * segments[next].bytes;
      }
      double energy = 0;
      const std::uint64_t floor = (std::uint64_t{1} << static_cast<unsigned>(shift + plane)) - 1;
      const auto bytes = static_cast<double>(bytes_after(encoder, tile.size(), floor, &energy));
      SCOPED_TRACE(::testing::Message() << "heavy " << heavy << " plane " << plane << " bytes "
                                        << bytes << " estimate " << estimated_bytes);
      EXPECT_LT(bytes, estimated_bytes * 1.02 + 16);
      EXPECT_GT(bytes, estimated_bytes * 0.93 - 16);
      EXPECT_NEAR(encoder.energy() - energy, estimated_gain, 0.2 * encoder.energy());
    }
  }
}

TEST(Segments, AreNoneForATileOfZeros) {
  Encoder encoder;
  const std::vector<std::int64_t> zeros(5000);
  encoder.load(zeros);
  EXPECT_TRUE(encoder.segments().empty());
}

TEST(Encoder, MakesProgressWithTheSmallestBudgetWhateverTheTile) {
  // 256 coefficients that become significant together behind any number of empty sub-blocks, in
  // any number between one and all.
  Encoder encoder;
  Random random(22);
  std::vector<std::byte> out(kProgressBytes);
  for (std::size_t empty = 0; empty < kSubBlocks; ++empty) {
    for (const unsigned ones : {1U, 20U, 64U, 128U, 200U, 255U, 256U}) {
      std::vector<std::int64_t> tile(kTileElements);
      for (unsigned i = 0; i < ones; ++i) {
        // Whatever follows is as dense as it can be.
        tile[empty * kSubBlock + i * 255 / std::max(1U, ones - 1)] = random.chance(0.5) ? 1 : -1;
      }
      for (std::size_t i = (empty + 1) * kSubBlock; i < kTileElements; ++i) {
        tile[i] = random.chance(0.5) ? 1 : -1;
      }
      std::vector<std::int64_t> removed(kTileElements);
      encoder.load(tile);
      const Encoded done = encoder.encode({}, out, removed);
      ASSERT_LT(done.energy_after, done.energy_before) << empty << " " << ones;
    }
  }
}

TEST(Encoder, AllocatesNothingAfterConstruction) {
  Encoder encoder;
  Decoder decoder;
  Random random(23);
  const auto tile = testing::gaussian(kTileElements, 1e6, random);
  std::vector<std::byte> out(5000);
  std::vector<std::int64_t> removed(kTileElements);
  encoder.load(tile);  // the shared tables are made on first use
  encoder.encode({}, out, removed);
  const testing_support::AllocationGuard guard;
  encoder.load(tile);
  static_cast<void>(encoder.segments());
  const Encoded done = encoder.encode({}, out, removed);
  EXPECT_TRUE(decoder.decode(std::span(out).first(done.bytes), removed).has_value());
  EXPECT_EQ(guard.allocations(), 0U);
}

std::vector<std::byte> bytes_of(std::initializer_list<unsigned> values) {
  std::vector<std::byte> bytes;
  for (const unsigned value : values) {
    bytes.push_back(static_cast<std::byte>(value));
  }
  return bytes;
}

TEST(Encoder, WritesTheWorkedExampleOfTheSpecification) {
  const std::vector<std::int64_t> open = {5, -3, 0, 1};
  const auto whole = bytes_of({0x80, 0x10, 0, 1, 4, 0, 1, 0x10, 1, 0, 1, 2, 3});
  Encoder encoder;
  Decoder decoder;
  std::vector<std::byte> out(100);
  std::vector<std::int64_t> values(4);
  encoder.load(open);
  out.resize(encoder.encode({}, out, values).bytes);
  EXPECT_EQ(out, whole);
  EXPECT_EQ(values, open);
  ASSERT_TRUE(decoder.decode(bytes_of({0x80, 4, 0, 1, 4, 0, 1, 0x10, 1}), values));
  EXPECT_EQ(values, (std::vector<std::int64_t>{5, -2, 0, 0}));
}

std::int64_t largest_of(const std::vector<std::int64_t>& values) {
  return std::abs(*std::max_element(
      values.begin(), values.end(), [](auto a, auto b) { return std::abs(a) < std::abs(b); }));
}

std::uint32_t header_of(const std::vector<std::byte>& code) {
  return std::to_integer<std::uint32_t>(code[0]) | std::to_integer<std::uint32_t>(code[1]) << 8U |
         std::to_integer<std::uint32_t>(code[2]) << 16U;
}

// The whole code, cut after so many segments: another count in its header, and fewer bytes.
TEST(Encoder, WhatEndsWithASegmentIsAPrefixOfTheWholeCode) {
  Encoder encoder;
  Decoder decoder;
  encoder.use_finer_steps(false);  // the step is the budget's affair otherwise
  std::size_t cuts = 0;
  for (const auto& tile : testing::tiles()) {
    if (tile.values.size() > 5000 || largest_of(tile.values) == 0) {
      continue;
    }
    SCOPED_TRACE(tile.name);
    auto code_within =
        [&, removed = std::vector<std::int64_t>(tile.values.size())](std::size_t bytes) mutable {
          std::vector<std::byte> code(bytes);
          code.resize(encoder.encode({bytes}, code, removed).bytes);
          if (!code.empty()) {
            std::vector<std::int64_t> decoded(tile.values.size());
            EXPECT_TRUE(decoder.decode(code, decoded));
            EXPECT_EQ(decoded, removed);
          }
          return code;
        };
    constexpr std::uint32_t kSegments = 0x1fU << 10U;
    encoder.load(tile.values);
    const auto whole = code_within(coded_bytes_max(tile.values.size()));
    const std::uint32_t all_sub_blocks = header_of(whole) & 0x7fU << 15U;
    for (auto code = code_within(whole.size() - 1); !code.empty();
         code = code_within(code.size() - 1)) {
      const std::uint32_t header = header_of(code);
      if ((header & 0x7fU << 15U) == all_sub_blocks) {
        ++cuts;
        EXPECT_EQ(header & ~kSegments, header_of(whole) & ~kSegments);
        EXPECT_LT(header & kSegments, header_of(whole) & kSegments);
        EXPECT_TRUE(std::equal(code.begin() + kHeaderBytes,
                               code.end(),
                               whole.begin() + static_cast<std::ptrdiff_t>(kHeaderBytes)));
      }
    }
  }
  EXPECT_GE(cuts, 600U);
}

// Of any step: with the number of segments in its header a code may end after each of them, and
// what it then stands for is nearer to the tile with each.
TEST(Encoder, ACodeOfAnyStepMayEndAfterAnySegment) {
  Encoder encoder;
  Decoder decoder;
  Random random(17);
  int quarters = 0;
  for (int round = 0; round < 12; ++round) {
    auto tile = testing::gaussian(300, 1e7, random);
    encoder.load(tile);
    std::vector<std::byte> code(coded_bytes_max(tile.size()));
    std::vector<std::int64_t> removed(tile.size());
    code.resize(
        encoder.encode({.bytes = 120 + 15 * static_cast<std::size_t>(round)}, code, removed).bytes);
    std::uint32_t header = 0;
    std::memcpy(&header, code.data(), kHeaderBytes);
    quarters += header >> 22U != 0 ? 1 : 0;
    const std::uint32_t segments = (header >> 10U & 0x1fU) + 1;
    double before = std::numeric_limits<double>::infinity();
    std::size_t ended = 0;
    for (std::uint32_t count = 1; count <= segments; ++count) {
      const std::uint32_t all = (static_cast<std::uint32_t>(sub_blocks_of(tile.size())) - 1) << 15U;
      const std::uint32_t cut =
          count == segments ? header
                            : (header & ~(0x1fU << 10U | 0x7fU << 15U)) | (count - 1) << 10U | all;
      auto prefix = code;
      std::memcpy(prefix.data(), &cut, kHeaderBytes);
      int lengths = 0;  // that decode: a segment's end is where it is
      for (std::size_t size = std::max(ended, kHeaderBytes + 1); size <= code.size(); ++size) {
        std::vector<std::int64_t> values(tile.size());
        if (!decoder.decode(std::span(prefix).first(size), values)) {
          continue;
        }
        ++lengths;
        ended = size;
        double left = 0;
        for (std::size_t i = 0; i < tile.size(); ++i) {
          ASSERT_LE(testing::size_of(tile[i] - values[i]), testing::size_of(tile[i]));
          left += std::pow(static_cast<double>(tile[i] - values[i]), 2);
        }
        EXPECT_LE(left, before);
        before = left;
        EXPECT_TRUE(count < segments || values == removed);
      }
      EXPECT_EQ(lengths, 1) << count << " of " << segments;
    }
    EXPECT_EQ(ended, code.size());
  }
  EXPECT_GE(quarters, 4);
}

// By hand: one significance segment with one 1, behind the header and the count. What is wrong is
// said with the plane; nothing for a good code.
TEST(Decoder, RefusesWhatDisagreesWithItsCountsAndSaysWhy) {
  Decoder decoder;
  std::vector<std::int64_t> values;
  const auto fault = [&](std::size_t elements, const std::vector<unsigned>& code) {
    values.assign(elements, 0);
    const auto decoded = decoder.decode(testing::bytes(code), values);
    return decoded ? std::string() : decoded.error().message;
  };

  const auto huffman = [&](unsigned byte, unsigned padding) {
    const auto code = huffman_tables()[4].codes[byte];
    return fault(4, {0x80, 0, 0, 1, code.bits | padding, 0});
  };
  const std::string plane2 = "bpc: significance of plane 2: ";
  EXPECT_EQ(huffman(0x01, 0), "");
  EXPECT_EQ(values, (std::vector<std::int64_t>{5, 0, 0, 0}));
  const std::string other_ones = plane2 + "a Huffman string has other ones than its count";
  EXPECT_EQ(huffman(0x00, 0), other_ones);  // no 1
  EXPECT_EQ(huffman(0x03, 0), other_ones);  // two
  EXPECT_EQ(huffman(0x10, 0), other_ones);  // one, behind the four bits of the string
  EXPECT_EQ(huffman(0x01, 0x80),
            plane2 + "a Huffman stream does not end where it says, or its padding is set");
  const std::string count =
      plane2 + "a count is cut, above its string's length or not in shortest form";
  EXPECT_EQ(fault(4, {0x80, 0, 0, 5, 0}), count);
  EXPECT_EQ(fault(4, {0x80, 0, 0, 0x81, 0}), count);
  EXPECT_EQ(fault(4, {0x80, 0, 0, 0x81}), count);

  const auto raw = [&](unsigned bits) { return fault(2, {0, 0, 0, 1, bits}); };
  const std::string plane0 = "bpc: significance of plane 0: ";
  EXPECT_EQ(raw(0b110), "");  // 0, then 1 with its sign
  EXPECT_EQ(values, (std::vector<std::int64_t>{0, -1}));
  EXPECT_EQ(raw(0b000), plane0 + "a raw string has other ones than its count");
  EXPECT_EQ(raw(0b011), plane0 + "a raw string has other ones than its count");
  EXPECT_EQ(raw(0b1110), plane0 + "bits behind its end are set");
  EXPECT_EQ(fault(2, {0, 0, 0, 1}), plane0 + "the code ends within a raw string");
  EXPECT_EQ(fault(7, {0, 0, 0, 3, 0b10101010}), plane0 + "the code ends within the signs");
  // One 1 among 64: a gap of 64 and more leaves the string.
  EXPECT_EQ(fault(64, {0, 0, 0, 1, 0, 0, 0xff, 0, 0}),
            plane0 + "a Rice code leaves its string or the code");

  // Refinement: 4 and -7 at plane 2, then plane 1 with nothing new, one bit each, padding.
  const auto refined = [&](unsigned bits) { return fault(2, {0x80, 8, 0, 2, 0b10, bits}); };
  const std::string refinement = "bpc: refinement of plane 1: ";
  EXPECT_EQ(refined(0b10), "");
  EXPECT_EQ(values, (std::vector<std::int64_t>{4, -6}));
  EXPECT_EQ(refined(0b110), refinement + "bits behind its end are set");
  EXPECT_EQ(fault(2, {0x80, 8, 0, 2, 0b10}), refinement + "the code ends within it");
}

TEST(Encoder, IsNearTheEntropyOfAnIdealQuantiser) {
  // Down to plane p the code says what a quantiser with a dead zone of one step says. Independent
  // Gaussian values leave nothing to contexts: the entropy of the quantised values is the bound.
  Random random(24);
  const auto tile = testing::gaussian(kTileElements, 1e5, random);
  Encoder encoder;
  encoder.load(tile);
  for (int plane = 12; plane <= 16; ++plane) {
    std::vector<double> counts(256);
    for (const auto value : tile) {
      const auto bin = static_cast<std::size_t>((value < 0 ? -value : value) >> plane);
      counts[bin] += 1;
    }
    double bits = 0;
    for (std::size_t bin = 0; bin < counts.size(); ++bin) {
      if (counts[bin] > 0) {
        bits += counts[bin] * (std::log2(kTileElements / counts[bin]) + (bin > 0 ? 1 : 0));
      }
    }
    double energy = 0;
    const auto bytes = bytes_after(encoder, tile.size(), (std::uint64_t{1} << plane) - 1, &energy);
    EXPECT_LT(static_cast<double>(bytes) * 8, bits * 1.06) << plane;
  }
}

}  // namespace
}  // namespace godwit::codec::bpc

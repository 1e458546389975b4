// The numbers of BPC's format, derived here by other means.
#include "codec/bpc/format.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <queue>
#include <vector>

#include <gtest/gtest.h>

#include "codec/bpc/huffman.h"
#include "dataplane/base/random.h"

namespace godwit::codec::bpc {
namespace {

constexpr std::array kSteps = {StepSize{0},
                               StepSize{1},
                               StepSize{3},
                               StepSize{30},
                               StepSize{46},
                               StepSize{4, 1},
                               StepSize{4, 3},
                               StepSize{30, 2},
                               StepSize{45, 3}};

TEST(StepSize, DividesAnOctaveIntoFourAboutEqualParts) {
  for (int shift = kSixteenthBits; shift < kShiftMax; ++shift) {
    for (int quarter = 0; quarter < 4; ++quarter) {
      const auto quanta = static_cast<double>(StepSize{shift, quarter}.quanta());
      EXPECT_NEAR(std::log2(quanta), shift + quarter / 4.0, 0.03);
    }
  }
  EXPECT_EQ((StepSize{4, 1}.quanta()), 19U);
  EXPECT_EQ((StepSize{5, 3}.quanta()), 54U);
}

TEST(Rule, NeverMakesTheErrorLargerThanTheValue) {
  for (const StepSize step : kSteps) {
    SCOPED_TRACE(::testing::Message() << step.shift << " " << step.quarter);
    for (int plane = 0; plane < kPlanes; ++plane) {
      for (const Rule rule : {Rule{step, plane, plane}, Rule{step, plane, plane + 1}}) {
        Random random(1);
        for (int round = 0; round < 300; ++round) {
          const std::uint64_t magnitude = random.next() >> (48U + random.below(16));
          const std::uint64_t x = magnitude * step.quanta() + random.below(step.quanta());
          const std::uint64_t value = rule.value(static_cast<std::uint32_t>(magnitude));
          const std::uint64_t error = x > value ? x - value : value - x;
          ASSERT_LE(error, x);
          ASSERT_LT(value, std::uint64_t{kValueLimit});
          if (value != 0) {
            ASSERT_LT(error, x) << "what is coded gets closer";
            ASSERT_LE(static_cast<double>(error),
                      std::ldexp(9.0 / 16 * static_cast<double>(step.quanta()), rule.high_plane) +
                          (step.quanta() < 16 ? 0.5 : 0));
          } else {
            ASSERT_LT(x, step.quanta() << static_cast<unsigned>(plane));
          }
        }
      }
    }
  }
}

TEST(Rule, IsExactAtOneQuantum) {
  for (std::uint32_t magnitude = 0; magnitude < 65536; ++magnitude) {
    ASSERT_EQ((Rule{{0}, 0, 0}.value(magnitude)), magnitude);
  }
}

TEST(Rule, TakesSevenSixteenthsOfTheInterval) {
  // Magnitude 0b101xx with planes down to 2 known at a step of 8: between 20 and 24 steps.
  EXPECT_EQ((Rule{{3}, 2, 2}.value(0b10111)), 20U * 8 + 4U * 8 * 7 / 16);
  // The refinement of plane 2 is missing: known is 16 to 24; 4 to 8 was found in plane 2.
  EXPECT_EQ((Rule{{3}, 2, 3}.value(0b10111)), 16U * 8 + 8U * 8 * 7 / 16);
  EXPECT_EQ((Rule{{3}, 2, 3}.value(0b00111)), 4U * 8 + 4U * 8 * 7 / 16);
  EXPECT_EQ((Rule{{3}, 2, 3}.value(0b00011)), 0U);
}

TEST(Header, HoldsEveryExtentAndNothingElse) {
  for (int step = 0; step < 4 * (kShiftMax + 1); ++step) {
    const int shift = step / 4;
    const int quarter = step % 4;
    if (quarter != 0 && !may_be_finer(shift)) {
      continue;
    }
    for (int top = 0; top < kPlanes; ++top) {
      for (int segments = 1; segments <= 2 * top + 1; ++segments) {
        for (const int cut : {1, 2, 127, 128}) {
          const auto packed = pack({{shift, quarter}, top, segments, cut});
          ASSERT_LT(packed, 1U << (8 * kHeaderBytes));
          const auto back = unpack(packed, kTileElements);
          ASSERT_TRUE(back.has_value());
          ASSERT_EQ(pack(*back), packed);
          ASSERT_GE(back->last_plane(), 0);
        }
      }
    }
  }
  EXPECT_FALSE(unpack(pack({{47}, 3, 1, 1}), kTileElements));  // beyond 2^62
  EXPECT_FALSE(unpack(pack({{}, 3, 8, 1}), kTileElements));    // below plane 0
  EXPECT_FALSE(unpack(pack({{}, 3, 1, 3}), 512));              // more sub-blocks than exist
  EXPECT_TRUE(unpack(pack({{}, 3, 1, 2}), 257));
  for (const int quarter : {1, 2, 3}) {
    EXPECT_FALSE(unpack(pack({{3, quarter}, 3, 1, 1}), kTileElements)) << "parts of quanta";
    EXPECT_TRUE(unpack(pack({{4, quarter}, 3, 1, 1}), kTileElements));
    EXPECT_TRUE(unpack(pack({{45, quarter}, 3, 1, 1}), kTileElements));
    EXPECT_FALSE(unpack(pack({{46, quarter}, 3, 1, 1}), kTileElements)) << "beyond 2^62";
  }
}

TEST(Extent, OrdersSegmentsBySignificanceThenRefinement) {
  EXPECT_EQ((Extent{{}, 9, 1, 1}.last_plane()), 9);
  EXPECT_FALSE((Extent{{}, 9, 1, 1}.last_is_refinement()));
  EXPECT_EQ((Extent{{}, 9, 2, 1}.last_plane()), 8);
  EXPECT_FALSE((Extent{{}, 9, 2, 1}.last_is_refinement()));
  EXPECT_EQ((Extent{{}, 9, 3, 1}.last_plane()), 8);
  EXPECT_TRUE((Extent{{}, 9, 3, 1}.last_is_refinement()));
  EXPECT_EQ((Extent{{}, 9, 19, 1}.last_plane()), 0);
}

double entropy(double q) {
  return -q * std::log2(q) - (1 - q) * std::log2(1 - q);
}

TEST(StringCode, IsDefinedForEveryCountAndSymmetric) {
  for (const std::uint32_t length : {1U, 2U, 7U, 64U, 255U, 4096U, 32768U}) {
    for (std::uint32_t ones = 0; ones <= length; ones += 1 + length / 500) {
      const StringCode code = code_of(ones, length);
      const StringCode mirror = code_of(length - ones, length);
      EXPECT_LE(code.ones, length / 2);
      EXPECT_EQ(code.ones, mirror.ones);
      EXPECT_EQ(code.mode, mirror.mode);
      EXPECT_EQ(code.mode == Mode::kNone, ones == 0 || ones == length);
      EXPECT_LT(code.table, kHuffmanTables);
      EXPECT_LT(code.rice_bits, 16U);
    }
  }
}

TEST(StringCode, RiceParameterIsWithinFourPercentOfTheEntropy) {
  for (std::uint32_t ones = 20; ones * kRiceBelow < 32768; ones += 7) {
    const double q = ones / 32768.0;
    const double unit = std::ldexp(1.0, static_cast<int>(code_of(ones, 32768).rice_bits));
    const double carry = std::pow(1 - q, unit);
    const double bits = q * (std::log2(unit) + 1 + carry / (1 - carry));
    EXPECT_LT(bits / entropy(q), 1.04) << ones;
  }
}

// The cost per byte of an unrestricted Huffman code for given weights.
double huffman_cost(const std::vector<double>& weights) {
  std::priority_queue<double, std::vector<double>, std::greater<>> queue(std::greater<>{}, weights);
  double cost = 0;
  while (queue.size() > 1) {
    const double a = queue.top();
    queue.pop();
    const double b = queue.top();
    queue.pop();
    cost += a + b;
    queue.push(a + b);
  }
  return cost;
}

TEST(Huffman, TablesAreCompletePrefixCodesThatDecodeThemselves) {
  for (const HuffmanTable& table : huffman_tables()) {
    double kraft = 0;
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
      const auto code = table.codes[byte];
      ASSERT_GE(code.length, 1);
      ASSERT_LE(code.length, kCodeBitsMax);
      kraft += std::ldexp(1.0, -code.length);
      for (std::uint32_t tail = 0; tail < 1U << (kCodeBitsMax - code.length); ++tail) {
        ASSERT_EQ(table.symbols[code.bits | tail << code.length],
                  byte | std::uint32_t{code.length} << 8U);
      }
    }
    EXPECT_EQ(kraft, 1.0);
  }
}

TEST(Huffman, TheTableOfADensityIsNearTheBestForIt) {
  for (std::uint32_t ones = 32768 / kRiceBelow + 1; ones < 32768 * 7 / 16; ones += 97) {
    const StringCode code = code_of(ones, 32768);
    ASSERT_EQ(code.mode, Mode::kHuffman);
    const double q = ones / 32768.0;
    std::vector<double> weights(256);
    double cost = 0;
    for (unsigned byte = 0; byte < 256; ++byte) {
      const int set = std::popcount(byte);
      weights[byte] = std::pow(q, set) * std::pow(1 - q, 8 - set);
      cost += weights[byte] * huffman_tables()[code.table].codes[byte].length;
    }
    EXPECT_LT(cost, 1.035 * huffman_cost(weights)) << q;
    EXPECT_LT(cost, 1.045 * 8 * entropy(q)) << q;
  }
}

}  // namespace
}  // namespace godwit::codec::bpc

// The door's kernels against plain arithmetic, on every instruction set.
#include "codec/kernels.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "tests/codec/targets.h"
#include "tests/codec/tiles.h"

namespace godwit::codec {
namespace {

class DoorKernels : public testing::OnEveryTarget {};

INSTANTIATE_TEST_SUITE_P(Targets,
                         DoorKernels,
                         ::testing::ValuesIn(testing::targets()),
                         testing::target_name);

constexpr std::int64_t kLargest = std::int64_t{1} << 62U;

std::vector<std::int64_t> fixed(const std::vector<float>& in,
                                int bits,
                                std::int64_t limit = kLargest) {
  std::vector<std::int64_t> out(in.size());
  EXPECT_TRUE(to_fixed(in, bits, limit, out).ok());
  return out;
}

TEST_P(DoorKernels, ToFixedRoundsHalfToEven) {
  const std::vector<float> in = {
      0.5F, 1.5F, 2.5F, -0.5F, -1.5F, -2.5F, 0.75F, -0.25F, 3, 0.4999999F};
  const std::vector<std::int64_t> expected = {0, 2, 2, 0, -2, -2, 1, 0, 3, 0};
  EXPECT_EQ(fixed(in, 0), expected);
}

TEST_P(DoorKernels, ToFixedIsExactForEveryExponent) {
  // m * 2^e with 2^40 fraction bits is m * 2^(e + 40): shifted by integers below.
  for (int exponent = -60; exponent <= -2; ++exponent) {
    const std::int64_t mantissa = 0xabcdef;  // 24 bits
    const float value = std::ldexp(static_cast<float>(mantissa), exponent);
    const int shift = exponent + 40;
    std::int64_t expected = 0;
    if (shift >= 0) {
      expected = mantissa << shift;
    } else if (shift > -40) {
      const std::int64_t half = std::int64_t{1} << (-shift - 1);
      const std::int64_t rest = mantissa & (2 * half - 1);
      expected = mantissa >> -shift;
      expected += rest > half || (rest == half && expected % 2 == 1) ? 1 : 0;
    }
    EXPECT_EQ(fixed(std::vector<float>(17, value), 40), std::vector<std::int64_t>(17, expected));
    EXPECT_EQ(fixed(std::vector<float>(17, -value), 40), std::vector<std::int64_t>(17, -expected));
  }
}

TEST_P(DoorKernels, ToFixedNamesTheFirstValueThatHasNoFixedPoint) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  for (const float bad : {nan, infinity, -infinity, 1e30F, -1e30F, 4194305.0F}) {
    for (std::size_t at = 0; at < 40; ++at) {
      std::vector<float> in(40, 1.0F);
      in[at] = bad;
      if (at + 3 < in.size()) {
        in[at + 3] = nan;
      }
      std::vector<std::int64_t> out(in.size());
      const auto result = to_fixed(in, 40, std::int64_t{1} << 62U, out);
      ASSERT_FALSE(result.ok());
      EXPECT_EQ(result.rejected->index, at);
      EXPECT_TRUE(std::isnan(bad) ? std::isnan(result.rejected->value)
                                  : result.rejected->value == bad);
    }
  }
}

TEST_P(DoorKernels, ToFixedAcceptsTheLimitAndNothingBeyond) {
  EXPECT_EQ(fixed({100, -100, 100, -100, 5, 6, 7, 8, 9}, 0, 100)[1], -100);
  std::vector<std::int64_t> out(9);
  const std::vector<float> in = {1, 2, 3, 4, 5, 6, 7, 101, 9};
  EXPECT_EQ(to_fixed(in, 0, 100, out).rejected->index, 7U);
  EXPECT_EQ(fixed({0x1p22F}, 40, kLargest)[0], kLargest);
}

TEST_P(DoorKernels, ToFloatRoundsOnce) {
  Random random(5);
  std::vector<std::int64_t> in;
  for (unsigned bits = 1; bits <= 62; ++bits) {
    for (const auto value : testing::uniform(50, bits, random)) {
      in.push_back(value);
    }
    // A hair above and below the middle of two floats, where rounding twice goes wrong.
    const std::int64_t top = std::int64_t{1} << (bits - 1);
    const std::int64_t middle = bits > 25 ? top | std::int64_t{1} << (bits - 25) : top;
    for (const std::int64_t value : {middle - 1, middle, middle + 1}) {
      in.push_back(value);
      in.push_back(-value);
    }
  }
  in.push_back(kLargest);
  in.push_back(-kLargest);
  std::vector<float> out(in.size());
  to_float(in, 40, out);
  for (std::size_t i = 0; i < in.size(); ++i) {
    EXPECT_EQ(out[i], std::ldexp(static_cast<float>(in[i]), -40)) << in[i];
  }
}

TEST_P(DoorKernels, ToFloatUndoesToFixedWhereNothingWasRounded) {
  Random random(6);
  std::vector<float> in(1001);
  for (auto& value : in) {
    value = std::ldexp(
        static_cast<float>(static_cast<std::int64_t>(random.below(1U << 24U)) - (1 << 23)), -30);
  }
  std::vector<float> back(in.size());
  to_float(fixed(in, 40), 40, back);
  EXPECT_EQ(back, in);
}

TEST_P(DoorKernels, MaxAbsIsExactForEveryIntegerAndEveryPlace) {
  EXPECT_EQ(max_abs({}), 0U);
  for (std::size_t at = 0; at < 20; ++at) {
    for (const std::int64_t value : {std::int64_t{5},
                                     std::int64_t{-6},
                                     std::numeric_limits<std::int64_t>::max(),
                                     std::numeric_limits<std::int64_t>::min()}) {
      std::vector<std::int64_t> values(20, 3);
      values[at] = value;
      const auto bits = static_cast<std::uint64_t>(value);
      EXPECT_EQ(max_abs(values), value < 0 ? ~bits + 1 : bits);
    }
  }
}

TEST_P(DoorKernels, RemainderHasTheLargestOfEveryPlaceAndTheSumOfSquares) {
  for (std::size_t count = 1; count < 40; ++count) {
    for (std::size_t at = 0; at < count; ++at) {
      std::vector<std::int64_t> values(count, 7);
      std::vector<std::int64_t> removed(count, 5);
      removed[at] = 1000 + 7;
      const Remainder left = remainder(values, removed);
      ASSERT_EQ(left.max, 1000U);
      ASSERT_EQ(left.energy, 1e6 + 4.0 * static_cast<double>(count - 1));
    }
  }
}

TEST_P(DoorKernels, EnergyIsTheSumOfSquares) {
  EXPECT_EQ(energy({}), 0);
  Random random(9);
  for (const std::size_t count : {1U, 7U, 16U, 33U, 1000U}) {
    const auto values = testing::gaussian(count, 1e9, random);
    long double expected = 0;
    for (const auto value : values) {
      expected += static_cast<long double>(value) * static_cast<long double>(value);
    }
    const auto sum = static_cast<double>(expected);
    EXPECT_NEAR(energy(values), sum, sum * 1e-12);
  }
}

}  // namespace
}  // namespace godwit::codec

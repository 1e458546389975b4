#include "api/local/value_range.h"

#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

namespace godwit::local {
namespace {

constexpr std::int64_t kLargest = std::int64_t{1} << 62U;

TEST(ValueRange, IsASitesShareOfEverySumAndTwoSitesHaveThatOfThree) {
  EXPECT_EQ(magnitude_max_of(1), 0x1555555555555555);
  EXPECT_EQ(magnitude_max_of(2), 0x1555555555555555);
  EXPECT_EQ(magnitude_max_of(3), 0x1555555555555555);
  EXPECT_EQ(magnitude_max_of(4), kLargest / 4);
  EXPECT_EQ(magnitude_max_of(64), kLargest / 64);
}

TEST(ValueRange, FindsTheFirstIntegerBeyondIt) {
  const std::int64_t most = magnitude_max_of(3);
  EXPECT_EQ(find_out_of_range(std::vector<std::int64_t>{0, most, -most}, most), std::nullopt);
  EXPECT_EQ(find_out_of_range(std::vector<std::int64_t>{0, most + 1, -most - 1}, most), 1U);
  EXPECT_EQ(find_out_of_range(std::vector<std::int64_t>{most, -most - 1}, most), 1U);
  EXPECT_EQ(find_out_of_range(
                std::vector<std::int64_t>{0, 0, std::numeric_limits<std::int64_t>::min()}, most),
            2U);
}

TEST(ValueRange, FindsTheFirstFloatThatIsBeyondItOrNotFinite) {
  const float inf = std::numeric_limits<float>::infinity();
  for (const std::uint32_t fraction_bits : {0U, 10U, 40U, 62U}) {
    SCOPED_TRACE(fraction_bits);
    const auto quanta = [&](float value, int exponent) {
      return std::ldexp(value, exponent - static_cast<int>(fraction_bits));
    };
    const auto find = [&](float value, std::size_t sites) {
      return find_out_of_range(
          std::vector<float>{0, value}, fraction_bits, magnitude_max_of(sites));
    };
    // 2^62 / 3 is 0x1555555555555555, of which a float holds the first 24 bits.
    for (const float sign : {1.0F, -1.0F}) {
      EXPECT_EQ(find(sign * quanta(0xAAAAAA, 37), 3), std::nullopt);
      EXPECT_EQ(find(sign * quanta(0xAAAAAB, 37), 3), 1U);
      EXPECT_EQ(find(sign * quanta(1, 60), 4), std::nullopt);
      EXPECT_EQ(find(sign * std::nextafter(quanta(1, 60), inf), 4), 1U);
      EXPECT_EQ(find(sign * inf, 4), 1U);
    }
    EXPECT_EQ(find(std::numeric_limits<float>::quiet_NaN(), 4), 1U);
    EXPECT_TRUE(
        check_seed(0, std::vector<float>{std::nextafter(quanta(1, 62), 0.0F)}, fraction_bits));
    EXPECT_FALSE(check_seed(0, std::vector<float>{quanta(1, 62)}, fraction_bits));
  }
}

TEST(ValueRange, IsNamedInTheTopicsUnits) {
  EXPECT_EQ(out_of_range(-2e15, 10, magnitude_max_of(4)),
            "-2000000000000000 is not finite, or beyond the topic's range of -1125899906842624 to "
            "1125899906842624");
}

}  // namespace
}  // namespace godwit::local

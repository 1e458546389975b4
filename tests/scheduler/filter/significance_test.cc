// The filter keeps what is large against the current value.
#include "scheduler/filter/significance.h"

#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

namespace godwit::scheduler {
namespace {

TEST(SignificanceFilter, KeepsChangesOfAtLeastTheThreshold) {
  const std::vector<std::int64_t> open = {9, 10, 11, -9, -10, -11};
  const std::vector<float> value = {1000, 1000, 1000, -1000, 1000, -1000};
  std::vector<std::int64_t> out(6);
  EXPECT_EQ(mask_insignificant(open, value, 0.01, out), 4U);
  EXPECT_EQ(out, (std::vector<std::int64_t>{0, 10, 11, 0, -10, -11}));
}

TEST(SignificanceFilter, TakesEveryChangeOfAZeroForSignificant) {
  const std::vector<std::int64_t> open = {1, 0, -1};
  const std::vector<double> value = {0.0, 0.0, -0.0};
  std::vector<std::int64_t> out(3);
  EXPECT_EQ(mask_insignificant(open, value, 1e9, out), 2U);
  EXPECT_EQ(out, open);
}

TEST(SignificanceFilter, TakesValuesThatAreNotFiniteForSignificant) {
  const std::vector<std::int64_t> open = {1, 2, 3};
  const std::vector<float> value = {std::numeric_limits<float>::quiet_NaN(),
                                    std::numeric_limits<float>::infinity(),
                                    -std::numeric_limits<float>::infinity()};
  std::vector<std::int64_t> out(3);
  EXPECT_EQ(mask_insignificant(open, value, 0.5, out), 3U);
}

TEST(SignificanceFilter, CarriesTheUnitInTheThreshold) {
  // Value 0.5 in real units, quanta of 2^-40: 1 % of it is 0.005·2^40 quanta.
  SignificanceThreshold threshold(ThresholdRule::kConstant, 0.01);
  const auto edge = static_cast<std::int64_t>(std::ceil(0.005 * std::exp2(40)));
  const std::array<std::int64_t, 2> open = {edge - 1, edge};
  const std::array<double, 2> value = {0.5, 0.5};
  std::array<std::int64_t, 2> out{};
  EXPECT_EQ(mask_insignificant(open, value, threshold.scaled(std::exp2(40)), out), 1U);
  EXPECT_EQ(out[0], 0);
}

TEST(SignificanceFilter, WorksInPlaceAndOnIntegers) {
  std::vector<std::int64_t> open = {1, 100};
  const std::vector<std::int64_t> value = {1000, 1000};
  EXPECT_EQ(mask_insignificant(open, value, 0.05, open), 1U);
  EXPECT_EQ(open, (std::vector<std::int64_t>{0, 100}));
}

TEST(SignificanceThreshold, FallsWithTheRootOfTheClock) {
  SignificanceThreshold threshold(ThresholdRule::kInverseSqrt, 0.02);
  EXPECT_DOUBLE_EQ(threshold.relative(), 0.02);
  threshold.on_clock(1);
  EXPECT_DOUBLE_EQ(threshold.relative(), 0.02);
  threshold.on_clock(100);
  EXPECT_DOUBLE_EQ(threshold.relative(), 0.002);
  threshold.on_clock(4);
  EXPECT_DOUBLE_EQ(threshold.relative(), 0.002) << "a clock never goes back";
}

TEST(SignificanceThreshold, StaysConstantOrOffWhenToldSo) {
  SignificanceThreshold constant(ThresholdRule::kConstant, 0.02);
  constant.on_clock(100);
  EXPECT_DOUBLE_EQ(constant.relative(), 0.02);
  EXPECT_EQ(SignificanceThreshold().relative(), 0);
  EXPECT_EQ(SignificanceThreshold(ThresholdRule::kConstant, -1).relative(), 0);
  EXPECT_EQ(
      SignificanceThreshold(ThresholdRule::kConstant, std::numeric_limits<double>::quiet_NaN())
          .relative(),
      0);
}

}  // namespace
}  // namespace godwit::scheduler

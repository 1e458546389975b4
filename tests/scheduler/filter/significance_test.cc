// How the threshold follows the clock.
#include "scheduler/filter/significance.h"

#include <limits>

#include <gtest/gtest.h>

namespace godwit::scheduler {
namespace {

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

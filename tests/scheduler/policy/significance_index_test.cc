// The index against its own derivation.
#include "scheduler/policy/significance_index.h"

#include <gtest/gtest.h>

namespace godwit::scheduler {
namespace {

constexpr IndexInput kInput{
    .weight = 2, .energy = 12, .merge_energy = 3, .interval_seconds = 0.5, .bytes = 100};

TEST(SignificanceIndex, IsTheClosedForm) {
  // I = w·e·(e/(2g) + 1/r)/b with r = 1/0.5 and g = r·3.
  const double r = 1 / 0.5;
  const double g = r * 3;
  EXPECT_DOUBLE_EQ(significance_index(kInput), 2 * 12 * (12 / (2 * g) + 1 / r) / 100);
}

TEST(SignificanceIndex, IsTheThresholdOfTheOptimalPolicy) {
  // Sending at u = e/m costs J(u) = (w·m·u²/2 + λ·b·r)/(1 + u) per unit of time. At λ = I(u) this
  // has its minimum at u: waiting longer or less costs more.
  const double u = kInput.energy / kInput.merge_energy;
  const double price = significance_index(kInput);
  const auto cost = [price](double at) {
    return (kInput.weight * kInput.merge_energy * at * at / 2 +
            price * kInput.bytes / kInput.interval_seconds) /
           (1 + at);
  };
  EXPECT_LT(cost(u), cost(u * 1.05));
  EXPECT_LT(cost(u), cost(u * 0.95));
}

TEST(SignificanceIndex, GrowsWithEnergyAndWeightAndFallsWithBytes) {
  IndexInput more = kInput;
  more.energy *= 1.1;
  EXPECT_GT(significance_index(more), significance_index(kInput));
  more = kInput;
  more.weight *= 1.1;
  EXPECT_GT(significance_index(more), significance_index(kInput));
  more = kInput;
  more.bytes *= 1.1;
  EXPECT_LT(significance_index(more), significance_index(kInput));
}

TEST(SignificanceIndex, ComparesByDensityWhenUpdatesAreRare) {
  // e far below m: the term of one merge dominates, so twice the energy is worth twice as much.
  IndexInput rare{
      .weight = 1, .energy = 1, .merge_energy = 1e9, .interval_seconds = 1, .bytes = 10};
  const double once = significance_index(rare);
  rare.energy = 2;
  EXPECT_NEAR(significance_index(rare) / once, 2, 1e-6);
}

TEST(MergeStatistics, LearnsTheIntervalAndTheEnergyOfAMerge) {
  MergeStatistics statistics;
  statistics.on_merge(10, 0);
  EXPECT_FALSE(statistics.knows_interval());
  EXPECT_EQ(statistics.merge_energy(), 10);
  for (int i = 0; i < 100; ++i) {
    statistics.on_merge(4, 0.25);
  }
  EXPECT_NEAR(statistics.interval_seconds(), 0.25, 1e-9);
  EXPECT_NEAR(statistics.merge_energy(), 4, 1e-3);
}

TEST(MergeStatistics, TreatsPartsOfOneUpdateAsOne) {
  MergeStatistics parts;
  parts.on_merge(1, 0);
  parts.on_merge(1, 0);
  for (int i = 0; i < 200; ++i) {
    parts.on_merge(1, 0.5);
    parts.on_merge(1, 0);
  }
  // Two parts of energy 1: averaged as one merge of 2, within one part's step.
  EXPECT_NEAR(parts.merge_energy(), 2, 0.15);
  EXPECT_NEAR(parts.interval_seconds(), 0.5, 1e-9);
}

}  // namespace
}  // namespace godwit::scheduler

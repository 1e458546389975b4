// Bytes go where they remove most, and no more than there are.
#include "api/cli/codec_bench/budgets.h"

#include <numeric>
#include <vector>

#include <gtest/gtest.h>

#include "tests/api/cli/codec_bench/samples.h"

namespace godwit::codec_bench {
namespace {

std::size_t sum(const std::vector<std::size_t>& budgets) {
  return std::accumulate(budgets.begin(), budgets.end(), std::size_t{0});
}

// Four tiles; the third is 16 times as large, the last is zero.
Sample uneven() {
  auto values = gaussian(4 * codec::kTileElements, 0.01);
  for (std::size_t i = 0; i < codec::kTileElements; ++i) {
    values[2 * codec::kTileElements + i] *= 16;
    values[3 * codec::kTileElements + i] = 0;
  }
  return floats(values);
}

TEST(Budgets, TheSumIsWhatWasAskedFor) {
  const Sample sample = uneven();
  const auto quanta = quanta_of(sample, {});
  const Budgets budgets(sample, *quanta);
  for (const std::uint64_t bytes : {0U, 1U, 40U, 1000U, 12'345U, 100'000U}) {
    EXPECT_LE(sum(budgets.by_slope(bytes)), bytes);
    EXPECT_GE(sum(budgets.by_slope(bytes)) + 4, bytes);
    EXPECT_LE(sum(budgets.by_size(bytes)), bytes);
    EXPECT_GE(sum(budgets.by_size(bytes)) + 4, bytes);
  }
  EXPECT_EQ(budgets.by_slope(1'000'000).back(), 0U);
}

TEST(Budgets, EqualTilesGetEqualSharesAndALargerOneItsBitsMore) {
  const Sample sample = uneven();
  const auto quanta = quanta_of(sample, {});
  const Budgets budgets(sample, *quanta);
  // At so many bits that all of them are coded, 16 times the size takes 4 bits a value more.
  const auto many =
      budgets.by_slope(3 * 4 * codec::kTileElements / 8 + 4 * codec::kTileElements / 8);
  EXPECT_NEAR(static_cast<double>(many[0]), static_cast<double>(many[1]), 0.05 * 16384);
  EXPECT_NEAR(static_cast<double>(many[2] - many[0]), 4 * codec::kTileElements / 8, 0.1 * 16384);
  EXPECT_EQ(many[3], 0U);
  // At so few that only the large one pays.
  const auto few = budgets.by_slope(1000);
  EXPECT_EQ(few[0], 0U);
  EXPECT_EQ(few[2], 1000U);
  EXPECT_EQ(budgets.by_size(1000)[2], 1000U);
}

TEST(Budgets, TilesThatAreTheSameShareEvenTheFirstBytes) {
  const auto tile = gaussian(codec::kTileElements, 1);
  std::vector<float> values;
  for (int i = 0; i < 3; ++i) {
    values.insert(values.end(), tile.begin(), tile.end());
  }
  const Sample sample = floats(values);
  const auto quanta = quanta_of(sample, {});
  const Budgets budgets(sample, *quanta);
  for (const std::size_t each : {10U, 1000U, 16'384U}) {
    for (const std::size_t budget : budgets.by_slope(3 * each)) {
      EXPECT_NEAR(static_cast<double>(budget), static_cast<double>(each), 1);
    }
  }
}

TEST(Budgets, OfOneTileItIsAll) {
  const Sample sample = floats(gaussian(1000, 1));
  const auto quanta = quanta_of(sample, {});
  const Budgets budgets(sample, *quanta);
  EXPECT_EQ(budgets.by_slope(77), (std::vector<std::size_t>{77}));
  EXPECT_EQ(budgets.by_size(77), (std::vector<std::size_t>{77}));
  EXPECT_EQ(budgets.unlimited(), (std::vector<std::size_t>{codec::coded_bytes_max(1000)}));
}

}  // namespace
}  // namespace godwit::codec_bench

// A site's lane: nothing is lost between what was published, what was decoded and what is open.
#include "bench/training/lane.h"

#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include <gtest/gtest.h>

#include "dataplane/base/random.h"

namespace godwit::bench_training {
namespace {

constexpr std::size_t kElements = codec::kTileElements + 5000;  // a full tile and a short one
const double kQuantum = std::exp2(-40);

std::vector<float> some_change(std::uint64_t seed) {
  Random random(seed);
  std::vector<float> change(kElements);
  for (float& value : change) {
    value = static_cast<float>(std::pow(random.uniform() - 0.5, 3));
  }
  return change;
}

double energy_of(std::span<const std::int64_t> values) {
  return std::accumulate(values.begin(), values.end(), 0.0, [](double sum, std::int64_t value) {
    return sum + static_cast<double>(value) * static_cast<double>(value);
  });
}

TEST(Lane, GivesEveryQuantumOnceOverManySends) {
  Lane lane(kElements);
  std::vector<std::int64_t> published(kElements);
  std::vector<std::int64_t> sums(kElements);
  for (std::uint64_t round = 1; round <= 3; ++round) {
    const auto change = some_change(round);
    ASSERT_TRUE(lane.publish(change));
    for (std::size_t i = 0; i < kElements; ++i) {
      published[i] += std::llrint(static_cast<double>(change[i]) / kQuantum);
    }
    EXPECT_GT(lane.send(1500, sums), 0U);
    EXPECT_GT(lane.open_energy(), 0);
    EXPECT_EQ(lane.defect(), 0U);
    EXPECT_NE(sums, published);
  }
  lane.send_uncoded(sums);
  EXPECT_EQ(sums, published);
  EXPECT_EQ(lane.open_energy(), 0);
  EXPECT_EQ(lane.defect(), 0U);
}

TEST(Lane, SendsAtMostItsBytesAndLeavesLessWithMore) {
  double least = std::numeric_limits<double>::infinity();
  for (const std::size_t bytes : {0U, 100U, 1000U, 4000U, 16000U}) {
    Lane lane(kElements);
    std::vector<std::int64_t> sums(kElements);
    ASSERT_TRUE(lane.publish(some_change(1)));
    const std::size_t sent = lane.send(bytes, sums);
    EXPECT_LE(sent, bytes);
    EXPECT_GE(sent, bytes / 2);
    EXPECT_LT(lane.open_energy(), least);
    EXPECT_EQ(energy_of(sums) > 0, bytes > 0);
    least = lane.open_energy();
  }
}

TEST(Lane, SpendsWhereMostIsOpen) {
  std::vector<float> change = some_change(1);
  for (std::size_t i = 0; i < codec::kTileElements; ++i) {
    change[i] *= 1e-3F;
  }
  Lane lane(kElements);
  std::vector<std::int64_t> sums(kElements);
  ASSERT_TRUE(lane.publish(change));
  lane.send(600, sums);
  const auto first = std::span(sums).first(codec::kTileElements);
  EXPECT_EQ(energy_of(first), 0);
  EXPECT_GT(energy_of(sums), 0);
}

TEST(Lane, KnowsTheEnergyOfAChangeAndOfWhatIsOpen) {
  Lane lane(2);
  std::vector<std::int64_t> sums(2);
  ASSERT_TRUE(lane.publish(std::vector<float>{3, -4}));
  const double quanta = 25 / (kQuantum * kQuantum);
  EXPECT_DOUBLE_EQ(lane.change_energy(), quanta);
  ASSERT_TRUE(lane.publish(std::vector<float>{3, -4}));
  EXPECT_DOUBLE_EQ(lane.change_energy(), quanta);
  EXPECT_DOUBLE_EQ(lane.open_energy(), 4 * quanta);
}

TEST(Lane, RefusesWhatDiverges) {
  for (const float wrong : {std::numeric_limits<float>::quiet_NaN(), 5000.0F}) {
    Lane lane(2);
    const auto refused = lane.publish(std::vector<float>{1, wrong});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::kInvalid);
    EXPECT_NE(refused.error().message.find("element 1"), std::string::npos);
    EXPECT_EQ(lane.open_energy(), 0);
  }
}

TEST(Lane, ForgetsWhatIsDropped) {
  Lane lane(kElements);
  std::vector<std::int64_t> sums(kElements);
  ASSERT_TRUE(lane.publish(some_change(1)));
  lane.send(1000, sums);
  lane.drop();
  EXPECT_EQ(lane.open_energy(), 0);
  EXPECT_EQ(lane.defect(), 0U);
  const auto before = sums;
  lane.send_uncoded(sums);
  EXPECT_EQ(sums, before);
}

}  // namespace
}  // namespace godwit::bench_training

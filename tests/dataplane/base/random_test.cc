#include "dataplane/base/random.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>

#include <gtest/gtest.h>

namespace godwit {
namespace {

// The generator once more, written down from its paper for one purpose: to catch a slip of the
// other. State from SplitMix64, output rotl(s1 * 5, 7) * 9, then the linear step.
class Reference {
 public:
  explicit Reference(std::uint64_t seed) {
    for (std::size_t i = 0; i < 4; ++i) {
      seed += 0x9e3779b97f4a7c15U;
      std::uint64_t z = seed;
      z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
      z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
      s_[i] = z ^ (z >> 31U);
    }
  }

  std::uint64_t next() {
    const std::uint64_t five = s_[1] * 5;
    const std::uint64_t result = ((five << 7U) | (five >> 57U)) * 9;
    const std::array<std::uint64_t, 4> old = s_;
    s_[0] = old[0] ^ old[3] ^ old[1];
    s_[1] = old[1] ^ old[2] ^ old[0];
    s_[2] = old[2] ^ old[0] ^ (old[1] << 17U);
    const std::uint64_t mixed = old[3] ^ old[1];
    s_[3] = (mixed << 45U) | (mixed >> 19U);
    return result;
  }

 private:
  std::array<std::uint64_t, 4> s_{};
};

TEST(Random, FollowsTheLinearStepOfItsPaper) {
  Random random(42);
  Reference reference(42);
  for (int i = 0; i < 1'000; ++i) {
    ASSERT_EQ(random.next(), reference.next()) << i;
  }
}

TEST(Random, EqualSeedsGiveEqualNumbersAndOthersDoNot) {
  Random a(7);
  Random b(7);
  Random c(8);
  bool all_equal = true;
  for (int i = 0; i < 100; ++i) {
    const std::uint64_t drawn = a.next();
    ASSERT_EQ(drawn, b.next());
    all_equal = all_equal && drawn == c.next();
  }
  EXPECT_FALSE(all_equal);
}

TEST(Random, BelowReachesEveryValueAndNoOther) {
  Random random(1);
  std::array<int, 6> seen{};
  for (int i = 0; i < 6'000; ++i) {
    const std::uint64_t face = random.below(seen.size());
    ASSERT_LT(face, seen.size());
    ++seen[face];
  }
  for (const int count : seen) {
    // Binomial(6000, 1/6): mean 1000, deviation 29; seven deviations.
    EXPECT_NEAR(count, 1'000, 200);
  }
  EXPECT_EQ(random.below(1), 0U);
  EXPECT_LT(random.below(std::numeric_limits<std::uint64_t>::max()),
            std::numeric_limits<std::uint64_t>::max());
}

TEST(Random, UniformStaysInItsHalfOpenIntervalAroundItsMean) {
  Random random(2);
  double sum = 0;
  for (int i = 0; i < 10'000; ++i) {
    const double x = random.uniform();
    ASSERT_GE(x, 0.0);
    ASSERT_LT(x, 1.0);
    sum += x;
  }
  // Deviation of the mean: sqrt(1/12) / 100 = 0.0029; seven deviations.
  EXPECT_NEAR(sum / 10'000, 0.5, 0.02);
}

TEST(Random, ChanceIsNeverAtZeroAndAlwaysAtOne) {
  Random random(3);
  int hits = 0;
  for (int i = 0; i < 10'000; ++i) {
    ASSERT_FALSE(random.chance(0.0));
    ASSERT_TRUE(random.chance(1.0));
    hits += random.chance(0.25) ? 1 : 0;
  }
  EXPECT_NEAR(hits, 2'500, 300);
}

}  // namespace
}  // namespace godwit

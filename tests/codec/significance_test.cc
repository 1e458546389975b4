// What is found significant, element by element, on every instruction set.
#include "codec/significance.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "tests/codec/targets.h"
#include "tests/codec/tiles.h"

namespace godwit::codec {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kAnything = std::numeric_limits<float>::max();

class Significance : public testing::OnEveryTarget {};

INSTANTIATE_TEST_SUITE_P(Targets,
                         Significance,
                         ::testing::ValuesIn(testing::targets()),
                         testing::target_name);

std::vector<float> normals(std::size_t count, Random& random) {
  std::vector<float> values(count);
  for (float& value : values) {
    value = random.chance(0.1) ? 0.0F : static_cast<float>(testing::normal(random));
  }
  return values;
}

TEST_P(Significance, AScanIsTheSumOfItsElements) {
  Random random(1);
  for (std::size_t count = 0; count < 70; ++count) {
    const auto values = normals(count, random);
    const auto reference = normals(count, random);
    Scan expected;
    for (std::size_t i = 0; i < count; ++i) {
      const float size = std::fabs(values[i]);
      expected.energy += static_cast<double>(size) * static_cast<double>(size);
      expected.max = std::max(expected.max, size);
      expected.significant += size > 0 && size >= 0.5F * std::fabs(reference[i]) ? 1U : 0U;
    }
    const Scan found = scan(values, reference, 0.5F, kAnything);
    EXPECT_NEAR(found.energy, expected.energy, 1e-12 * expected.energy) << count;
    EXPECT_EQ(found.max, expected.max);
    EXPECT_EQ(found.significant, expected.significant);
    EXPECT_FALSE(found.rejected);
    const Scan alone = scan(values, {}, 0.5F, kAnything);
    EXPECT_EQ(alone.significant,
              static_cast<std::size_t>(
                  std::count_if(values.begin(), values.end(), [](float v) { return v != 0; })));
    EXPECT_EQ(alone.max, expected.max);
  }
}

TEST_P(Significance, AScanAddsInDouble) {
  const std::vector<float> values(1 << 20, 1.1F);
  const double square = static_cast<double>(1.1F) * static_cast<double>(1.1F);
  EXPECT_NEAR(scan(values, {}, 0, kAnything).energy, square * (1 << 20), 1e-3);
}

TEST_P(Significance, AScanNamesTheFirstValueThatNobodyTakes) {
  for (const float bad : {kNan, kInfinity, -kInfinity, 3.5F, -3.5F}) {
    for (std::size_t at = 0; at < 70; ++at) {
      std::vector<float> values(70, 3.0F);
      values[at] = bad;
      values.back() = kNan;
      EXPECT_EQ(scan(values, {}, 0, 3.0F).rejected, std::min<std::size_t>(at, 69)) << bad;
    }
  }
  EXPECT_FALSE(scan(std::vector<float>(70, -3.0F), {}, 0, 3.0F).rejected);
}

TEST_P(Significance, OfAReferenceThatIsZeroOrNotFiniteEveryChangeIsSignificant) {
  const std::vector<float> values(40, 1e-30F);
  for (const float strange : {0.0F, -0.0F, kNan, kInfinity, -kInfinity}) {
    const std::vector<float> reference(40, strange);
    EXPECT_EQ(scan(values, reference, 10.0F, kAnything).significant, 40U) << strange;
  }
}

TEST_P(Significance, TheFilterKeepsExactlyWhatIsNotBelowTheThreshold) {
  Random random(2);
  for (std::size_t count = 0; count < 70; ++count) {
    for (const bool has_seed : {false, true}) {
      const double threshold = random.uniform();
      std::vector<std::int64_t> open(count);
      std::vector<std::int64_t> sums(count);
      std::vector<float> seed(has_seed ? count : 0);
      for (std::size_t i = 0; i < count; ++i) {
        open[i] = static_cast<std::int64_t>(random.below(2001)) - 1000;
        sums[i] = static_cast<std::int64_t>(random.below(9)) * 500 - 2000;
        if (has_seed) {
          seed[i] = static_cast<float>(random.below(9)) * 2.0F - 8.0F;
        }
      }
      std::vector<std::int64_t> out(count, 42);
      const Filtered filtered = keep_significant(
          open, {.sums = sums, .seed = seed, .quanta_per_unit = 256}, threshold, out);
      Filtered expected;
      for (std::size_t i = 0; i < count; ++i) {
        const double value =
            static_cast<double>(sums[i]) + (has_seed ? static_cast<double>(seed[i]) * 256 : 0.0);
        const bool small = std::fabs(static_cast<double>(open[i])) < threshold * std::fabs(value);
        EXPECT_EQ(out[i], small ? 0 : open[i]);
        expected.kept += out[i] != 0 ? 1U : 0U;
        expected.held_max =
            std::max(expected.held_max, small ? testing::size_of(open[i]) : std::uint64_t{0});
      }
      EXPECT_EQ(filtered.kept, expected.kept);
      EXPECT_EQ(filtered.held_max, expected.held_max);
      EXPECT_EQ(keep_significant(
                    open, {.sums = sums, .seed = seed, .quanta_per_unit = 256}, threshold, open)
                    .kept,
                expected.kept);
      EXPECT_EQ(open, out) << "in place";
    }
  }
}

TEST_P(Significance, TheFilterKeepsTheEdgeAndTheLargest) {
  constexpr std::int64_t kMost = std::int64_t{1} << 62U;
  const std::vector<std::int64_t> open = {9, 10, 11, -9, -10, -11, kMost, -kMost, 0};
  const std::vector<std::int64_t> sums = {1000, 1000, 1000, -1000, 1000, -1000, kMost, 0, kMost};
  std::vector<std::int64_t> out(open.size());
  const Filtered filtered = keep_significant(open, {.sums = sums}, 0.01, out);
  EXPECT_EQ(out, (std::vector<std::int64_t>{0, 10, 11, 0, -10, -11, kMost, -kMost, 0}));
  EXPECT_EQ(filtered.kept, 6U);
  EXPECT_EQ(filtered.held_max, 9U);
  const Filtered all = keep_significant(open, {.sums = sums}, 2, out);
  EXPECT_EQ(all.kept, 1U) << "a change of 0";
  EXPECT_EQ(all.held_max, static_cast<std::uint64_t>(kMost));
}

TEST_P(Significance, TheFilterKeepsAllWhereTheBoundIsNotFinite) {
  const std::vector<std::int64_t> open(40, 1);
  const std::vector<std::int64_t> sums(40, 1);
  std::vector<std::int64_t> out(40);
  for (const float strange : {kNan, kInfinity, -kInfinity}) {
    const std::vector<float> seed(40, strange);
    EXPECT_EQ(keep_significant(open, {.sums = sums, .seed = seed}, 2, out).kept, 40U) << strange;
  }
}

}  // namespace
}  // namespace godwit::codec

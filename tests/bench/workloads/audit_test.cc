// What an audit finds in sums that are right, flipped and invented.
#include "bench/workloads/through/audit.h"

#include <vector>

#include <gtest/gtest.h>

namespace godwit::through {
namespace {

TEST(Audit, FindsNothingWhenAllHoldWhatWasPublished) {
  const std::vector<std::vector<std::int64_t>> published = {{1, -2, 3}, {10, 20, 30}};
  const std::vector<std::vector<std::int64_t>> held = {{11, 18, 33}, {11, 18, 33}};
  const Audit found = audit(held, published);
  EXPECT_TRUE(found.identical);
  EXPECT_EQ(found.conservation_defect, 0);
}

TEST(Audit, OneFlippedBitIsADefectAndADifference) {
  const std::vector<std::vector<std::int64_t>> published = {{1, -2, 3}, {10, 20, 30}};
  const std::vector<std::vector<std::int64_t>> held = {{11, 18, 33}, {11, 18 ^ (1 << 4), 33}};
  const Audit found = audit(held, published);
  EXPECT_FALSE(found.identical);
  EXPECT_EQ(found.conservation_defect, 16);
  EXPECT_EQ(found.elements_wrong, 1U);
}

TEST(Audit, EqualSumsThatNobodyPublishedAreADefect) {
  const std::vector<std::vector<std::int64_t>> published = {{5}};
  const std::vector<std::vector<std::int64_t>> held = {{6}, {6}};
  const Audit found = audit(held, published);
  EXPECT_TRUE(found.identical);
  EXPECT_EQ(found.conservation_defect, 2);
}

}  // namespace
}  // namespace godwit::through

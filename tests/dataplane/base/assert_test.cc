#include "dataplane/base/assert.h"

#include <gtest/gtest.h>

namespace godwit {
namespace {

TEST(AssertDeathTest, AFailureNamesItsConditionFileAndMeaning) {
  const int blocks = 3;

  EXPECT_DEATH(GODWIT_ASSERT(blocks == 4), "assert_test\\.cc:.*blocks == 4");
  EXPECT_DEATH(GODWIT_ASSERT(blocks == 4, "four were reserved"), "four were reserved");
}

TEST(Assert, AConditionThatHoldsIsEvaluatedOnceAndIsAnExpression) {
  int evaluated = 0;

  GODWIT_ASSERT(++evaluated == 1);
  evaluated == 1 ? GODWIT_ASSERT(true, "fine") : GODWIT_ASSERT(false);

  EXPECT_EQ(evaluated, 1);
}

}  // namespace
}  // namespace godwit

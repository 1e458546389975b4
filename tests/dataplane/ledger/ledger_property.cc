// The law of the ledger: whatever is lost, doubled, reordered or killed, every sum is exact.
#include <cstdlib>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "tests/dataplane/ledger/world.h"

namespace godwit::ledger::test {
namespace {

RC_GTEST_PROP(LedgerLaw, SumsAreExactWhateverFails, (std::uint64_t seed)) {
  World world({.seed = seed, .steps = *rc::gen::inRange(1, 120)});
  const std::string wrong = world.run();
  RC_LOG() << wrong;
  RC_ASSERT(wrong.empty());
}

// Seeds that do not depend on the property's generator: SEEDS=n runs more of them.
TEST(LedgerLaw, HoldsForTheFixedSeedsAndTheyDoCrash) {
  const char* wanted = std::getenv("SEEDS");
  const std::uint64_t seeds = wanted == nullptr ? 25 : std::strtoull(wanted, nullptr, 10);
  std::uint64_t crashes = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    World world({.seed = seed, .steps = 300});
    ASSERT_EQ(world.run(), "");
    crashes += world.crashes();
  }
  EXPECT_GT(crashes, seeds);
}

}  // namespace
}  // namespace godwit::ledger::test

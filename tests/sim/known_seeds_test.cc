// Seeds beyond those of each check that have found a fault.
#include <cstdint>

#include <gtest/gtest.h>

#include "tests/sim/campaign.h"

namespace godwit::sim {
namespace {

// A topic of several shards restarts, since its state was lost, while publishes are on their way.
TEST(KnownSeeds, ComeToEqualAndExactSums) {
  for (const std::uint64_t seed : {2315U, 4044U, 4628U, 5863U, 14500U, 14580U}) {
    const RunOptions run{.seed = seed, .level = Level::kStub};
    const RunResult result = run_on_fresh_thread(run);
    for (const auto& violation : result.violations) {
      ADD_FAILURE() << command(run) << "\n  " << violation;
    }
    EXPECT_GT(result.publishes, 0U);
  }
}

}  // namespace
}  // namespace godwit::sim

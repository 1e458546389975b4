// How many visits a lane needs: tiles per interval.
#include "scheduler/policy/sweep_demand.h"

#include <vector>

#include <gtest/gtest.h>

#include "tests/support/instants.h"

namespace godwit::scheduler {
namespace {

// A lane whose first `tiles` tiles change at `now`.
struct Lane {
  SweepDemand demand;
  std::vector<std::uint32_t> epochs = std::vector<std::uint32_t>(1000);
  std::vector<Instant> last = std::vector<Instant>(1000, Instant::never());

  void update(Instant now, std::size_t tiles) {
    for (std::size_t tile = 0; tile < tiles; ++tile) {
      const Duration gap = last[tile] == Instant::never() ? Duration::zero() : now - last[tile];
      epochs[tile] = demand.on_merge(now, gap, epochs[tile]);
      last[tile] = now;
    }
  }
};

TEST(SweepDemand, IsTilesPerInterval) {
  Lane lane;
  for (int round = 0; round < 10; ++round) {
    lane.update(at_ms(200 * round), 31);
  }
  EXPECT_EQ(lane.demand.interval(), Duration::ms(200));
  EXPECT_NEAR(lane.demand.visits_per_second(at_ms(1'850), 0), 31 / 0.2, 1e-9);
}

TEST(SweepDemand, AssumesAnIntervalBeforeItHasSeenOne) {
  Lane lane;
  lane.update(at_ms(0), 20);
  EXPECT_NEAR(lane.demand.visits_per_second(at_ms(1), 20), 20 / 0.1, 1e-9);
}

TEST(SweepDemand, DoesNotFallWhileASweepGoesOn) {
  Lane lane;
  for (int round = 0; round < 10; ++round) {
    lane.update(at_ms(100 * round), 40);
  }
  // Half are sent already: the other half must not get twice the depth.
  EXPECT_NEAR(lane.demand.visits_per_second(at_ms(950), 20), 400, 1e-9);
}

TEST(SweepDemand, CountsOnlyWhatIsPendingAfterAPause) {
  Lane lane;
  for (int round = 0; round < 10; ++round) {
    lane.update(at_ms(100 * round), 40);
  }
  EXPECT_NEAR(lane.demand.visits_per_second(at_ms(5'000), 3), 30, 1e-9);
  lane.update(at_ms(9'000), 5);
  EXPECT_LE(lane.demand.visits_per_second(at_ms(9'000), 5), 5 / 0.1);
}

TEST(SweepDemand, KeepsTheIntervalWithinItsBounds) {
  Lane fast;
  for (int round = 0; round < 100; ++round) {
    fast.update(at_ms(2 * round), 1);
  }
  EXPECT_EQ(fast.demand.interval(), SweepDemand::kIntervalMin);
  Lane slow;
  for (int round = 0; round < 10; ++round) {
    slow.update(at_ms(60'000 * round), 1);
  }
  EXPECT_EQ(slow.demand.interval(), SweepDemand::kIntervalMax);
}

TEST(SweepDemand, TakesMergesAtOneInstantForOneUpdate) {
  Lane lane;
  lane.update(at_ms(0), 4);
  lane.update(at_ms(0), 4);
  EXPECT_EQ(lane.demand.interval(), SweepDemand::kIntervalInitial);
  EXPECT_NEAR(lane.demand.visits_per_second(at_ms(0), 4), 40, 1e-9);
}

}  // namespace
}  // namespace godwit::scheduler

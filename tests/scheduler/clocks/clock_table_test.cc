// Clocks are released when the data they promise is covered, never before.
#include "scheduler/clocks/clock_table.h"

#include <array>

#include <gtest/gtest.h>

#include "tests/scheduler/samples.h"

namespace godwit::scheduler {
namespace {

ClockTable two_sites() {
  ClockTable table;
  table.declare(kTopic, std::array{kFra, kOre});
  return table;
}

TEST(ClockTable, HoldsATickUntilItsDataIsCovered) {
  ClockTable table = two_sites();
  EXPECT_FALSE(table.on_tick(kTopic, kFra, 7, 120));
  EXPECT_EQ(table.clock(kTopic, kFra), 0U);
  EXPECT_EQ(table.ticked(kTopic, kFra), 7U);
  EXPECT_FALSE(table.on_coverage(kTopic, kFra, 119));
  EXPECT_TRUE(table.on_coverage(kTopic, kFra, 120));
  EXPECT_EQ(table.clock(kTopic, kFra), 7U);
}

TEST(ClockTable, ReleasesATickAtOnceWhenItsDataCameFirst) {
  ClockTable table = two_sites();
  EXPECT_FALSE(table.on_coverage(kTopic, kFra, 50));
  EXPECT_TRUE(table.on_tick(kTopic, kFra, 3, 50));
  EXPECT_EQ(table.clock(kTopic, kFra), 3U);
}

TEST(ClockTable, ReleasesExactlyWhatIsCovered) {
  ClockTable table = two_sites();
  table.on_tick(kTopic, kFra, 1, 10);
  table.on_tick(kTopic, kFra, 2, 20);
  table.on_tick(kTopic, kFra, 3, 30);
  EXPECT_TRUE(table.on_coverage(kTopic, kFra, 25));
  EXPECT_EQ(table.clock(kTopic, kFra), 2U);
}

TEST(ClockTable, TakesTheMinimumOverTheSites) {
  ClockTable table = two_sites();
  table.on_tick(kTopic, kFra, 5, 0);
  EXPECT_EQ(table.clock_min(kTopic), 0U);
  table.on_tick(kTopic, kOre, 4, 0);
  EXPECT_EQ(table.clock_min(kTopic), 4U);
  std::vector<SiteId> missing;
  table.missing(kTopic, 5, missing);
  EXPECT_EQ(missing, std::vector<SiteId>{kOre});
}

TEST(ClockTable, NeverGoesBack) {
  ClockTable table = two_sites();
  table.on_tick(kTopic, kFra, 5, 0);
  EXPECT_FALSE(table.on_tick(kTopic, kFra, 4, 0));
  EXPECT_FALSE(table.on_tick(kTopic, kFra, 5, 9));
  EXPECT_EQ(table.clock(kTopic, kFra), 5U);
}

TEST(ClockTable, ReleasesLateRatherThanEarlyWhenManyTicksWait) {
  ClockTable table = two_sites();
  for (std::uint64_t clock = 1; clock <= 200; ++clock) {
    table.on_tick(kTopic, kFra, clock, 10 * clock);
  }
  // The newest ticks share one place: it needs the coverage of the last of them.
  table.on_coverage(kTopic, kFra, 1'000);
  EXPECT_EQ(table.clock(kTopic, kFra), ClockTable::kPendingTicks - 1);
  table.on_coverage(kTopic, kFra, 2'000);
  EXPECT_EQ(table.clock(kTopic, kFra), 200U);
}

TEST(ClockTable, ForgetsPendingTicksOfAnEarlierLife) {
  ClockTable table = two_sites();
  table.on_tick(kTopic, kFra, 1, 0);
  table.on_tick(kTopic, kFra, 2, 100);
  table.on_coverage(kTopic, kFra, 90);
  table.on_restart(kTopic, kFra);
  EXPECT_FALSE(table.on_coverage(kTopic, kFra, 100)) << "numbers of the new life mean other data";
  EXPECT_EQ(table.clock(kTopic, kFra), 1U);
  table.on_restart(kTopic, kFra);
  table.on_tick(kTopic, kFra, 2, 5);
  EXPECT_EQ(table.clock(kTopic, kFra), 1U);
  EXPECT_TRUE(table.on_coverage(kTopic, kFra, 5));
}

TEST(ClockTable, IgnoresWhatWasNotDeclared) {
  ClockTable table = two_sites();
  EXPECT_FALSE(table.on_tick(kTopic, SiteId::of("nowhere"), 1, 0));
  EXPECT_FALSE(table.on_tick(TopicId::of("other"), kFra, 1, 0));
  EXPECT_EQ(table.clock_min(TopicId::of("other")), 0U);
  EXPECT_EQ(table.site_count(kTopic), 2U);
}

TEST(ClockTable, KeepsClocksWhenTheSitesChange) {
  ClockTable table = two_sites();
  table.on_tick(kTopic, kFra, 5, 0);
  table.declare(kTopic, std::array{SiteId::of("syd"), kFra, kFra});
  EXPECT_EQ(table.site_count(kTopic), 2U);
  EXPECT_EQ(table.clock(kTopic, kFra), 5U);
  EXPECT_EQ(table.clock(kTopic, kOre), 0U);
  table.remove(kTopic);
  EXPECT_EQ(table.site_count(kTopic), 0U);
}

}  // namespace
}  // namespace godwit::scheduler

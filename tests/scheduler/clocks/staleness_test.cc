// Waiting for clocks: until every site is there, or the deadline says who is not.
#include "scheduler/clocks/staleness.h"

#include <array>

#include <gtest/gtest.h>

#include "tests/scheduler/samples.h"
#include "tests/support/instants.h"

namespace godwit::scheduler {
namespace {

class Staleness : public ::testing::Test {
 protected:
  void SetUp() override { clocks_.declare(kTopic, std::array{kFra, kOre}); }
  void tick(SiteId site, std::uint64_t clock) {
    clocks_.on_tick(kTopic, site, clock, 0);
    waits_.on_progress(kTopic);
  }
  ClockTable clocks_;
  StalenessWaits waits_{clocks_, 4};
  StalenessWaits::Done done_;
};

TEST_F(Staleness, IsOkWhenEverySiteHasReachedTheClock) {
  const auto id = waits_.add_wait(at_ms(0), kTopic, 3, at_ms(100));
  EXPECT_FALSE(waits_.poll_done(at_ms(0), done_));
  tick(kFra, 3);
  EXPECT_FALSE(waits_.poll_done(at_ms(1), done_));
  tick(kOre, 4);
  ASSERT_TRUE(waits_.poll_done(at_ms(2), done_));
  EXPECT_EQ(done_.id, *id);
  EXPECT_EQ(done_.outcome, WaitOutcome::kOk);
  EXPECT_TRUE(done_.missing.empty());
  EXPECT_FALSE(waits_.poll_done(at_ms(2), done_));
}

TEST_F(Staleness, IsPartialAtTheDeadlineAndNamesTheMissing) {
  waits_.add_wait(at_ms(0), kTopic, 3, at_ms(100));
  tick(kFra, 3);
  EXPECT_EQ(waits_.next_wakeup(), at_ms(100));
  EXPECT_FALSE(waits_.poll_done(at_ms(99), done_));
  ASSERT_TRUE(waits_.poll_done(at_ms(100), done_));
  EXPECT_EQ(done_.outcome, WaitOutcome::kPartial);
  EXPECT_EQ(done_.missing, std::vector<SiteId>{kOre});
  EXPECT_EQ(waits_.next_wakeup(), Instant::never());
}

TEST_F(Staleness, IsOkAtOnceWhenTheClockWasReachedBefore) {
  tick(kFra, 9);
  tick(kOre, 9);
  waits_.add_wait(at_ms(0), kTopic, 9, at_ms(0));
  EXPECT_LE(waits_.next_wakeup(), at_ms(0));
  ASSERT_TRUE(waits_.poll_done(at_ms(0), done_));
  EXPECT_EQ(done_.outcome, WaitOutcome::kOk);
}

TEST_F(Staleness, DoesNotWaitWhenThereIsNobodyToWaitFor) {
  waits_.add_wait(at_ms(0), TopicId::of("alone"), 9, at_ms(50));
  ASSERT_TRUE(waits_.poll_done(at_ms(0), done_));
  EXPECT_EQ(done_.outcome, WaitOutcome::kOk);
}

TEST_F(Staleness, ReportsInTheOrderOfArrivalAndOnlyOnce) {
  const auto first = waits_.add_wait(at_ms(0), kTopic, 1, at_ms(500));
  const auto later = waits_.add_wait(at_ms(0), kTopic, 2, at_ms(500));
  const auto early = waits_.add_wait(at_ms(0), kTopic, 1, at_ms(10));
  tick(kFra, 1);
  tick(kOre, 1);
  ASSERT_TRUE(waits_.poll_done(at_ms(20), done_));
  EXPECT_EQ(done_.id, *first);
  ASSERT_TRUE(waits_.poll_done(at_ms(20), done_));
  EXPECT_EQ(done_.id, *early);
  EXPECT_FALSE(waits_.poll_done(at_ms(20), done_));
  EXPECT_EQ(waits_.next_wakeup(), at_ms(500));
  EXPECT_TRUE(waits_.cancel(*later));
  EXPECT_FALSE(waits_.cancel(*later));
  EXPECT_EQ(waits_.waiting(), 0U);
}

TEST_F(Staleness, RefusesMoreWaitsThanItsLimit) {
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(waits_.add_wait(at_ms(0), kTopic, 1, at_ms(10)));
  }
  EXPECT_FALSE(waits_.add_wait(at_ms(0), kTopic, 1, at_ms(10)));
}

TEST(StalenessBound, IsTheOwnClockLessTheStaleness) {
  EXPECT_EQ(staleness_bound(10, 0), 10U) << "bulk-synchronous";
  EXPECT_EQ(staleness_bound(10, 3), 7U);
  EXPECT_EQ(staleness_bound(2, 5), 0U);
}

}  // namespace
}  // namespace godwit::scheduler

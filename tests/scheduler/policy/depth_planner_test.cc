// Budgets: one sweep per update, within the floor, the encoder's pace and the raw size.
#include "scheduler/policy/depth_planner.h"

#include <gtest/gtest.h>

#include "tests/scheduler/samples.h"

namespace godwit::scheduler {
namespace {

TEST(DepthPlanner, SharesTheRateOverTheVisits) {
  const DepthPlanner planner({.bytes_min = Bytes(256), .payload_share = 0.5, .cpu_share = 0.5});
  // 8 Mbit/s are 1,000,000 bytes/s; half of it for 100 visits/s.
  EXPECT_EQ(planner.plan(BitRate::mbps(8), 100, kTile, false), Bytes(5'000));
}

TEST(DepthPlanner, StaysAboveTheLeastVisitAndBelowTheRawSize) {
  const DepthPlanner planner;
  EXPECT_EQ(planner.plan(BitRate::bps(8'000), 1e6, kTile, false), Bytes(256));
  EXPECT_EQ(planner.plan(BitRate::mbps(1e6), 1, kTile, false), DepthPlanner::raw_size(kTile));
  EXPECT_EQ(planner.plan(BitRate::unlimited(), 1, kTile, false), DepthPlanner::raw_size(kTile));
  EXPECT_EQ(planner.plan(BitRate::bps(0), 1, kTile, false), Bytes(256));
  EXPECT_EQ(planner.plan(BitRate::mbps(1), 0, kTile, false), DepthPlanner::raw_size(kTile));
}

TEST(DepthPlanner, GivesASmallTileNoMoreThanItCanUse) {
  const DepthPlanner planner;
  EXPECT_EQ(planner.plan(BitRate::mbps(100), 1, 4, false), Bytes(4 * 8 + 64));
}

TEST(DepthPlanner, IsNotShallowerThanTheEncoderCanFollow) {
  DepthPlanner planner({.bytes_min = Bytes(256), .payload_share = 0.95, .cpu_share = 0.5});
  planner.on_encoded(Duration::us(200));
  // At half a core a tile takes 400 µs; 100 Mbit/s carry 5,000 bytes meanwhile.
  EXPECT_NEAR(
      static_cast<double>(planner.plan(BitRate::mbps(100), 1e6, kTile, false).count()), 5'000, 1);
}

TEST(DepthPlanner, GivesAChangingTileWhatOneUpdateIsWorth) {
  DepthPlanner planner({.bytes_min = Bytes(256), .cpu_share = 0.5, .bits_changing = 2});
  EXPECT_EQ(planner.plan(BitRate::mbps(1e6), 1, kTile, true), Bytes(8'192));
  EXPECT_EQ(planner.plan(BitRate::unlimited(), 1, kTile, true), Bytes(8'192));
  EXPECT_EQ(planner.plan(BitRate::mbps(8), 0, kTile, true), Bytes(8'192));
  EXPECT_EQ(planner.plan(BitRate::mbps(1), 1e6, kTile, true), Bytes(256));
  // Neither less than is worth a visit nor more than there is.
  EXPECT_EQ(planner.plan(BitRate::mbps(1e6), 1, 100, true), Bytes(256));
  EXPECT_EQ(planner.plan(BitRate::mbps(1e6), 1, 4, true), Bytes(4 * 8 + 64));
  planner.on_encoded(Duration::ms(1));  // 25,000 bytes at 100 Mbit/s: the link rests meanwhile
  EXPECT_EQ(planner.plan(BitRate::mbps(100), 1e6, kTile, true), Bytes(8'192));
}

TEST(DepthPlanner, TakesAThirdOfABudgetFirstWhereThatIsWorthAVisit) {
  constexpr double kFull = 1e6;  // Visits per second that leave the link no time.
  DepthPlanner planner({.bytes_min = Bytes(256), .payload_share = 0.95, .cpu_share = 0.5});
  EXPECT_EQ(planner.first_part(BitRate::mbps(100), kFull, Bytes(9'000)), Bytes(3'000));
  EXPECT_EQ(planner.first_part(BitRate::mbps(100), kFull, Bytes(700)), Bytes(700));
  EXPECT_EQ(planner.first_part(BitRate::unlimited(), kFull, Bytes(9'000)), Bytes(9'000));
  planner.on_encoded(Duration::us(200));  // 5,000 bytes at 100 Mbit/s and half a core
  EXPECT_EQ(planner.first_part(BitRate::mbps(100), kFull, Bytes(14'000)), Bytes(14'000));
  EXPECT_EQ(planner.first_part(BitRate::mbps(100), kFull, Bytes(18'000)), Bytes(6'000));
}

TEST(DepthPlanner, SparesTheFirstPartWhereASweepIsQuick) {
  const DepthPlanner planner;
  // 1,000,000 bytes/s: 100 visits of 9,000 bytes take 0.9 of a second, 50 of them 0.45.
  EXPECT_EQ(planner.first_part(BitRate::mbps(8), 100, Bytes(9'000)), Bytes(3'000));
  EXPECT_EQ(planner.first_part(BitRate::mbps(8), 50, Bytes(9'000)), Bytes(9'000));
}

TEST(DepthPlanner, LearnsTheTimeOfAnEncoding) {
  DepthPlanner planner;
  planner.on_encoded(Duration::us(100));
  for (int i = 0; i < 200; ++i) {
    planner.on_encoded(Duration::us(300));
  }
  EXPECT_NEAR(planner.encode_time().to_seconds(), 300e-6, 1e-6);
  planner.on_encoded(Duration::zero());
  EXPECT_NEAR(planner.encode_time().to_seconds(), 300e-6, 1e-6);
}

}  // namespace
}  // namespace godwit::scheduler

// Control gets 16 KiB at once and 1 % of the link for ever.
#include "scheduler/budget/control_policer.h"

#include <gtest/gtest.h>

namespace godwit::scheduler {
namespace {

TEST(ControlPolicer, AllowsABurstAndThenOnePercent) {
  const Instant start = Instant::from_ns(0);
  ControlPolicer policer(start, BitRate::mbps(16));
  EXPECT_TRUE(policer.try_take(start, Bytes::kib(16)));
  EXPECT_FALSE(policer.try_take(start, Bytes(1)));
  // 160 kbit/s are 20 bytes per millisecond.
  EXPECT_TRUE(policer.try_take(start + Duration::ms(10), Bytes(200)));
  EXPECT_EQ(policer.ready_at(start + Duration::ms(10), Bytes(20)), start + Duration::ms(11));
}

TEST(ControlPolicer, FollowsTheLinkButNeverBelowItsFloor) {
  const Instant start = Instant::from_ns(0);
  ControlPolicer policer(start, BitRate::mbps(100));
  EXPECT_EQ(policer.rate(), BitRate::mbps(1));
  policer.set_link_rate(start, BitRate::bps(64'000));
  EXPECT_EQ(policer.rate(), ControlPolicer::kRateMin);
  policer.set_link_rate(start, BitRate::unlimited());
  EXPECT_EQ(policer.rate(), BitRate::unlimited());
}

}  // namespace
}  // namespace godwit::scheduler

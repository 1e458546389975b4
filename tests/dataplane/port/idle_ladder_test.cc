#include "dataplane/port/dpdk/idle_ladder.h"

#include <gtest/gtest.h>

namespace godwit::port {
namespace {

TEST(IdleLadder, SpinsThenSleepsTwiceAsLongEachTimeUpToTwoMilliseconds) {
  IdleLadder ladder(Idle::kSleep);
  for (int look = 0; look < IdleLadder::kSpins; ++look) {
    EXPECT_EQ(ladder.on_empty(), Duration::zero());
  }
  for (const int us : {20, 40, 80, 160, 320, 640, 1280, 2000, 2000}) {
    EXPECT_EQ(ladder.on_empty(), Duration::us(us));
  }
}

TEST(IdleLadder, BeginsAnewWithEveryFrame) {
  IdleLadder ladder(Idle::kSleep);
  for (int look = 0; look < 100; ++look) {
    ladder.on_empty();
  }
  ladder.on_frames();
  EXPECT_EQ(ladder.on_empty(), Duration::zero());
  for (int look = 1; look < IdleLadder::kSpins; ++look) {
    ladder.on_empty();
  }
  EXPECT_EQ(ladder.on_empty(), Duration::us(20));
}

TEST(IdleLadder, NeverSleepsWhenItSpins) {
  IdleLadder ladder(Idle::kSpin);
  for (int look = 0; look < 1000; ++look) {
    EXPECT_EQ(ladder.on_empty(), Duration::zero());
  }
}

}  // namespace
}  // namespace godwit::port

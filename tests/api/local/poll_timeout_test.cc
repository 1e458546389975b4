#include "api/local/poll_timeout.h"

#include <gtest/gtest.h>

namespace godwit::local {
namespace {

constexpr Instant kNow = Instant::from_ns(7'000'000'000);

TEST(PollTimeout, IsForEverOnlyWhenNothingIsDueEver) {
  EXPECT_EQ(poll_timeout(kNow, Instant::never()), -1);
}

// A client slept for ever when it was preempted between drawing a short redial delay and sleeping:
// the delay had passed by 2 ms, and what was left, -1 ms, read as "no timeout".
TEST(PollTimeout, DoesNotTakeAnInstantThatHasPassedForNever) {
  for (const Duration late :
       {Duration::ns(1), Duration::ms(1), Duration::ms(2), Duration::ms(2500)}) {
    EXPECT_EQ(poll_timeout(kNow + late, kNow), 0);
  }
  EXPECT_EQ(poll_timeout(kNow, kNow), 0);
}

TEST(PollTimeout, EndsNoSoonerThanTheInstantAndLessThanAMillisecondLater) {
  EXPECT_EQ(poll_timeout(kNow, kNow + Duration::ns(1)), 1);
  EXPECT_EQ(poll_timeout(kNow, kNow + Duration::ms(1)), 1);
  EXPECT_EQ(poll_timeout(kNow, kNow + Duration::us(1001)), 2);
}

TEST(PollTimeout, IsCutAtAMinute) {
  EXPECT_EQ(poll_timeout(kNow, kNow + Duration::ms(59'999)), 59'999);
  EXPECT_EQ(poll_timeout(kNow, kNow + Duration::seconds(90'000)), 60'000);
  EXPECT_EQ(poll_timeout(Instant::from_ns(0), Instant::from_ns(Instant::never().ns() - 1)), 60'000);
}

}  // namespace
}  // namespace godwit::local

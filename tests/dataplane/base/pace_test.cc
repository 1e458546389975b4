// A burst, then one event every spacing, and never more.
#include "dataplane/base/pace.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "dataplane/base/random.h"
#include "tests/support/instants.h"

namespace godwit {
namespace {

TEST(Pace, AllowsABurstThenOneEverySpacing) {
  Pace pace(Duration::ms(10), 3);
  for (int count = 0; count < 3; ++count) {
    EXPECT_TRUE(pace.take(at_ms(1'000)));
  }
  EXPECT_FALSE(pace.take(at_ms(1'000)));
  EXPECT_FALSE(pace.take(at_ms(1'009)));
  EXPECT_TRUE(pace.take(at_ms(1'010)));
  EXPECT_FALSE(pace.take(at_ms(1'010)));
}

TEST(Pace, ABurstOfZeroAllowsNothing) {
  Pace pace(Duration::ms(10), 0);
  EXPECT_FALSE(pace.take(at_ms(1'000)));
  EXPECT_FALSE(pace.take(at_ms(100'000)));
}

// Whatever the calls, no window of time sees more than burst + window / spacing.
RC_GTEST_PROP(Pace, NeverExceedsItsRate, (std::uint64_t seed)) {
  Random random(seed);
  const std::int64_t burst = 1 + static_cast<std::int64_t>(random.below(20));
  Pace pace(Duration::ms(5), burst);
  Instant now = at_ms(50);
  const Instant begin = now;
  std::int64_t taken = 0;
  for (int call = 0; call < 500; ++call) {
    taken += pace.take(now) ? 1 : 0;
    RC_ASSERT(taken <= burst + (now - begin).count_ns() / Duration::ms(5).count_ns());
    now += Duration::us(static_cast<std::int64_t>(random.below(8'000)));
  }
}

}  // namespace
}  // namespace godwit

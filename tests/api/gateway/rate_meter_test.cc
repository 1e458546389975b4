#include "api/gateway/rate_meter.h"

#include <gtest/gtest.h>

namespace godwit::gateway {
namespace {

constexpr std::uint64_t kPerMs = 1000;  // bytes: 8 Mbit/s

// A total that grows by `kPerMs` while `busy`, looked at every millisecond.
struct Flow {
  RateMeter meter;
  Instant now = Instant::from_ns(5'000'000'000);
  std::uint64_t bytes = 777;  // what there was before

  Flow() { meter.on_total(now, bytes); }
  void run(int ms, bool busy) {
    for (int i = 0; i < ms; ++i) {
      now += Duration::ms(1);
      bytes += busy ? kPerMs : 0;
      meter.on_total(now, bytes);
    }
  }
  double mbps() const {
    return static_cast<double>(meter.rate(now, bytes).bits_per_second()) / 1e6;
  }
};

TEST(RateMeter, KnowsNothingBeforeTheFirstStep) {
  Flow flow;
  EXPECT_EQ(flow.mbps(), 0);
  flow.run(50, true);
  EXPECT_EQ(flow.mbps(), 0);
  EXPECT_EQ(RateMeter().rate(flow.now, 5).bits_per_second(), 0U);
}

TEST(RateMeter, IsRightWhileTheWindowFillsAndAfterwards) {
  Flow flow;
  flow.run(300, true);
  EXPECT_NEAR(flow.mbps(), 8, 0.01);
  flow.run(5000, true);
  EXPECT_NEAR(flow.mbps(), 8, 0.01);
}

TEST(RateMeter, ForgetsWithinTheWindowAndAStep) {
  Flow flow;
  flow.run(5000, true);
  flow.run(500, false);
  EXPECT_NEAR(flow.mbps(), 4, 0.8);  // half of the window, which is right to a tenth
  flow.run(600, false);
  EXPECT_EQ(flow.mbps(), 0);
}

TEST(RateMeter, IsTheMeanOverTheTimeInWhichNobodyLooked) {
  Flow flow;
  flow.run(2000, true);
  flow.now += Duration::seconds(4);
  flow.bytes += 4'000'000;  // as before, unseen
  EXPECT_NEAR(flow.mbps(), 8, 0.01);
}

}  // namespace
}  // namespace godwit::gateway

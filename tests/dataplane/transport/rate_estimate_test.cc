// What a link does in front of a bottleneck that is slower than its cap, becomes slower or faster,
// is only longer, or loses packets whatever is sent.
#include "dataplane/transport/rate_estimate.h"

#include <utility>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "tests/dataplane/transport/bottleneck.h"
#include "tests/support/instants.h"

namespace godwit::transport::testing {
namespace {

constexpr Duration kRtt = Duration::ms(100);
// For every change: the promise of a link that was cut or became slower.
constexpr Duration kBackWithin = Duration::ms(2'000) + kRtt * 4;
constexpr Duration kSecond = Duration::ms(1'000);

TEST(RateEstimate, FindsASlowPathWithoutACapAndLeavesItsQueueEmpty) {
  Bottleneck link(1, BitRate::unlimited(), {.rate = BitRate::mbps(5), .rtt = kRtt});
  EXPECT_EQ(link.shaper.expected(), BitRate());
  link.run(kSecond * 5);
  EXPECT_NEAR(static_cast<double>(link.shaper.expected().bits_per_second()), 5e6, 0.25e6);
  const auto seen = link.run(kSecond * 20);
  EXPECT_GE(seen.delivered, 0.93 * 5e6);
  EXPECT_LE(seen.queue_mean_ms, 8);   // three packets have 7
  EXPECT_LE(seen.queue_most_ms, 20);  // a probe's 10 and a train
  EXPECT_EQ(seen.lost, 0);
}

TEST(RateEstimate, ACapFarAboveThePathFillsNoBuffer) {
  Bottleneck link(2, BitRate::mbps(100), {.rate = BitRate::mbps(20), .rtt = kRtt});
  link.run(kSecond * 5);
  const auto seen = link.run(kSecond * 20);
  EXPECT_GE(seen.delivered, 0.95 * 20e6);
  EXPECT_LE(seen.queue_mean_ms, 5);
  EXPECT_LE(seen.queue_most_ms, 15);
}

TEST(RateEstimate, APathThatCarriesItsCapIsNeverBounded) {
  // The job of three data centres: acknowledgements may be late by a busy worker's turns.
  Bottleneck link(
      3,
      BitRate::mbps(16.76),
      {.rate = BitRate::mbps(16.76), .rtt = Duration::ms(328), .jitter = Duration::ms(40)});
  link.run(kSecond * 4);  // the window opens
  for (int second = 0; second < 60; ++second) {
    const auto seen = link.run(kSecond);
    ASSERT_FALSE(link.shaper.estimate().is_bounded()) << second;
    ASSERT_EQ(link.shaper.rate(), LinkShaper::usable(BitRate::mbps(16.76)));
    ASSERT_NEAR(seen.delivered, 0.97 * 16.76e6, 0.1e6) << second;
  }
}

TEST(RateEstimate, FollowsAPathThatBecomesSlower) {
  Bottleneck link(
      4, BitRate::mbps(50), {.rate = BitRate::mbps(50), .rtt = kRtt, .buffer = Duration::ms(100)});
  link.run(kSecond * 4);
  EXPECT_FALSE(link.shaper.estimate().is_bounded());
  link.path.rate = BitRate::mbps(20);
  link.path.buffer = Duration::ms(250);  // the same bytes
  link.run(kBackWithin);
  const auto seen = link.run(kSecond * 5);
  EXPECT_GE(seen.delivered, 0.95 * 20e6);
  EXPECT_LE(seen.queue_mean_ms, 5);
  EXPECT_EQ(seen.lost, 0);
}

TEST(RateEstimate, FindsAFasterPathWithinSecondsAndReturnsToItsCap) {
  Bottleneck link(5, BitRate::mbps(50), {.rate = BitRate::mbps(5), .rtt = kRtt});
  link.run(kSecond * 10);
  link.path.rate = BitRate::mbps(60);
  // At most a pause of ten rounds, then four probes of two rounds.
  const Duration took = link.until(0.97 * 50.0 / 60.0 * 0.98, kRtt, kSecond * 10);
  EXPECT_LE(took, kBackWithin);
  EXPECT_FALSE(link.shaper.estimate().is_bounded());
  EXPECT_EQ(link.shaper.rate(), LinkShaper::usable(BitRate::mbps(50)));
}

TEST(RateEstimate, IsForgottenWhenTheLinkTakesAnotherPath) {
  const auto peer = [](const char* text) { return port::Peer::parse(text).value(); };
  const port::Peer own = peer("192.0.2.1:1");
  const port::Peer first = peer("192.0.2.2:1");
  Bottleneck link(11, BitRate::mbps(50), {.rate = BitRate::mbps(5), .rtt = kRtt});
  link.shaper.use_path(own, first);
  link.run(kSecond * 5);
  ASSERT_TRUE(link.shaper.estimate().is_bounded());
  // A session with the next worker goes the same way.
  link.shaper.use_path(own, first.with_port(2));
  EXPECT_TRUE(link.shaper.estimate().is_bounded());
  for (const auto& [local, remote] : {std::pair(own, peer("198.51.100.2:1")),
                                      std::pair(peer("198.51.100.1:1"), peer("198.51.100.2:1"))}) {
    link.shaper.use_path(local, remote);
    EXPECT_TRUE(link.shaper.is_on_path(local, remote));
    EXPECT_FALSE(link.shaper.is_on_path(own, first));
    EXPECT_FALSE(link.shaper.estimate().is_bounded());
    EXPECT_EQ(link.shaper.rate(), LinkShaper::usable(BitRate::mbps(50)));
    EXPECT_EQ(link.shaper.estimate().delivery(), BitRate());
    link.run(kSecond * 5);
    EXPECT_TRUE(link.shaper.estimate().is_bounded());
  }
}

TEST(RateEstimate, FindsAFasterPathWithoutACap) {
  Bottleneck link(6, BitRate::unlimited(), {.rate = BitRate::mbps(5), .rtt = kRtt});
  link.run(kSecond * 10);
  link.path.rate = BitRate::mbps(50);
  EXPECT_LE(link.until(0.9, kRtt, kSecond * 10), kBackWithin);
  link.run(kSecond * 2);  // the last probe asked for too much
  const auto seen = link.run(kSecond * 10);
  EXPECT_GE(seen.delivered, 0.93 * 50e6);
}

TEST(RateEstimate, ALongerPathIsNoQueueForLong) {
  for (const BitRate cap : {BitRate::unlimited(), BitRate::mbps(20)}) {
    Bottleneck link(7, cap, {.rate = BitRate::mbps(20), .rtt = Duration::ms(40)});
    link.run(kSecond * 5);
    link.path.rtt = Duration::ms(90);
    link.run(kSecond * 4);  // a drain that shortens nothing
    const auto seen = link.run(kSecond * 10);
    EXPECT_GE(seen.delivered, 0.93 * 20e6);
  }
}

TEST(RateEstimate, LossesByChanceDoNotStarveALink) {
  for (const double loss : {0.01, 0.05}) {
    Bottleneck link(8, BitRate::mbps(20), {.rate = BitRate::mbps(20), .rtt = kRtt, .loss = loss});
    link.run(kSecond * 4);
    const auto seen = link.run(kSecond * 20);
    EXPECT_NEAR(seen.delivered, 0.97 * (1 - loss) * 20e6, 0.2e6) << loss;
  }
  // Rounds of eight packets: one that is lost is an eighth.
  Bottleneck slow(
      8, BitRate::mbps(2), {.rate = BitRate::mbps(2), .rtt = Duration::ms(50), .loss = 0.05});
  slow.run(kSecond * 4);
  EXPECT_GE(slow.run(kSecond * 20).delivered, 0.97 * 0.94 * 2e6);
  // More than congestion is told by: it is found out again and again that they are not ours.
  Bottleneck link(8, BitRate::mbps(20), {.rate = BitRate::mbps(20), .rtt = kRtt, .loss = 0.15});
  link.run(kSecond * 4);
  EXPECT_GE(link.run(kSecond * 30).delivered, 0.6 * 0.85 * 20e6);
}

TEST(RateEstimate, AShallowBufferIsNotOverdriven) {
  Bottleneck link(9,
                  BitRate::mbps(50),
                  {.rate = BitRate::mbps(20), .rtt = Duration::ms(40), .buffer = Duration::ms(3)});
  link.run(kSecond * 5);
  const auto seen = link.run(kSecond * 20);
  EXPECT_GE(seen.delivered, 0.85 * 20e6);
  EXPECT_LE(seen.lost, 0.1);  // at the cap three of five would be
}

TEST(RateEstimate, WhoHasLittleToSendLowersNothing) {
  Bottleneck link(10, BitRate::unlimited(), {.rate = BitRate::mbps(20), .rtt = Duration::ms(40)});
  link.run(kSecond * 5);
  const BitRate busy = link.shaper.expected();
  link.path.app_share = 0.02;
  const auto seen = link.run(kSecond * 20);
  EXPECT_LT(seen.delivered, 0.2 * 20e6);
  EXPECT_GE(link.shaper.expected().bits_per_second(), busy.bits_per_second() * 95 / 100);
}

// A link of 20 Mbit/s that is fed by hand.
struct Fed {
  // Every 10 ms until `end_ms` what the link carries in that time.
  void until(int end_ms, int rtt_ms) {
    for (; at_ms_ < end_ms; at_ms_ += 10) {
      shaper.on_held(Duration::ms(10));
      shaper.on_arrival(at_ms(at_ms_), {.settled = 24'000, .rtt = Duration::ms(rtt_ms)});
    }
  }
  LinkShaper shaper = LinkShaper(BitRate::mbps(20));

 private:
  int at_ms_ = 0;
};

TEST(RateEstimate, CutsTellNothing) {
  Fed link;
  link.until(2'000, 40);
  for (const int ms : {5'000, 8'000}) {
    // What was under way when it began comes three seconds late, and most of it is lost.
    link.shaper.on_held(Duration::ms(3'000));
    link.shaper.on_arrival(at_ms(ms),
                           {.settled = 100'000, .lost = 90'000, .rtt = Duration::ms(3'040)});
  }
  EXPECT_FALSE(link.shaper.estimate().is_bounded());
}

TEST(RateEstimate, WhatALateWorkerAddsToALongPathIsNoQueue) {
  Fed link;
  link.until(2'000, 328);
  link.until(4'000, 328 + 30);
  EXPECT_FALSE(link.shaper.estimate().is_bounded());
  link.until(5'500, 328 + 60);  // two rounds, and one that was running
  EXPECT_TRUE(link.shaper.estimate().is_bounded());
}

// Seen where training begins at all sites of one machine: acknowledgements are late by the turns of
// busy workers while the congestion window still opens.
TEST(RateEstimate, AWindowThatOpensOnABusyMachineIsNoBottleneck) {
  RateEstimate estimate;
  estimate.set_ceiling(BitRate::mbps(386));
  for (int ms = 0; ms < 2'000; ms += 10) {  // control alone
    estimate.on_arrival(at_ms(ms), {.settled = 100, .rtt = Duration::ms(150)});
  }
  for (int ms = 0; ms < 1'050; ms += 10) {
    estimate.on_held(Duration::ms(10));
    estimate.on_arrival(at_ms(2'000 + ms),
                        {.settled = std::uint64_t{500} << static_cast<unsigned>(ms / 150),
                         .rtt = Duration::ms(175)});
    ASSERT_FALSE(estimate.is_bounded()) << ms;
  }
}

TEST(RateEstimate, IsTheRateOfArrivalsThatWereWaitedFor) {
  RateEstimate estimate;
  EXPECT_EQ(estimate.delivery(), BitRate());
  // 1,250 bytes in 10 ms are a megabit in a second.
  for (int ms = 0; ms < 1'000; ms += 10) {
    estimate.on_held(Duration::ms(10));
    estimate.on_arrival(at_ms(ms), {.settled = 1'250, .rtt = Duration::ms(40)});
  }
  EXPECT_EQ(estimate.delivery(), BitRate::mbps(1));
  // Nobody waits, and less arrives: the application's doing.
  for (int ms = 1'000; ms < 9'000; ms += 10) {
    estimate.on_arrival(at_ms(ms), {.settled = 125, .rtt = Duration::ms(40)});
  }
  EXPECT_EQ(estimate.delivery(), BitRate::mbps(1));
  // It is waited for, and less arrives: after ten rounds of 40 ms the former rate is forgotten.
  for (int ms = 9'000; ms < 9'500; ms += 10) {
    estimate.on_held(Duration::ms(10));
    estimate.on_arrival(at_ms(ms), {.settled = 125, .rtt = Duration::ms(40)});
  }
  EXPECT_EQ(estimate.delivery(), BitRate::mbps(0.1));
  EXPECT_FALSE(estimate.is_bounded());
}

// Whatever the path, its buffer and the cap: nearly all of it is used, and little of it is lost or
// waited for.
RC_GTEST_PROP(RateEstimateProperty, AnyPathIsFilledAndItsQueueIsShort, ()) {
  const int kbps = *rc::gen::inRange(2'000, 20'000);
  const int rtt_ms = *rc::gen::inRange(5, 300);
  const int buffer_ms = *rc::gen::inRange(60, 500);
  const bool has_cap = *rc::gen::arbitrary<bool>();
  const double cap_share = *rc::gen::inRange(103, 1'000) / 100.0;
  const BitRate rate = BitRate::bps(static_cast<std::uint64_t>(kbps) * 1'000);
  Bottleneck link(static_cast<std::uint64_t>(kbps),
                  has_cap ? BitRate::mbps(kbps / 1e3 * cap_share) : BitRate::unlimited(),
                  {.rate = rate, .rtt = Duration::ms(rtt_ms), .buffer = Duration::ms(buffer_ms)});
  link.run(kSecond * 8);
  const auto seen = link.run(kSecond * 8);
  const double packet_ms = rate.time_for(RateEstimate::kPacket).to_seconds() * 1e3;
  RC_LOG() << kbps << " kbit/s, " << rtt_ms << " ms, buffer " << buffer_ms << " ms, cap "
           << (has_cap ? cap_share : 0) << ": " << seen.delivered / 1e6 << " Mbit/s, queue "
           << seen.queue_mean_ms << " ms, lost " << seen.lost;
  RC_ASSERT(seen.delivered >= 0.85 * static_cast<double>(rate.bits_per_second()));
  RC_ASSERT(seen.queue_mean_ms <= 12 + 3 * packet_ms + rtt_ms / 16.0);
  RC_ASSERT(seen.lost <= 0.01);
}

}  // namespace
}  // namespace godwit::transport::testing

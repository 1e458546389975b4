#include "bench/wan/link.h"

#include <vector>

#include <gtest/gtest.h>

#include "tests/support/instants.h"

namespace godwit::wan {
namespace {

// 12 Mbit/s: a packet of 1,500 bytes takes exactly 1 ms.
constexpr std::uint32_t kPacket = 1500;

LinkSettings settings(double loss = 0, Bytes queue = Bytes(15'000)) {
  LinkSettings s;
  s.rate = BitRate::bps(12'000'000);
  s.delay = Duration::ms(10);
  s.loss = loss;
  s.queue = queue;
  return s;
}

Outcome send(Link& link, Instant now, std::uint32_t frame) {
  link.count_in(kPacket);
  return link.queue(now, frame, kPacket);
}

std::vector<Instant> due_times(Link& link) {
  std::vector<Instant> times;
  while (!link.empty()) {
    times.push_back(link.next_due());
    link.delivered(link.pop().size, Duration::zero());
  }
  return times;
}

TEST(Link, DelaysALonePacketByItsTransmissionAndTheDelay) {
  Link link(settings(), 1);
  EXPECT_EQ(send(link, at_ms(100), 7), Outcome::kHeld);
  EXPECT_EQ(link.next_due(), at_ms(111));
  EXPECT_EQ(link.pop().frame, 7U);
  EXPECT_EQ(link.next_due(), Instant::never());
}

TEST(Link, SpacesABurstAtTheRate) {
  Link link(settings(), 1);
  for (std::uint32_t i = 0; i < 3; ++i) {
    send(link, at_ms(0), i);
  }
  EXPECT_EQ(due_times(link), (std::vector{at_ms(11), at_ms(12), at_ms(13)}));
}

TEST(Link, TellsHowLongPacketsWaitedForTheLine) {
  Link link(settings(1), 1);  // every packet is lost behind the line, and has waited all the same
  for (std::uint32_t i = 0; i < 3; ++i) {
    send(link, at_ms(0), i);
  }
  send(link, at_ms(50), 3);
  const LatenessHistogram& waits = link.counters().queueing;
  EXPECT_EQ(waits.count(), 4U);
  EXPECT_EQ(waits.max(), Duration::ms(2));
  // 0, 1, 2 and 0 ms; a bucket's edge is at most 1/16 above.
  EXPECT_GE(waits.quantile(0.75), Duration::ms(1));
  EXPECT_LE(waits.quantile(0.75), Duration::us(1063));
  EXPECT_LE(waits.quantile(0.5), Duration::us(1));
}

TEST(Link, DropsWhatDoesNotFitIntoTheQueue) {
  Link link(settings(0, Bytes(3'000)), 1);
  EXPECT_EQ(send(link, at_ms(0), 0), Outcome::kHeld);
  EXPECT_EQ(send(link, at_ms(0), 1), Outcome::kHeld);
  EXPECT_EQ(send(link, at_ms(0), 2), Outcome::kDroppedQueue);
  // After 1 ms one packet has left.
  EXPECT_EQ(send(link, at_ms(1), 3), Outcome::kHeld);
  EXPECT_EQ(link.counters().drops_queue, 1U);
  EXPECT_EQ(link.counters().bytes_dropped, kPacket);
}

TEST(Link, TakesAPacketLargerThanItsQueueWhenIdle) {
  Link link(settings(0, Bytes(1'000)), 1);
  EXPECT_EQ(send(link, at_ms(0), 0), Outcome::kHeld);
  EXPECT_EQ(send(link, at_ms(0), 1), Outcome::kDroppedQueue);
}

TEST(Link, LosesTheShareThatIsSetAndChargesTheLineForIt) {
  Link link(settings(0.25), 42);
  int lost = 0;
  constexpr int kPackets = 20'000;
  for (int i = 0; i < kPackets; ++i) {
    lost += send(link, at_ms(2 * i), 0) == Outcome::kDroppedLoss ? 1 : 0;
  }
  // Four standard deviations of a binomial draw: 4 * sqrt(20000 * 0.25 * 0.75) = 245.
  EXPECT_NEAR(lost, kPackets / 4, 245);
  EXPECT_EQ(link.counters().drops_loss, static_cast<std::uint64_t>(lost));

  // Two lost packets fill a queue of 3,000 bytes.
  Link all(settings(1, Bytes(3'000)), 1);
  EXPECT_EQ(send(all, at_ms(0), 0), Outcome::kDroppedLoss);
  EXPECT_EQ(send(all, at_ms(0), 1), Outcome::kDroppedLoss);
  EXPECT_EQ(send(all, at_ms(0), 2), Outcome::kDroppedQueue);
}

TEST(Link, LosesTheSamePacketsForTheSameSeed) {
  Link a(settings(0.1), 9);
  Link b(settings(0.1), 9);
  for (int i = 0; i < 500; ++i) {
    EXPECT_EQ(send(a, at_ms(2 * i), 0), send(b, at_ms(2 * i), 0));
  }
}

TEST(Link, LosesEverythingOnItWhenCutAndStartsEmptyWhenHealed) {
  Link link(settings(), 1);
  send(link, at_ms(0), 4);
  send(link, at_ms(0), 5);
  std::vector<std::uint32_t> released;
  link.cut(released);
  EXPECT_EQ(released, (std::vector<std::uint32_t>{4, 5}));
  EXPECT_TRUE(link.is_cut());
  EXPECT_TRUE(link.empty());
  EXPECT_EQ(link.counters().drops_cut, 2U);
  EXPECT_EQ(link.counters().packets_held, 0U);
  link.heal();
  EXPECT_FALSE(link.is_cut());
  send(link, at_ms(1), 6);
  EXPECT_EQ(link.next_due(), at_ms(12));
}

TEST(Link, SendsWhatIsQueuedAtANewRate) {
  Link link(settings(), 1);
  for (std::uint32_t i = 0; i < 3; ++i) {
    send(link, at_ms(0), i);
  }
  LinkSettings half = settings();
  half.rate = BitRate::bps(6'000'000);
  // Packet 0 has left (at 1 ms); of packet 1 three quarters remain, which now take 1.5 ms; packet
  // 2 takes 2 ms.
  link.change(Instant::from_ns(1'250'000), half);
  EXPECT_EQ(due_times(link),
            (std::vector{at_ms(11), Instant::from_ns(12'750'000), Instant::from_ns(14'750'000)}));
}

TEST(Link, KeepsTheOrderWhenTheDelayShrinks) {
  Link link(settings(), 1);
  send(link, at_ms(0), 0);
  LinkSettings near = settings();
  near.delay = Duration::zero();
  link.change(at_ms(2), near);
  send(link, at_ms(2), 1);
  EXPECT_EQ(due_times(link), (std::vector{at_ms(11), at_ms(11)}));
}

TEST(Link, BoundsWhatAnUnlimitedLinkHolds) {
  LinkSettings far;
  far.delay = Duration::seconds(1);
  Link link(far, 1);
  const std::uint64_t fit = kHeldBytesMax.count() / kPacket;
  for (std::uint64_t i = 0; i < fit; ++i) {
    ASSERT_EQ(send(link, at_ms(0), 0), Outcome::kHeld);
  }
  EXPECT_EQ(send(link, at_ms(0), 0), Outcome::kDroppedQueue);
}

TEST(Link, ResetKeepsTheCountOfWhatIsHeld) {
  Link link(settings(), 1);
  send(link, at_ms(0), 0);
  send(link, at_ms(0), 1);
  link.delivered(link.pop().size, Duration::us(5));
  link.reset_counters();
  EXPECT_EQ(link.counters().packets_in, 1U);
  EXPECT_EQ(link.counters().packets_held, 1U);
  EXPECT_EQ(link.counters().bytes_in, kPacket);
  EXPECT_EQ(link.counters().packets, 0U);
  EXPECT_EQ(link.counters().lateness.count(), 0U);
}

TEST(DefaultQueue, IsABandwidthDelayProductWithinBounds) {
  // 16.76 Mbit/s for 328 ms are 687,160 bytes.
  EXPECT_EQ(default_queue(BitRate::bps(16'760'000), Duration::ms(164)), Bytes(687'160));
  EXPECT_EQ(default_queue(BitRate::bps(1'000'000), Duration::ms(1)), Bytes::kib(64));
  EXPECT_EQ(default_queue(BitRate::unlimited(), Duration::ms(1)), kHeldBytesMax);
}

TEST(LatenessHistogram, QuantilesLieAtMostASixteenthAbove) {
  LatenessHistogram histogram;
  for (int i = 1; i <= 1000; ++i) {
    histogram.record(Duration::us(i));
  }
  for (const double q : {0.5, 0.9, 0.99, 0.999}) {
    const double exact = q * 1e6;  // the q-th of 1..1000 us, in ns
    const auto found = static_cast<double>(histogram.quantile(q).count_ns());
    EXPECT_GE(found, exact);
    EXPECT_LE(found, exact * 17 / 16);
  }
  EXPECT_EQ(histogram.max(), Duration::ms(1));
  EXPECT_EQ(histogram.quantile(1), Duration::ms(1));
}

TEST(LatenessHistogram, TakesAnyDuration) {
  LatenessHistogram histogram;
  histogram.record(-Duration::ms(1));
  EXPECT_EQ(histogram.quantile(1), Duration::zero());
  histogram.record(Duration::max());
  EXPECT_EQ(histogram.max(), Duration::max());
  EXPECT_EQ(histogram.count(), 2U);
}

}  // namespace
}  // namespace godwit::wan

// Real sessions on links whose cap is not what the path carries: rate, queue, and who held them
// back.

#include <gtest/gtest.h>

#include "dataplane/transport/shaper.h"
#include "tests/dataplane/transport/pair.h"

namespace godwit::transport::testing {
namespace {

// Bulk from the first site to the second, and what the link makes of it.
class Loaded {
 public:
  struct Seen {
    double goodput = 0;  // bit/s of transfers
    Duration queue;      // the mean round trip above the path's own
    Duration held_by_cap;
    Duration held_by_congestion;
  };

  Loaded(std::uint64_t seed,
         const port::LinkConditions& line,
         BitRate cap,
         const QuicOptions& options = {})
      : pair(seed, line, cap, options), line_(line) {
    pair.b.keeps_transfers = false;
    pair.a.on_turn = [this](Instant now, Site&) {
      while (is_busy && pair.dialled->wants_transfer()) {
        pair.dialled->send_transfer(now, numbered(++number_, 16'000));
      }
    };
  }
  Seen run(Duration time) {
    const SessionStats before = pair.dialled->stats();
    const std::uint64_t bytes = pair.b.transfer_bytes;
    constexpr Duration kStep = Duration::ms(10);
    Duration sum = Duration::zero();
    std::int64_t looks = 0;
    for (Duration at = Duration::zero(); at < time; at += kStep, ++looks) {
      pair.world.run(kStep);
      sum += pair.dialled->stats().rtt_smoothed - line_.delay * 2;
    }
    const SessionStats after = pair.dialled->stats();
    return {.goodput = static_cast<double>(pair.b.transfer_bytes - bytes) * 8 / time.to_seconds(),
            .queue = sum / looks,
            .held_by_cap = after.held_by_cap - before.held_by_cap,
            .held_by_congestion = after.held_by_congestion - before.held_by_congestion};
  }
  void set_rate(BitRate rate) {
    line_.rate = rate;
    pair.world.network().set_link(pair.a.address, pair.b.address, line_);
  }
  double rate() const { return static_cast<double>(pair.dialled->stats().rate.bits_per_second()); }
  std::uint64_t dropped() {
    return pair.world.network().link_counters(pair.a.address, pair.b.address).packets_dropped;
  }

  bool is_busy = true;
  Pair pair;

 private:
  port::LinkConditions line_;
  std::uint32_t number_ = 0;
};

// After a change on a path of 100 ms: the promise of a link that was cut or became slower.
constexpr Duration kBackWithin = Duration::ms(2'400);
// Of the line's rate, what is payload of full packets; see the figures of `bench/run dataplane`.
constexpr double kPayload = 0.95;

TEST(LinkRate, WithoutACapItIsThatOfThePath) {
  Loaded link(1,
              {.delay = Duration::ms(20), .rate = BitRate::mbps(5), .queue_bytes = 200'000},
              BitRate::unlimited());
  link.run(Duration::ms(4'000));
  const auto seen = link.run(Duration::ms(12'000));
  EXPECT_GE(seen.goodput, 0.9 * kPayload * 5e6);
  EXPECT_LE(seen.queue, Duration::ms(15));  // three packets have 7
  EXPECT_NEAR(link.rate(), 5e6, 0.4e6);
}

TEST(LinkRate, ACapAboveThePathFillsNoBuffer) {
  Loaded link(2,
              {.delay = Duration::ms(50), .rate = BitRate::mbps(20), .queue_bytes = 500'000},
              BitRate::mbps(60));
  link.run(Duration::ms(4'000));
  const std::uint64_t dropped = link.dropped();
  const auto seen = link.run(Duration::ms(12'000));
  EXPECT_GE(seen.goodput, 0.85 * kPayload * 20e6);
  EXPECT_LE(seen.queue, Duration::ms(12));
  EXPECT_EQ(link.dropped(), dropped);
}

TEST(LinkRate, FollowsAStepDownAndUpAgain) {
  Loaded link(3,
              {.delay = Duration::ms(50), .rate = BitRate::mbps(50), .queue_bytes = 625'000},
              BitRate::mbps(50));
  link.run(Duration::ms(5'000));
  link.set_rate(BitRate::mbps(20));
  link.run(kBackWithin);
  auto seen = link.run(Duration::ms(4'000));
  EXPECT_GE(seen.goodput, 0.9 * kPayload * 20e6);
  EXPECT_LE(seen.queue, Duration::ms(12));
  link.set_rate(BitRate::mbps(50));
  link.run(kBackWithin);
  seen = link.run(Duration::ms(2'000));
  EXPECT_GE(seen.goodput, 0.9 * kPayload * 50e6);
}

// The job of three data centres: nothing but the cap may decide.
TEST(LinkRate, APathThatCarriesItsCapIsNotSlowedDown) {
  Loaded link(4,
              {.delay = Duration::ms(164),
               .jitter = Duration::ms(10),
               .rate = BitRate::mbps(16.76),
               .queue_bytes = 687'000},
              BitRate::mbps(16.76));
  link.run(Duration::ms(6'000));
  for (int second = 0; second < 20; ++second) {
    link.run(Duration::ms(1'000));
    ASSERT_EQ(link.pair.dialled->stats().rate, LinkShaper::usable(BitRate::mbps(16.76))) << second;
  }
  EXPECT_EQ(link.dropped(), 0U);
}

TEST(LinkRate, TwoSessionsShareOnePath) {
  Loaded link(5,
              {.delay = Duration::ms(20), .rate = BitRate::mbps(10), .queue_bytes = 250'000},
              BitRate::unlimited());
  Session* second = link.pair.world.dial(link.pair.a, link.pair.b);
  const auto first = link.pair.a.on_turn;
  link.pair.a.on_turn = [&](Instant now, Site& site) {
    first(now, site);
    while (second->wants_transfer()) {
      second->send_transfer(now, numbered(1, 16'000));
    }
  };
  link.run(Duration::ms(5'000));
  const std::uint64_t before = second->stats().transfers_sent;
  const auto seen = link.run(Duration::ms(10'000));  // the goodput is that of both
  EXPECT_GE(seen.goodput, 0.85 * kPayload * 10e6);
  EXPECT_LE(seen.queue, Duration::ms(15));
  const auto share =
      static_cast<double>(second->stats().transfers_sent - before) * 16'000 * 8 / 10 / seen.goodput;
  EXPECT_NEAR(share, 0.5, 0.15);
}

TEST(Held, ByTheCapWhereItIsTheLimit) {
  Loaded link(6, {.delay = Duration::ms(20)}, BitRate::mbps(10));
  link.run(Duration::ms(1'000));
  const auto seen = link.run(Duration::ms(4'000));
  EXPECT_GE(seen.held_by_cap, Duration::ms(3'600));
  EXPECT_LE(seen.held_by_congestion, Duration::ms(100));
}

TEST(Held, ByThePathWhereItCarriesLess) {
  for (const BitRate cap : {BitRate::unlimited(), BitRate::mbps(40)}) {
    Loaded link(
        7, {.delay = Duration::ms(20), .rate = BitRate::mbps(10), .queue_bytes = 250'000}, cap);
    link.run(Duration::ms(4'000));
    const auto seen = link.run(Duration::ms(4'000));
    EXPECT_GE(seen.held_by_congestion, Duration::ms(3'600));
    EXPECT_EQ(seen.held_by_cap, Duration::zero());
  }
}

TEST(Held, ByTheCongestionWindowAfterLosses) {
  QuicOptions options;
  options.congestion = CongestionControl::kCubic;
  Loaded link(8, {.delay = Duration::ms(20), .loss = 0.02}, BitRate::mbps(50), options);
  link.run(Duration::ms(2'000));
  const auto seen = link.run(Duration::ms(4'000));
  EXPECT_GE(seen.held_by_congestion, Duration::ms(3'000));
}

TEST(Held, ByNobodyWhenNothingWaits) {
  Loaded link(9, {.delay = Duration::ms(20)}, BitRate::mbps(10));
  link.run(Duration::ms(1'000));
  link.is_busy = false;
  link.run(Duration::ms(200));
  const auto seen = link.run(Duration::ms(4'000));
  EXPECT_EQ(seen.held_by_cap, Duration::zero());
  EXPECT_EQ(seen.held_by_congestion, Duration::zero());
}

TEST(LinkRate, ALongRoundTripHasAWindowOfItsOwn) {
  World world(10);
  Site& a = world.site("fra");
  Site& b = world.site("syd");
  PeerConfig link;
  link.cap = BitRate::mbps(16);
  link.rtt_expected = Duration::seconds(4);
  world.join(a, b, {.delay = Duration::seconds(2)}, link);
  Session* dialled = world.dial(a, b, link.rtt_expected);
  keep_busy(a, *dialled, 16'000);
  b.keeps_transfers = false;
  world.run(Duration::seconds(120));
  const std::uint64_t before = b.transfer_bytes;
  world.run(Duration::seconds(10));
  EXPECT_GE(static_cast<double>(b.transfer_bytes - before) * 8 / 10, 0.9 * kPayload * 16e6);
}

}  // namespace
}  // namespace godwit::transport::testing

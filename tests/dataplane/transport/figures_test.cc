// What a session tells of itself, and that its keys change under traffic.

#include <gtest/gtest.h>

#include "tests/dataplane/transport/pair.h"

namespace godwit::transport::testing {
namespace {

TEST(KeyUpdate, BothSidesChangeKeysUnderTrafficAndLoseNothing) {
  QuicOptions options;
  options.key_update_packets = 300;
  Pair pair(
      1, {.delay = Duration::ms(20), .loss = 0.01, .reorder = 0.02}, BitRate::mbps(50), options);
  std::uint32_t to_b = 0;
  std::uint32_t to_a = 0;
  constexpr std::uint32_t kTransfers = 300;
  pair.a.on_turn = [&](Instant now, Site&) {
    while (to_b < kTransfers && pair.dialled->wants_transfer()) {
      pair.dialled->send_transfer(now, numbered(++to_b, 30'000));
    }
  };
  pair.b.on_turn = [&](Instant now, Site&) {
    while (to_a < kTransfers && pair.accepted->wants_transfer()) {
      pair.accepted->send_transfer(now, numbered(++to_a, 30'000));
    }
  };
  ASSERT_TRUE(pair.world.run_until(
      [&] {
        return pair.b.transfers_received == kTransfers && pair.a.transfers_received == kTransfers;
      },
      Duration::ms(60'000)));
  EXPECT_FALSE(pair.a.seen[0]->is_closed);
  // 300 transfers of 30,000 bytes are more than 6,200 packets: 20 changes, fewer where the last
  // one was not confirmed yet (three PTO), which is 0.3 s of the 1.5 s that this takes.
  EXPECT_GE(pair.dialled->stats().key_updates, 3U);
  EXPECT_GE(pair.accepted->stats().key_updates, 3U);
  for (const auto& transfer : pair.b.of(pair.accepted).transfers) {
    ASSERT_EQ(transfer.size(), 30'000U);
  }
}

TEST(KeyUpdate, ASessionBelowItsLimitKeepsItsKey) {
  Pair pair(2, {.delay = Duration::ms(5)});
  for (int count = 0; count < 50; ++count) {
    pair.dialled->send_transfer(pair.world.now(), numbered(1, 30'000));
    pair.world.run(Duration::ms(20));
  }
  EXPECT_EQ(pair.b.transfers_received, 50U);
  EXPECT_EQ(pair.dialled->stats().key_updates, 0U);
}

TEST(SessionStats, RoundTripsAreThoseOfThePath) {
  Pair pair(3, {.delay = Duration::ms(40), .jitter = Duration::ms(4)}, BitRate::mbps(20));
  std::uint32_t number = 0;
  pair.a.on_turn = [&](Instant now, Site&) {
    while (pair.dialled->wants_transfer()) {
      pair.dialled->send_transfer(now, numbered(++number, 24'000));
    }
  };
  pair.b.keeps_transfers = false;
  pair.world.run(Duration::ms(4'000));
  const SessionStats stats = pair.dialled->stats();
  // 80 ms both ways, up to 8 ms of jitter, up to 25 ms until the acknowledgement is sent.
  EXPECT_GE(stats.rtt_min, Duration::ms(80));
  EXPECT_LE(stats.rtt_min, Duration::ms(84));
  EXPECT_GE(stats.rtt_latest, stats.rtt_min);
  EXPECT_LE(stats.rtt_latest, Duration::ms(115));
  EXPECT_GT(stats.rtt_variation, Duration::zero());
  EXPECT_LE(stats.rtt_variation, Duration::ms(20));
  // Behind our cap BBR never sees the pipe full and keeps its first rate: a window of ten packets
  // in a millisecond, times its gain of 2.89. The shaper paces, not the library.
  EXPECT_NEAR(static_cast<double>(stats.pacing.bits_per_second()), 14'520 * 8'000 * 2.89, 1e6);
  EXPECT_GT(stats.congestion_window, 0U);
}

TEST(SessionStats, LostPacketsAreCountedAboutAsTheNetworkLostThem) {
  Pair pair(4, {.delay = Duration::ms(20)}, BitRate::mbps(20));
  port::LinkConditions lossy{.delay = Duration::ms(20), .loss = 0.02};
  pair.world.network().set_link(pair.a.address, pair.b.address, lossy);
  std::uint32_t number = 0;
  pair.a.on_turn = [&](Instant now, Site&) {
    while (number < 600 && pair.dialled->wants_transfer()) {
      pair.dialled->send_transfer(now, numbered(++number, 24'000));
    }
  };
  ASSERT_TRUE(pair.world.run_until([&] { return pair.dialled->stats().transfers_sent == 600; },
                                   Duration::ms(60'000)));
  const auto lost = pair.world.network().link_counters(pair.a.address, pair.b.address).packets_lost;
  const auto told = pair.dialled->stats().packets_lost;
  ASSERT_GE(lost, 100U);
  // More: a packet with the end of one transfer and the start of the next counts twice; fewer:
  // acknowledgements are lost, too, and nobody misses them.
  EXPECT_GE(static_cast<double>(told), 0.8 * static_cast<double>(lost));
  EXPECT_LE(static_cast<double>(told), 1.3 * static_cast<double>(lost));
}

TEST(SessionStats, ACutShowsAsProbeTimeouts) {
  Pair pair(5, {.delay = Duration::ms(10)});
  EXPECT_EQ(pair.dialled->stats().probe_timeouts, 0U);
  pair.world.network().set_both(pair.a.address, pair.b.address, {.cut = true});
  pair.dialled->send_transfer(pair.world.now(), numbered(1, 1'000));
  pair.world.run(Duration::ms(1'500));
  EXPECT_GE(pair.dialled->stats().probe_timeouts, 2U);
}

}  // namespace
}  // namespace godwit::transport::testing

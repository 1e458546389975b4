// Two real QUIC endpoints under virtual time: what a session promises.

#include <algorithm>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "tests/dataplane/transport/pair.h"

namespace godwit::transport::testing {
namespace {

constexpr std::size_t kTransferOf64 = 64 * 1024;

std::vector<std::byte> random_bytes(Random& random, std::size_t size) {
  std::vector<std::byte> bytes(size);
  for (auto& byte : bytes) {
    byte = static_cast<std::byte>(random.next() >> 56U);
  }
  return bytes;
}

TEST(QuicSession, EstablishesWithBothIdentitiesProven) {
  Pair pair(1);
  EXPECT_EQ(pair.a.of(pair.dialled).identity.site, "nyc");
  EXPECT_EQ(pair.b.of(pair.accepted).identity.site, "fra");
  EXPECT_EQ(pair.b.of(pair.accepted).identity.certificate_sha256.size(), 64U);
}

TEST(QuicSession, TakesTwoRoundTripsToEstablish) {
  const port::LinkConditions half_rtt{.delay = Duration::ms(100)};
  Pair pair(2, half_rtt);
  const Duration took = pair.a.of(pair.dialled).established_at - Instant::from_ns(1'000'000'000);
  EXPECT_GE(took, Duration::ms(400));
  EXPECT_LE(took, Duration::ms(410));
}

TEST(QuicSession, HandshakeSurvivesHalfASecondRoundTripAndFivePercentLoss) {
  int established = 0;
  constexpr int kSeeds = 60;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    World world(seed);
    Site& a = world.site("fra");
    Site& b = world.site("nyc");
    world.join(a, b, {.delay = Duration::ms(250), .loss = 0.05});
    Session* session = world.dial(a, b);
    world.run_until([&] { return a.of(session).is_established || a.seen[0]->is_closed; },
                    Duration::ms(15'000));
    established += a.seen[0]->is_established ? 1 : 0;
  }
  // Lost entirely only when both greetings of an attempt or their answers are lost.
  EXPECT_GE(established, kSeeds - 3);
}

TEST(QuicSession, ThousandTransfersArriveWholeAndBitIdentical) {
  Pair pair(
      3, {.delay = Duration::ms(20), .rate = BitRate::mbps(200), .loss = 0.01}, BitRate::mbps(200));
  Random random(33);
  std::multiset<std::vector<std::byte>> sent;
  constexpr std::size_t kCount = 1000;
  pair.a.on_turn = [&](Instant now, Site&) {
    while (sent.size() < kCount && pair.dialled->wants_transfer()) {
      auto bytes = random_bytes(random, 4096 + random.below(61'440));
      pair.dialled->send_transfer(now, bytes);
      sent.insert(std::move(bytes));
    }
  };
  ASSERT_TRUE(pair.world.run_until([&] { return pair.b.transfers_received == kCount; },
                                   Duration::ms(60'000)));
  const auto& seen = pair.b.of(pair.accepted).transfers;
  const std::multiset<std::vector<std::byte>> received(seen.begin(), seen.end());
  EXPECT_TRUE(received == sent);
}

TEST(QuicSession, CarriesTransfersBothWaysAtOnce) {
  Pair pair(4);
  int to_b = 0;
  int to_a = 0;
  pair.a.on_turn = [&](Instant now, Site&) {
    while (to_b < 100 && pair.dialled->wants_transfer()) {
      pair.dialled->send_transfer(now, numbered(static_cast<std::uint32_t>(++to_b), 30'000));
    }
  };
  pair.b.on_turn = [&](Instant now, Site&) {
    while (to_a < 100 && pair.accepted->wants_transfer()) {
      pair.accepted->send_transfer(now, numbered(static_cast<std::uint32_t>(++to_a), 30'000));
    }
  };
  EXPECT_TRUE(pair.world.run_until(
      [&] { return pair.a.transfers_received == 100 && pair.b.transfers_received == 100; },
      Duration::ms(20'000)));
}

TEST(QuicSession, ControlArrivesInOrderUnderLossAndReordering) {
  Pair pair(5, {.delay = Duration::ms(10), .loss = 0.03, .duplicate = 0.02, .reorder = 0.05});
  std::uint32_t next = 0;
  pair.a.on_turn = [&](Instant now, Site&) {
    while (next < 500 && pair.dialled->send_control(now, numbered(next, 4 + next % 700))) {
      ++next;
    }
  };
  ASSERT_TRUE(pair.world.run_until([&] { return pair.b.of(pair.accepted).control.size() == 500; },
                                   Duration::ms(30'000)));
  for (std::uint32_t index = 0; index < 500; ++index) {
    EXPECT_EQ(pair.b.of(pair.accepted).control[index], numbered(index, 4 + index % 700));
  }
}

TEST(QuicSession, CarriesTheLargestControlMessageAndRefusesAFullBacklog) {
  Pair pair(6);
  const auto largest = numbered(7, kControlBytesMax);
  int taken = 0;
  while (pair.dialled->send_control(pair.world.now(), largest)) {
    ++taken;
  }
  // The default backlog is 1 MiB; a message is 64 KiB and its header.
  EXPECT_EQ(taken, 15);
  ASSERT_TRUE(pair.world.run_until([&] { return pair.b.of(pair.accepted).control.size() == 15; },
                                   Duration::ms(10'000)));
  EXPECT_EQ(pair.b.of(pair.accepted).control.back(), largest);
  pair.world.run(Duration::ms(500));
  EXPECT_TRUE(pair.dialled->send_control(pair.world.now(), largest));
}

// The link is saturated by bulk for the whole test; control must pass within its propagation
// delay, two trains, and a little for a queue of packets at the cap's 97 %.
TEST(QuicSession, ControlStaysAheadOfBulkWhenTheLinkIsSaturated) {
  const BitRate cap = BitRate::mbps(20);
  Pair pair(7, {.delay = Duration::ms(30), .rate = cap, .queue_bytes = 150'000}, cap);
  std::uint32_t number = 0;
  std::vector<Instant> sent_at;
  Instant next_control = pair.world.now() + Duration::ms(1'000);
  pair.a.on_turn = [&](Instant now, Site&) {
    while (pair.dialled->wants_transfer()) {
      pair.dialled->send_transfer(now, numbered(++number, 24'000));
    }
    if (now >= next_control) {
      next_control = now + Duration::ms(37);
      sent_at.push_back(now);
      ASSERT_TRUE(pair.dialled->send_control(now, numbered(number, 200)));
    }
    pair.world.next_tick = std::min(pair.world.next_tick, next_control);
  };
  pair.world.run(Duration::ms(6'000));
  const auto& arrived = pair.b.of(pair.accepted).control_at;
  ASSERT_GE(arrived.size(), 100U);
  Duration worst = Duration::zero();
  for (std::size_t index = 0; index < arrived.size(); ++index) {
    worst = std::max(worst, arrived[index] - sent_at[index]);
  }
  EXPECT_LE(worst, Duration::ms(30 + 8));
  // And bulk did fill the link: at least 85 % of the cap as payload over six seconds.
  EXPECT_GE(static_cast<double>(pair.b.transfer_bytes) * 8 / 6.0, 20e6 * 0.85);
}

// How many transfers of 64 KiB an idle session takes before it wants packets sent.
int taken_ahead(Pair& pair) {
  int taken = 0;
  while (pair.dialled->wants_transfer()) {
    pair.dialled->send_transfer(pair.world.now(), numbered(0, kTransferOf64));
    ++taken;
  }
  return taken;
}

TEST(QuicSession, TakesAMillisecondOfItsRateAheadAndAFewTrainsAtMost) {
  const auto taken_at = [](BitRate rate) {
    Pair pair(31);
    pair.dialled->set_rate(rate);
    return taken_ahead(pair);
  };
  EXPECT_EQ(taken_at(BitRate::mbps(50)), 1);      // 6.25 kB
  EXPECT_EQ(taken_at(BitRate::mbps(1'000)), 2);   // 125 kB
  EXPECT_EQ(taken_at(BitRate::mbps(2'000)), 4);   // 250 kB
  EXPECT_EQ(taken_at(BitRate::mbps(40'000)), 4);  // 5 MB
}

// Nobody said a rate: what the congestion controller found counts, from one train on.
TEST(QuicSession, WithoutARateTakesAMillisecondOfWhatThePathTakes) {
  const auto taken_over = [](const port::LinkConditions& conditions) {
    Pair pair(32, conditions);
    pair.b.keeps_transfers = false;
    keep_busy(pair.a, *pair.dialled, kTransferOf64);
    pair.world.run(Duration::ms(200));
    pair.a.on_turn = nullptr;
    pair.world.run(Duration::ms(200));
    return taken_ahead(pair);
  };
  EXPECT_EQ(taken_over({.delay = Duration::ms(5), .rate = BitRate::mbps(20)}), 1);
  EXPECT_EQ(taken_over({.delay = Duration::us(100), .rate = BitRate::mbps(3'000)}), 4);
}

TEST(QuicSession, TheShaperKeepsTheBottleneckQueueEmpty) {
  const BitRate cap = BitRate::mbps(50);
  Pair pair(8, {.delay = Duration::ms(50), .rate = cap, .queue_bytes = 625'000}, cap);
  std::uint32_t number = 0;
  pair.a.on_turn = [&](Instant now, Site&) {
    while (pair.dialled->wants_transfer()) {
      pair.dialled->send_transfer(now, numbered(++number, 62'500));
    }
  };
  pair.b.keeps_transfers = false;
  pair.world.run(Duration::ms(10'000));
  const auto counters = pair.world.network().link_counters(pair.a.address, pair.b.address);
  EXPECT_EQ(counters.packets_dropped, 0U);
  EXPECT_LE(pair.dialled->stats().rtt_smoothed, Duration::ms(100 + 5));
  EXPECT_GE(static_cast<double>(pair.b.transfer_bytes) * 8 / 10.0, 50e6 * 0.85);
  // Never above 97 % of the cap plus the shaper's credit, on layer 3.
  const double sent = static_cast<double>(counters.bytes_delivered) * 8 / 10.0;
  EXPECT_LE(sent, 50e6 * 0.975);
}

// Sends so many transfers as fast as the session takes them, until they have arrived; the most
// streams that were open at once.
std::uint64_t most_open(Pair& pair, std::uint32_t transfers) {
  std::uint32_t number = 0;
  std::uint64_t most = 0;
  pair.b.keeps_transfers = false;
  pair.a.on_turn = [&](Instant now, Site&) {
    while (number < transfers && pair.dialled->wants_transfer()) {
      pair.dialled->send_transfer(now, numbered(++number, 4096));
    }
    most = std::max(most, pair.dialled->stats().streams_open);
  };
  EXPECT_TRUE(pair.world.run_until([&] { return pair.b.transfers_received == transfers; },
                                   Duration::ms(60'000)));
  pair.a.on_turn = nullptr;
  return most;
}

TEST(QuicSession, StreamsOfFiveThousandTransfersAreAllClosed) {
  Pair pair(9, {.delay = Duration::ms(5), .loss = 0.002});
  EXPECT_LE(most_open(pair, 5000), QuicOptions().streams_max + 2);
  pair.world.run(Duration::ms(1'000));
  EXPECT_EQ(pair.dialled->stats().streams_open, 1U);  // control
  EXPECT_LE(pair.accepted->stats().streams_open, 1U);
  EXPECT_EQ(pair.dialled->stats().transfers_sent, 5000U);
}

TEST(QuicSession, NoMoreStreamsAreOpenThanThePeerAllows) {
  QuicOptions options;
  options.streams_max = 4;
  Pair pair(19, {.delay = Duration::ms(5)}, BitRate::unlimited(), options);
  EXPECT_EQ(most_open(pair, 100), options.streams_max + 1) << "and the control stream";
}

TEST(QuicSession, UnreadTransfersStopTheSenderAtTheWindow) {
  QuicOptions options;
  options.window_bytes = 1 << 20;
  Pair pair(10, {.delay = Duration::ms(5)}, BitRate::unlimited(), options);
  std::uint64_t sent = 0;
  // b's events are not polled: its endpoint is driven here without the world's turn.
  for (int step = 0; step < 4000; ++step) {
    const Instant now = pair.world.now() + Duration::ms(step / 4);
    pair.a.endpoint->receive(now);
    while (pair.dialled->wants_transfer()) {
      pair.dialled->send_transfer(now, numbered(1, 50'000));
      sent += 50'000;
    }
    pair.a.endpoint->transmit(now);
    pair.world.network().advance(now);
    pair.b.endpoint->on_turn(now);
  }
  EXPECT_LE(pair.accepted->stats().bytes_received, (1U << 20U) * 11 / 10);
  EXPECT_LE(sent, (1U << 20U) + 3 * 64 * 1024);
  EXPECT_GE(sent, 800'000U);
}

TEST(QuicSession, CloseTellsThePeerCodeAndReason) {
  Pair pair(11);
  pair.dialled->close(pair.world.now(), 77, "shutting down");
  pair.world.run(Duration::ms(200));
  EXPECT_EQ(pair.a.seen[0]->close.reason, CloseReason::kLocal);
  EXPECT_EQ(pair.b.seen[0]->close.reason, CloseReason::kPeer);
  EXPECT_EQ(pair.b.seen[0]->close.code, 77U);
  EXPECT_EQ(pair.b.seen[0]->close.text, "shutting down");
  EXPECT_TRUE(pair.b.seen[0]->close.by_peer);
}

TEST(QuicSession, AnIdleSessionLivesOn) {
  Pair pair(12, {.delay = Duration::ms(200), .loss = 0.02});
  pair.world.run(Duration::ms(120'000));
  EXPECT_FALSE(pair.a.seen[0]->is_closed);
  EXPECT_FALSE(pair.b.seen[0]->is_closed);
}

TEST(QuicSession, ADeadLinkIsNoticedWithinAFewSeconds) {
  Pair pair(13, {.delay = Duration::ms(100)});
  const Instant cut_at = pair.world.now();
  pair.world.network().set_both(pair.a.address, pair.b.address, {.cut = true});
  pair.world.run_until([&] { return pair.a.seen[0]->is_closed && pair.b.seen[0]->is_closed; },
                       Duration::ms(30'000));
  EXPECT_EQ(pair.a.seen[0]->close.reason, CloseReason::kSilent);
  EXPECT_LE(pair.a.seen[0]->closed_at - cut_at, Duration::ms(4'000));
  EXPECT_LE(pair.b.seen[0]->closed_at - cut_at, Duration::ms(4'000));
}

TEST(QuicSession, ARestartedPeerIsNoticedAtOnce) {
  Pair pair(14, {.delay = Duration::ms(40)});
  pair.world.crash(pair.b);
  pair.world.run(Duration::ms(100));
  pair.world.start(pair.b);
  const Instant back_at = pair.world.now();
  pair.world.run_until([&] { return pair.a.seen[0]->is_closed; }, Duration::ms(30'000));
  EXPECT_EQ(pair.a.seen[0]->close.reason, CloseReason::kReset);
  // The next keep-alive (at most 700 ms away) and a round trip of 80 ms.
  EXPECT_LE(pair.a.seen[0]->closed_at - back_at, Duration::ms(800));
}

TEST(QuicSession, EqualSeedsGiveEqualTraffic) {
  const auto trace = [](std::uint64_t seed) {
    Pair pair(seed, {.delay = Duration::ms(10), .loss = 0.01});
    std::uint32_t number = 0;
    pair.a.on_turn = [&](Instant now, Site&) {
      while (number < 50 && pair.dialled->wants_transfer()) {
        pair.dialled->send_transfer(now, numbered(++number, 20'000));
      }
    };
    pair.world.run(Duration::ms(3'000));
    return pair.b.transfers_received;
  };
  EXPECT_EQ(trace(15), trace(15));
}

}  // namespace
}  // namespace godwit::transport::testing

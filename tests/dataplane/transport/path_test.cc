// How large packets get, and what happens when the path carries less than it did.

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "dataplane/transport/path_mtu.h"
#include "dataplane/transport/quic_session.h"
#include "tests/dataplane/transport/pair.h"

namespace godwit::transport {
namespace {

constexpr Duration kRtt = Duration::ms(50);

// Answers probes as a path does that carries at most `carries`; the probe may be up to `short_by`
// bytes short of what was asked for, as a packet is whose number is short.
Instant search(PathMtu& mtu, Instant now, std::size_t carries, std::size_t short_by, int& probes) {
  while (mtu.probe_due() > 0) {
    const std::size_t bytes = mtu.probe_due() - short_by;
    mtu.on_probe_sent(now, bytes, kRtt);
    ++probes;
    now += kRtt;
    if (bytes <= carries) {
      mtu.on_probe_acked(now);
    } else {
      mtu.on_probe_lost(now);
    }
  }
  return now;
}

RC_GTEST_PROP(PathMtu, FindsWhatThePathCarries, ()) {
  const auto cap = *rc::gen::inRange<std::size_t>(1200, 9001);
  const auto carries = *rc::gen::inRange<std::size_t>(1200, 9001);
  const auto short_by = *rc::gen::inRange<std::size_t>(0, 4);
  PathMtu mtu(cap);
  RC_ASSERT(mtu.bytes() == 1200U);
  RC_ASSERT(mtu.probe_due() == 0U);  // nothing before the session is up
  mtu.start();
  int probes = 0;
  search(mtu, Instant::from_ns(0), carries, short_by, probes);
  RC_ASSERT(mtu.bytes() <= std::min(cap, carries));
  RC_ASSERT(mtu.bytes() + PathMtu::kResolution + 4 >= std::min(cap, carries));
  // log2(7,800 / 16) < 9 sizes, each lost three times at the worst, and the cap.
  RC_ASSERT(probes <= 3 * 10);
}

TEST(PathMtu, APathThatCarriesTheCapTakesOneProbe) {
  PathMtu mtu(1452);
  mtu.start();
  int probes = 0;
  search(mtu, Instant::from_ns(0), 9000, 0, probes);
  EXPECT_EQ(mtu.bytes(), 1452U);
  EXPECT_EQ(probes, 1);
  EXPECT_EQ(mtu.deadline(), Instant::never());
}

TEST(PathMtu, OneLostProbeProvesNothing) {
  PathMtu mtu(1452);
  mtu.start();
  Instant now = Instant::from_ns(0);
  for (int lost = 0; lost < 2; ++lost) {
    mtu.on_probe_sent(now, mtu.probe_due(), kRtt);
    mtu.on_probe_lost(now += kRtt);
    EXPECT_EQ(mtu.probe_due(), 1452U);
  }
  mtu.on_probe_sent(now, mtu.probe_due(), kRtt);
  mtu.on_probe_acked(now + kRtt);
  EXPECT_EQ(mtu.bytes(), 1452U);
}

TEST(PathMtu, AProbeThatNobodyJudgesIsLostAfterItsPatience) {
  PathMtu mtu(1452);
  mtu.start();
  mtu.on_probe_sent(Instant::from_ns(0), 1452, Duration::ms(1'500));
  EXPECT_EQ(mtu.deadline(), Instant::from_ns(0) + Duration::ms(1'500));
  EXPECT_FALSE(mtu.on_timeout(Instant::from_ns(0) + Duration::ms(1'499)));
  EXPECT_TRUE(mtu.on_timeout(Instant::from_ns(0) + Duration::ms(1'500)));
  EXPECT_EQ(mtu.probes_lost(), 1U);
}

TEST(PathMtu, ASuspicionIsForgottenWhenTheProbeArrives) {
  PathMtu mtu(1452);
  mtu.start();
  int probes = 0;
  Instant now = search(mtu, Instant::from_ns(0), 9000, 0, probes);
  mtu.suspect(now, Duration::zero());
  EXPECT_EQ(mtu.probe_due(), 1452U);
  EXPECT_EQ(mtu.bytes(), PathMtu::kBase);  // until it is known
  search(mtu, now, 9000, 0, probes);
  EXPECT_EQ(mtu.bytes(), 1452U);
  EXPECT_EQ(mtu.black_holes(), 0U);
}

TEST(PathMtu, WhatHasJustPassedIsNotSuspected) {
  PathMtu mtu(1452);
  mtu.start();
  int probes = 0;
  const Instant passed = search(mtu, Instant::from_ns(0), 9000, 0, probes);
  mtu.suspect(passed + kRtt - Duration::us(1), kRtt);
  EXPECT_EQ(mtu.probe_due(), 0U);
  mtu.suspect(passed + kRtt, kRtt);
  EXPECT_EQ(mtu.probe_due(), 1452U);
}

TEST(PathMtu, ABlackHoleIsLeftAndTheRestOfThePathFound) {
  PathMtu mtu(1452);
  mtu.start();
  int probes = 0;
  Instant now = search(mtu, Instant::from_ns(0), 9000, 0, probes);
  mtu.suspect(now, Duration::zero());
  for (int lost = 0; lost < PathMtu::kTries; ++lost) {
    ASSERT_GT(mtu.probe_due(), 0U);
    mtu.on_probe_sent(now, mtu.probe_due(), kRtt);
    mtu.on_probe_lost(now += kRtt);
  }
  EXPECT_EQ(mtu.black_holes(), 1U);
  EXPECT_EQ(mtu.bytes(), PathMtu::kBase);
  now = search(mtu, now, 1372, 0, probes);
  EXPECT_LE(mtu.bytes(), 1372U);
  EXPECT_GE(mtu.bytes(), 1372U - PathMtu::kResolution);
  // Ten minutes later it tries whether the path has become better.
  EXPECT_EQ(mtu.deadline(), now + PathMtu::kRaiseAfter);
  EXPECT_TRUE(mtu.on_timeout(now + PathMtu::kRaiseAfter));
  search(mtu, now + PathMtu::kRaiseAfter, 9000, 0, probes);
  EXPECT_EQ(mtu.bytes(), 1452U);
}

TEST(PathMtu, ARoutersWordIsTriedNextAndBelievedByItsOwnProbe) {
  PathMtu mtu(8900);
  mtu.start();
  Instant now = Instant::from_ns(0);
  mtu.on_probe_sent(now, 8900, kRtt);
  mtu.on_hint(now += kRtt, 4000);
  EXPECT_EQ(mtu.bytes(), PathMtu::kBase);
  EXPECT_EQ(mtu.probe_due(), 4000U);
  mtu.on_hint(now, 3000);  // while one word is tried another one waits
  EXPECT_EQ(mtu.probe_due(), 4000U);
  mtu.on_probe_sent(now, 4000, kRtt);
  mtu.on_probe_acked(now += kRtt);
  EXPECT_EQ(mtu.bytes(), 4000U);
  int probes = 0;
  search(mtu, now, 4000, 0, probes);
  EXPECT_EQ(mtu.bytes(), 4000U);
}

TEST(PathMtu, AWordBelowThePresentSizeIsASuspicionAndNoMore) {
  PathMtu mtu(1452);
  mtu.start();
  int probes = 0;
  Instant now = search(mtu, Instant::from_ns(0), 9000, 0, probes);
  mtu.on_hint(now, 1300);  // a lie
  EXPECT_EQ(mtu.probe_due(), 1452U);
  now = search(mtu, now, 9000, 0, probes);
  EXPECT_EQ(mtu.bytes(), 1452U);
  mtu.on_hint(now, 1300);  // the truth
  probes = 0;
  now = search(mtu, now, 1300, 0, probes);
  EXPECT_EQ(mtu.bytes(), 1300U);
  EXPECT_EQ(mtu.black_holes(), 1U);
}

TEST(PathMtu, WordsThatCannotBeTrueAreNotHeard) {
  PathMtu mtu(1452);
  mtu.on_hint(Instant::from_ns(0), 1300);  // before the session is up
  mtu.start();
  EXPECT_EQ(mtu.probe_due(), 1452U);
  for (const std::size_t bytes : {0U, 68U, 1199U, 1200U, 1453U, 65'535U}) {
    mtu.on_hint(Instant::from_ns(0), bytes);
    EXPECT_EQ(mtu.probe_due(), 1452U) << bytes;
    EXPECT_EQ(mtu.bytes(), PathMtu::kBase);
  }
}

// Whatever is said and when: the size stays one that passes, and the search ends near the best.
RC_GTEST_PROP(PathMtu, LiesCostProbesAndNeverTheSize, (std::uint64_t seed)) {
  Random random(seed);
  const std::size_t carries = 1200 + random.below(7800);
  PathMtu mtu(8900);
  mtu.start();
  Instant now = Instant::from_ns(0);
  for (int step = 0; step < 40; ++step) {
    mtu.on_hint(now, random.below(10'000));
    if (mtu.probe_due() > 0) {
      const std::size_t bytes = mtu.probe_due();
      mtu.on_probe_sent(now, bytes, kRtt);
      now += kRtt;
      if (bytes <= carries) {
        mtu.on_probe_acked(now);
      } else {
        mtu.on_probe_lost(now);
      }
    }
    RC_ASSERT(mtu.bytes() <= carries);
  }
  int probes = 0;
  search(mtu, now, carries, 0, probes);
  RC_ASSERT(mtu.bytes() + PathMtu::kResolution >= std::min<std::size_t>(8900, carries));
}

TEST(PathMtu, ACapOfTheBaseIsNeverProbed) {
  PathMtu mtu(PathMtu::kBase);
  mtu.start();
  EXPECT_EQ(mtu.probe_due(), 0U);
  mtu.suspect(Instant::from_ns(0) + kRtt, kRtt);
  EXPECT_EQ(mtu.probe_due(), 0U);
  EXPECT_EQ(mtu.deadline(), Instant::never());
}

}  // namespace

namespace testing {
namespace {

// IPv4 and UDP headers, bytes.
constexpr std::size_t kHeaders = 28;

TEST(PathMtu, AQuietSessionSendsKeepAlivesAndNoProbes) {
  // One that had ever sent control was suspected for ever, and the peer ended it for its probes.
  Pair pair(7, {.delay = Duration::us(100)});
  for (Session* session : {pair.dialled, pair.accepted}) {
    ASSERT_TRUE(session->send_control(pair.world.now(), numbered(1, 100)));
  }
  pair.world.run(Duration::ms(2'000));
  const std::uint64_t before = pair.dialled->stats().packets_sent;
  constexpr std::int64_t kSeconds = 30;
  pair.world.run(Duration::ms(kSeconds * 1'000));
  // A keep-alive every 0.7 s, and an acknowledgement of each of the peer's.
  EXPECT_LE(pair.dialled->stats().packets_sent - before, 2U * (kSeconds * 10 / 7 + 1));
  EXPECT_FALSE(pair.a.seen.front()->is_closed);
  EXPECT_FALSE(pair.b.seen.front()->is_closed);
}

TEST(PathMtu, PacketsGrowToWhatThePathCarries) {
  for (const std::size_t mtu : {1228U, 1280U, 1400U, 1500U, 9000U}) {
    QuicOptions options;
    options.packet_bytes = 8900;
    Pair pair(mtu, {.delay = Duration::ms(10), .mtu = mtu}, BitRate::unlimited(), options);
    pair.world.run(Duration::ms(40'000));
    const std::size_t carries = std::min<std::size_t>(mtu - kHeaders, 8900);
    for (const Session* session : {pair.dialled, pair.accepted}) {
      EXPECT_LE(session->stats().packet_bytes, carries);
      EXPECT_GE(session->stats().packet_bytes + PathMtu::kResolution + 4, carries) << mtu;
    }
    EXPECT_FALSE(pair.a.seen[0]->is_closed);
  }
}

TEST(PathMtu, APathWithARouterThatTellsIsKnownSooner) {
  const auto time_to_know = [](bool tells) {
    QuicOptions options;
    options.packet_bytes = 8900;
    Pair pair(8,
              {.delay = Duration::ms(10), .mtu = 4000, .tells_mtu = tells},
              BitRate::unlimited(),
              options);
    const Instant begin = pair.world.now();
    EXPECT_TRUE(pair.world.run_until(
        [&] {
          return pair.dialled->stats().packet_bytes >= 4000 - kHeaders - PathMtu::kResolution - 4;
        },
        Duration::ms(40'000)));
    EXPECT_LE(pair.dialled->stats().packet_bytes, 4000 - kHeaders);
    return pair.world.now() - begin;
  };
  EXPECT_LE(time_to_know(true) * 3, time_to_know(false));
}

TEST(PathMtu, AFloodOfForgedWordsEndsNoSession) {
  Pair pair(9, {.delay = Duration::us(500)});
  pair.world.run(Duration::ms(1'000));
  ASSERT_GE(pair.dialled->stats().packet_bytes, 1448U);
  Random random(9);
  for (int count = 0; count < 5'000; ++count) {
    static_cast<QuicSession*>(pair.dialled)
        ->on_path_hint(pair.world.now(), 1200 + random.below(300));
    pair.world.run(Duration::ms(1));
  }
  EXPECT_FALSE(pair.a.seen[0]->is_closed);
  pair.world.run(Duration::ms(2'000));
  EXPECT_GE(pair.dialled->stats().packet_bytes, 1448U);
}

TEST(PathMtu, TransfersFlowWhileTheSearchGoesOn) {
  Pair pair(21, {.delay = Duration::ms(20), .mtu = 1400});
  std::uint32_t number = 0;
  pair.a.on_turn = [&](Instant now, Site&) {
    while (number < 500 && pair.dialled->wants_transfer()) {
      pair.dialled->send_transfer(now, numbered(++number, 20'000));
    }
  };
  ASSERT_TRUE(
      pair.world.run_until([&] { return pair.b.transfers_received == 500; }, Duration::ms(30'000)));
  pair.world.run(Duration::ms(10'000));
  EXPECT_GE(pair.dialled->stats().packet_bytes, 1400 - kHeaders - PathMtu::kResolution - 4);
  EXPECT_LE(pair.dialled->stats().packet_bytes, 1400 - kHeaders);
}

TEST(PathMtu, APathThatShrinksUnderTrafficLosesNoTransferAndNoSession) {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    const BitRate cap = BitRate::mbps(20);
    const port::LinkConditions wide{.delay = Duration::ms(30), .loss = 0.002};
    Pair pair(seed, wide, cap);
    std::uint32_t number = 0;
    pair.a.on_turn = [&](Instant now, Site&) {
      while (pair.dialled->wants_transfer()) {
        pair.dialled->send_transfer(now, numbered(++number, 24'000));
      }
    };
    pair.b.keeps_transfers = false;
    pair.world.run(Duration::ms(2'000));
    ASSERT_GE(pair.dialled->stats().packet_bytes, 1448U);
    port::LinkConditions narrow = wide;
    narrow.mtu = 1280;
    pair.world.network().set_both(pair.a.address, pair.b.address, narrow);
    const std::uint64_t before = pair.b.transfer_bytes;
    pair.world.run(Duration::ms(3'000));
    const std::uint64_t later = pair.b.transfer_bytes;
    EXPECT_GT(later, before) << seed;
    pair.world.run(Duration::ms(5'000));
    EXPECT_FALSE(pair.a.seen[0]->is_closed);
    EXPECT_EQ(pair.dialled->stats().black_holes, 1U);
    EXPECT_LE(pair.dialled->stats().packet_bytes, 1280 - kHeaders);
    // Back at 80 % of the cap as payload: five seconds, less what the search still takes.
    EXPECT_GE(static_cast<double>(pair.b.transfer_bytes - later) * 8 / 5.0, 20e6 * 0.8) << seed;
    pair.a.on_turn = nullptr;
    EXPECT_TRUE(pair.world.run_until([&] { return pair.b.transfers_received == number; },
                                     Duration::ms(5'000)));
  }
}

TEST(PathMtu, ACutDoesNotLookLikeABlackHoleForLong) {
  const port::LinkConditions healthy{.delay = Duration::ms(30)};
  Pair pair(31, healthy, BitRate::mbps(20));
  std::uint32_t number = 0;
  pair.a.on_turn = [&](Instant now, Site&) {
    while (pair.dialled->wants_transfer()) {
      pair.dialled->send_transfer(now, numbered(++number, 24'000));
    }
  };
  pair.b.keeps_transfers = false;
  pair.world.run(Duration::ms(2'000));
  pair.world.network().set_both(pair.a.address, pair.b.address, {.cut = true});
  pair.world.run(Duration::ms(1'500));
  pair.world.network().set_both(pair.a.address, pair.b.address, healthy);
  pair.world.run(Duration::ms(3'000));
  EXPECT_FALSE(pair.a.seen[0]->is_closed);
  EXPECT_EQ(pair.dialled->stats().black_holes, 0U);
  EXPECT_GE(pair.dialled->stats().packet_bytes, 1448U);
}

}  // namespace
}  // namespace testing
}  // namespace godwit::transport

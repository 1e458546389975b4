// What a link's configuration decides: its congestion controller, and whether it yields to others.

#include <gtest/gtest.h>

#include "dataplane/transport/shaper.h"
#include "tests/dataplane/transport/pair.h"
#include "tests/support/instants.h"

namespace godwit::transport::testing {
namespace {

constexpr Duration kBase = Duration::ms(40);

TEST(BackgroundShaper, TakesAllWhileTheQueueIsEmpty) {
  LinkShaper shaper(BitRate::mbps(20));
  shaper.set_yields(Yields::kAll);
  for (int ms = 0; ms < 10'000; ms += 10) {
    shaper.on_arrival(at_ms(ms), {.rtt = kBase});
  }
  EXPECT_EQ(shaper.rate(), BitRate::mbps(19.4));
}

TEST(BackgroundShaper, FallsToItsLeastWhileAQueueStandsAndComesBack) {
  LinkShaper shaper(BitRate::mbps(20));
  shaper.set_yields(Yields::kAll);
  shaper.on_arrival(at_ms(0), {.rtt = kBase});
  for (int ms = 10; ms < 5'000; ms += 10) {
    shaper.on_arrival(at_ms(ms), {.rtt = kBase + Duration::ms(80)});
  }
  EXPECT_NEAR(static_cast<double>(shaper.rate().bits_per_second()), 19.4e6 * 0.02, 1e3);
  // 1 % of the most in a round trip: a hundred and a few of them.
  for (int ms = 5'000; ms < 12'000; ms += 10) {
    shaper.on_arrival(at_ms(ms), {.rtt = kBase + Duration::ms(2)});
  }
  EXPECT_EQ(shaper.rate(), BitRate::mbps(19.4));
}

TEST(BackgroundShaper, OneLongRoundTripAmongShortOnesIsNoQueue) {
  LinkShaper shaper(BitRate::mbps(20));
  shaper.set_yields(Yields::kAll);
  for (int ms = 0; ms < 10'000; ms += 10) {
    shaper.on_arrival(at_ms(ms), {.rtt = ms % 30 == 0 ? kBase * 4 : kBase});
  }
  EXPECT_EQ(shaper.rate(), BitRate::mbps(19.4));
}

TEST(BackgroundShaper, ALongerPathIsTheNewBaseAfterTenMinutes) {
  LinkShaper shaper(BitRate::mbps(20));
  shaper.set_yields(Yields::kAll);
  shaper.on_arrival(at_ms(0), {.rtt = kBase});
  for (int ms = 100; ms < 700'000; ms += 100) {
    shaper.on_arrival(at_ms(ms), {.rtt = kBase + Duration::ms(100)});
  }
  EXPECT_EQ(shaper.rate(), BitRate::mbps(19.4));
}

TEST(BackgroundShaper, WithoutACapNothingYields) {
  LinkShaper shaper;
  shaper.set_yields(Yields::kAll);
  EXPECT_EQ(shaper.yields(), Yields::kNothing);
}

TEST(BackgroundShaper, IsPlannedWithItsCapWhateverOthersTake) {
  LinkShaper shaper(BitRate::mbps(20));
  shaper.set_yields(Yields::kAll);
  shaper.on_arrival(at_ms(0), {.rtt = kBase});
  for (int ms = 10; ms < 5'000; ms += 10) {
    shaper.on_held(Duration::ms(10));
    shaper.on_arrival(at_ms(ms), {.settled = 1'500, .rtt = kBase + Duration::ms(80)});
  }
  EXPECT_LT(shaper.rate(), BitRate::mbps(1));
  EXPECT_EQ(shaper.expected(), BitRate::mbps(19.4));
}

TEST(BackgroundShaper, MayYieldWithItsBulkAlone) {
  LinkShaper shaper(BitRate::mbps(20));
  shaper.set_yields(Yields::kBulk);
  // Of one bulk transfer of 100,000 bytes: until the next.
  const auto pause = [&](int ms) {
    const Instant now = at_ms(ms);
    shaper.charge_bulk(now, 100'000);
    return (shaper.bulk_ready_at() - now).to_seconds();
  };
  shaper.on_arrival(at_ms(0), {.rtt = kBase});
  EXPECT_NEAR(pause(1), 0.8 / 19.4, 1e-3);
  for (int ms = 1'000; ms < 6'000; ms += 10) {
    shaper.on_arrival(at_ms(ms), {.rtt = kBase + Duration::ms(80)});
  }
  EXPECT_EQ(shaper.rate(), BitRate::mbps(19.4)) << "the rest does not yield";
  EXPECT_NEAR(pause(6'000), 0.8 / (19.4 * 0.02), 0.05);
  shaper.set_yields(Yields::kNothing);
  const Instant before = shaper.bulk_ready_at();
  shaper.charge_bulk(at_ms(6'001), 100'000);
  EXPECT_EQ(shaper.bulk_ready_at(), before);
}

struct Shared {
  double background = 0;  // bit/s of what yields, or would
  Duration queue;         // the round trip above the path's own
};

constexpr BitRate kOwn = BitRate::mbps(4);

// A link beside traffic of others that takes `others` of its bottleneck of 20 Mbit/s. Where bulk
// alone yields, it stands beside kOwn of normal transfers of the same link.
Shared beside(BitRate others, Yields yields) {
  World world(6);
  Site& a = world.site("fra");
  Site& b = world.site("nyc");
  const port::LinkConditions line{
      .delay = Duration::ms(20), .rate = BitRate::mbps(20), .queue_bytes = 500'000};
  PeerConfig link;
  link.cap = BitRate::mbps(20);
  link.yields = yields;
  world.join(a, b, line, link);
  Session* session = world.dial(a, b);
  EXPECT_TRUE(world.run_until([&] { return a.seen[0]->is_established; }, Duration::ms(1'000)));
  std::uint32_t number = 0;
  std::uint64_t normal = 0;
  Instant normal_at = yields == Yields::kBulk ? world.now() : Instant::never();
  a.on_turn = [&](Instant now, Site&) {
    while (session->wants_transfer()) {
      if (normal_at <= now) {
        session->send_transfer(now, numbered(++number, 16'000));
        normal_at = normal_at + kOwn.time_for(Bytes(16'000));
        normal += 16'000;
      } else if (session->bulk_ready_at() <= now) {
        session->send_transfer(now, numbered(++number, 16'000), Precedence::kBulk);
      } else {
        break;
      }
    }
  };
  b.keeps_transfers = false;
  // Short packets that are nobody's: they only fill the line.
  std::vector<std::byte> packet(1'172, std::byte{0x40});
  const Duration spacing = others.time_for(Bytes(1'200));
  Instant next = world.now();
  std::uint64_t before = 0;
  std::uint64_t normal_before = 0;
  Duration queue = Duration::zero();
  constexpr int kSeconds = 20;
  for (int ms = 0; ms < kSeconds * 1'000; ++ms) {
    for (; next <= world.now(); next += spacing) {
      const port::Train train{.peer = b.address,
                              .segment_bytes = static_cast<std::uint16_t>(packet.size()),
                              .bytes = packet,
                              .ecn = 0};
      a.port->transmit(world.now(), {&train, 1});
    }
    world.run(Duration::ms(1));
    if (ms == kSeconds * 500) {
      before = b.transfer_bytes;
      normal_before = normal;
    }
    if (ms > kSeconds * 500) {
      queue = std::max(queue, session->stats().rtt_smoothed - Duration::ms(40));
    }
  }
  a.on_turn = nullptr;
  const std::uint64_t bytes = b.transfer_bytes - before - (normal - normal_before);
  return {static_cast<double>(bytes) * 8 / (kSeconds / 2.0), queue};
}

TEST(BackgroundLink, LeavesTheLineToOthersAndTakesTheRest) {
  const Shared yields = beside(BitRate::mbps(12), Yields::kAll);
  EXPECT_LE(yields.queue, Duration::ms(90));
  EXPECT_GE(yields.background, 5e6);  // of the 8 Mbit/s that are left
  EXPECT_LE(yields.background, 8e6);
  // Without it the queue of 200 ms fills.
  const Shared takes = beside(BitRate::mbps(12), Yields::kNothing);
  EXPECT_GE(takes.queue, Duration::ms(100));
}

TEST(BackgroundLink, YieldsWithItsBulkAndKeepsTheRestAtItsPace) {
  const Shared bulk = beside(BitRate::mbps(12), Yields::kBulk);
  EXPECT_LE(bulk.queue, Duration::ms(90));
  EXPECT_GE(bulk.background, 2e6);  // of the 4 Mbit/s that are left
  EXPECT_LE(bulk.background, 4e6);
}

TEST(BackgroundLink, TakesTheWholeLineWhenNobodyElseDoes) {
  const Shared alone = beside(BitRate::bps(1'000), Yields::kAll);
  EXPECT_GE(alone.background, 20e6 * 0.8);
}

// Random loss halves CUBIC's window again and again; BBR goes on. Each end's sender is its own.
TEST(CongestionControl, IsTheLinksOwn) {
  const auto carried = [](std::optional<CongestionControl> congestion) {
    World world(9);
    Site& a = world.site("fra");
    Site& b = world.site("nyc");
    PeerConfig link;
    link.cap = BitRate::mbps(20);
    link.congestion = congestion;
    world.join(a, b, {.delay = Duration::ms(40), .loss = 0.01}, link);
    Session* session = world.dial(a, b);
    EXPECT_TRUE(world.run_until([&] { return a.seen[0]->is_established; }, Duration::ms(4'000)));
    b.keeps_transfers = false;
    a.on_turn = [&](Instant now, Site&) {
      while (session->wants_transfer()) {
        session->send_transfer(now, numbered(1, 16'000));
      }
    };
    world.run(Duration::ms(8'000));
    a.on_turn = nullptr;
    return b.transfer_bytes;
  };
  const auto bbr = carried(CongestionControl::kBbr);
  const auto cubic = carried(CongestionControl::kCubic);
  EXPECT_GE(bbr, 2 * cubic);
  EXPECT_EQ(carried(std::nullopt), bbr);  // the endpoint's
}

}  // namespace
}  // namespace godwit::transport::testing

// Packets that nobody of ours would send: counted or dropped, never a crash, never accepted.

#include <gtest/gtest.h>

#include "tests/dataplane/transport/world.h"

namespace godwit::transport::testing {
namespace {

// Sends `bytes` to `to` as if from `from`'s address, beside its endpoint.
void inject(World& world, Site& from, const Site& to, std::vector<std::byte> bytes) {
  if (bytes.empty()) {
    return;
  }
  const port::Train train{.peer = to.address,
                          .segment_bytes = static_cast<std::uint16_t>(bytes.size()),
                          .bytes = bytes,
                          .ecn = 0};
  from.port->transmit(world.now(), {&train, 1});
}

TEST(Hostile, RandomDatagramsFromAKnownAddressChangeNothing) {
  World world(1);
  Site& a = world.site("fra");
  Site& b = world.site("nyc");
  world.join(a, b, {.delay = Duration::ms(1)});
  Session* session = world.dial(a, b);
  ASSERT_TRUE(world.run_until([&] { return a.of(session).is_established; }, Duration::ms(1'000)));
  Random random(2);
  for (int round = 0; round < 20'000; ++round) {
    std::vector<std::byte> noise(1 + random.below(1400));
    for (auto& byte : noise) {
      byte = static_cast<std::byte>(random.next());
    }
    // A quarter looks like QUIC version 1, long header.
    if (random.chance(0.25) && noise.size() > 5) {
      noise[0] = static_cast<std::byte>(0xc0U | random.below(64));
      noise[1] = noise[2] = noise[3] = std::byte{0};
      noise[4] = std::byte{1};
    }
    inject(world, a, b, std::move(noise));
    if (round % 50 == 0) {
      world.run(Duration::ms(2));
    }
  }
  world.run(Duration::ms(2'000));
  EXPECT_FALSE(a.seen[0]->is_closed);
  session->send_transfer(world.now(), std::vector<std::byte>(5000));
  EXPECT_TRUE(world.run_until([&] { return b.transfers_received == 1; }, Duration::ms(1'000)));
}

TEST(Hostile, CorruptedPacketsDelayButNeverAlterTransfers) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    World world(seed);
    Site& a = world.site("fra");
    Site& b = world.site("nyc");
    world.join(a,
               b,
               {.delay = Duration::ms(5),
                .loss = 0.01,
                .duplicate = 0.05,
                .corrupt = 0.05,
                .reorder = 0.1});
    Session* session = nullptr;
    // A corrupted greeting may cost an attempt.
    for (int attempt = 0; attempt < 5 && session == nullptr; ++attempt) {
      session = world.dial(a, b);
      if (!world.run_until([&] { return a.seen.back()->is_established; }, Duration::ms(4'000))) {
        session = nullptr;
      }
    }
    ASSERT_NE(session, nullptr) << "seed " << seed;
    std::vector<std::byte> bytes(20'000);
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      bytes[at] = static_cast<std::byte>(at * 7 + at / 256);
    }
    int sent = 0;
    a.on_turn = [&](Instant now, Site&) {
      while (sent < 20 && session->wants_transfer()) {
        session->send_transfer(now, bytes);
        ++sent;
      }
    };
    ASSERT_TRUE(world.run_until([&] { return b.transfers_received == 20; }, Duration::ms(30'000)))
        << "seed " << seed;
    for (const auto& seen : b.seen) {
      for (const auto& transfer : seen->transfers) {
        EXPECT_EQ(transfer, bytes);
      }
    }
  }
}

TEST(Hostile, ReplayedTrafficDeliversNothingTwice) {
  World world(3);
  Site& a = world.site("fra");
  Site& b = world.site("nyc");
  world.join(a, b, {.delay = Duration::ms(5), .duplicate = 1.0});
  Session* session = world.dial(a, b);
  ASSERT_TRUE(world.run_until([&] { return a.of(session).is_established; }, Duration::ms(2'000)));
  int sent = 0;
  a.on_turn = [&](Instant now, Site&) {
    while (sent < 200 && session->wants_transfer()) {
      session->send_transfer(now, std::vector<std::byte>(3000, static_cast<std::byte>(sent)));
      ++sent;
    }
  };
  world.run(Duration::ms(5'000));
  EXPECT_EQ(b.transfers_received, 200U);
}

TEST(Hostile, AFloodOfGreetingsMeetsTheLimitOnHandshakes) {
  QuicOptions options;
  options.admission.unproven_max = 6;
  options.admission.unproven_per_source_max = 6;
  World world(4, options);
  Site& a = world.site("fra");
  Site& b = world.site("nyc");
  world.join(a, b, {.delay = Duration::ms(5)});
  world.network().set_link(b.address, a.address, {.cut = true});
  for (int count = 0; count < 50; ++count) {
    world.dial(a, b);
  }
  world.run(Duration::ms(100));
  EXPECT_EQ(b.endpoint->counters().sessions_accepted, 6U);
  EXPECT_GE(b.endpoint->counters().accepts_over_limit, 44U);
  EXPECT_GE(b.endpoint->counters().retries_sent, 44U);
}

TEST(Hostile, AnotherVersionIsAnsweredWithOurs) {
  World world(5);
  Site& a = world.site("fra");
  Site& b = world.site("nyc");
  world.join(a, b, {.delay = Duration::ms(1)});
  std::vector<std::byte> greeting(1200);
  greeting[0] = std::byte{0xc3};
  greeting[1] = std::byte{0xfa};  // a version nobody has
  greeting[5] = std::byte{8};     // lengths of the ids
  greeting[14] = std::byte{8};
  inject(world, a, b, greeting);
  world.run(Duration::ms(50));
  EXPECT_EQ(b.endpoint->counters().versions_negotiated, 1U);
}

}  // namespace
}  // namespace godwit::transport::testing

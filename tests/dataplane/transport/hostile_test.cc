// Packets that nobody of ours would send: counted or dropped, never a crash, never accepted.

#include <gtest/gtest.h>

#include "dataplane/port/with/decorator.h"
#include "tests/dataplane/transport/pair.h"

namespace godwit::transport::testing {
namespace {

// A site's port whose packets leave from another site's address while there is one in `through`.
class Detour final : public port::Decorator {
 public:
  Detour(std::unique_ptr<port::Port> own, port::Port* const& through)
      : Decorator(std::move(own)), through_(through) {}

  std::size_t transmit(Instant now, std::span<const port::Train> trains) override {
    return through_ != nullptr ? through_->transmit(now, trains) : Decorator::transmit(now, trains);
  }

 private:
  port::Port* const& through_;
};

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

// Sealed and fresh, but from elsewhere: as it looks when an address is forged, or a NAT forgot us.
TEST(Hostile, ValidPacketsFromAnotherAddressAreNoPartOfTheSession) {
  for (const bool is_known : {false, true}) {
    World world(6);
    Site& elsewhere = world.site("tyo");
    port::Port* through = nullptr;
    world.decorate = [&](std::unique_ptr<port::Port> own) {
      return std::make_unique<Detour>(std::move(own), through);
    };
    Site& a = world.site("fra");
    Site& b = world.site("nyc");
    world.join(a, b, {.delay = Duration::ms(5)});
    if (is_known) {
      world.join(elsewhere, b, {.delay = Duration::ms(5)});
    }
    Session* session = world.dial(a, b);
    ASSERT_TRUE(world.run_until([&] { return !b.seen.empty(); }, Duration::ms(1'000)));
    world.run(Duration::ms(100));
    const EndpointCounters before = b.endpoint->counters();
    through = elsewhere.port.get();
    session->send_transfer(world.now(), numbered(1, 20'000));
    world.run(Duration::ms(2'000));
    const EndpointCounters& after = b.endpoint->counters();
    const std::uint64_t strange = after.packets_unknown_source - before.packets_unknown_source;
    const std::uint64_t unmatched = after.packets_unmatched - before.packets_unmatched;
    EXPECT_EQ(b.transfers_received, 0U);
    EXPECT_GE(is_known ? unmatched : strange, 10U);
    EXPECT_EQ(is_known ? strange : unmatched, 0U);
    EXPECT_EQ(b.sessions.front()->remote(), a.address) << "nobody migrates";
    through = nullptr;
    EXPECT_TRUE(world.run_until([&] { return b.transfers_received == 1; }, Duration::ms(5'000)));
    EXPECT_FALSE(a.seen[0]->is_closed || b.seen[0]->is_closed);
  }
}

TEST(Hostile, NoSessionBeginsBeyondTheLimitUntilAnotherHasEnded) {
  QuicOptions options;
  options.sessions_max = 2;
  World world(7, options);
  Site& b = world.site("nyc");
  std::vector<Site*> others = {&world.site("fra"), &world.site("tyo"), &world.site("gru")};
  for (Site* other : others) {
    world.join(*other, b, {.delay = Duration::ms(5)});
    world.dial(*other, b);
    world.run(Duration::ms(500));
  }
  EXPECT_TRUE(others[0]->seen[0]->is_established && others[1]->seen[0]->is_established);
  EXPECT_FALSE(others[2]->seen[0]->is_established);
  EXPECT_EQ(b.endpoint->counters().sessions_accepted, 2U);
  EXPECT_GE(b.endpoint->counters().accepts_over_limit, 1U);
  EXPECT_EQ(world.dial(b, *others[2]), nullptr);
  others[0]->sessions[0]->close(world.now(), 0, "makes room");
  EXPECT_TRUE(
      world.run_until([&] { return others[2]->seen[0]->is_established; }, Duration::ms(20'000)))
      << "its greeting is said again";
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

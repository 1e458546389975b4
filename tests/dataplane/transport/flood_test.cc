// Floods from strangers and from forged peers, and peers that exceed a session's limits.
//
//     stranger ────junk────▶ ┌───────┐
//     host of fra, any port ▶│  nyc  │ ◀══ the true session ══ fra
//     fra's own address ────▶└───────┘

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <malloc.h>

#include "dataplane/transport/quic_compat.h"
#include "tests/dataplane/transport/pair.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1  // GCC's name for it
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
// Of the sanitizer's runtime; its header is not installed with every compiler.
extern "C" std::size_t __sanitizer_get_current_allocated_bytes();
#endif

namespace godwit::transport::testing {
namespace {

// Bytes that the whole process has allocated now, the libraries' included.
std::size_t allocated_bytes() {
#if defined(__SANITIZE_ADDRESS__)
  return __sanitizer_get_current_allocated_bytes();
#else
  const auto info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
#endif
}

void inject(World& world, port::Port& from, const port::Peer& to, std::vector<std::byte> bytes) {
  const port::Train train{.peer = to,
                          .segment_bytes = static_cast<std::uint16_t>(bytes.size()),
                          .bytes = bytes,
                          .ecn = 0};
  from.transmit(world.now(), {&train, 1});
}

// One packet of the kinds that an attacker sends: noise, short packets, greetings that cannot be
// decrypted, with and without a token, and other versions.
std::vector<std::byte> junk(Random& random) {
  constexpr std::size_t kGreetingBytes = 1200;
  constexpr std::size_t kTokenBytes = NGTCP2_CRYPTO_MAX_RETRY_TOKENLEN;
  const std::uint64_t kind = random.below(5);
  std::vector<std::byte> bytes(kind >= 2 ? kGreetingBytes : 22 + random.below(100));
  for (std::byte& byte : bytes) {
    byte = static_cast<std::byte>(random.next() >> 56U);
  }
  if (kind == 0) {
    return bytes;
  }
  if (kind == 1) {
    bytes[0] = std::byte{0x40};
    return bytes;
  }
  // Initial: flags, version, destination id of 8 bytes, source id of 8 bytes, token, length.
  bytes[0] = std::byte{0xc0};
  bytes[1] = bytes[2] = bytes[3] = std::byte{0};
  bytes[4] = kind == 4 ? std::byte{9} : std::byte{1};
  bytes[5] = bytes[14] = std::byte{8};
  std::size_t at = 23;
  const std::size_t token = kind == 3 ? kTokenBytes : 0;
  bytes[at++] = std::byte{0x40};
  bytes[at++] = static_cast<std::byte>(token);
  if (token > 0) {
    bytes[at] = std::byte{NGTCP2_CRYPTO_TOKEN_MAGIC_RETRY};
  }
  at += token;
  const std::size_t length = bytes.size() - at - 2;
  bytes[at] = static_cast<std::byte>(0x40U | (length >> 8U));
  bytes[at + 1] = static_cast<std::byte>(length);
  return bytes;
}

struct FloodOutcome {
  std::uint64_t goodput = 0;  // bytes of transfers in the measured time
  std::size_t growth = 0;     // bytes, at the worst moment
  EndpointCounters counters;
  bool is_alive = false;
};

// Two seconds of a session at 20 Mbit/s, beside `packets_per_ms` of junk from all three sources.
FloodOutcome run_beside(int packets_per_ms) {
  const BitRate cap = BitRate::mbps(20);
  Pair pair(77, {.delay = Duration::ms(10)}, cap);
  World& world = pair.world;
  pair.b.keeps_transfers = false;
  auto stranger = world.network().open(port::Peer::v4({192, 0, 2, 1}, 1));
  auto same_host = world.network().open(pair.a.address.with_port(9));
  std::uint32_t number = 0;
  pair.a.on_turn = [&](Instant now, Site&) {
    while (pair.dialled->wants_transfer()) {
      pair.dialled->send_transfer(now, numbered(++number, 24'000));
    }
  };
  world.run(Duration::ms(1'000));
  Random random(5);
  FloodOutcome outcome;
  const std::uint64_t before = pair.b.transfer_bytes;
  const std::size_t memory = allocated_bytes();
  for (int ms = 0; ms < 2'000; ++ms) {
    for (int count = 0; count < packets_per_ms; ++count) {
      port::Port* from[] = {stranger.get(), same_host.get(), pair.a.port.get()};
      inject(world, *from[count % 3], pair.b.address, junk(random));
    }
    world.run(Duration::ms(1));
    const std::size_t present = allocated_bytes();
    outcome.growth = std::max(outcome.growth, present > memory ? present - memory : 0);
  }
  outcome.goodput = pair.b.transfer_bytes - before;
  outcome.counters = pair.b.endpoint->counters();
  outcome.is_alive = !pair.a.seen[0]->is_closed && !pair.b.seen[0]->is_closed;
  pair.a.on_turn = nullptr;
  return outcome;
}

TEST(Flood, AHundredThousandPacketsASecondCostNoMemoryAndNoGoodput) {
  const FloodOutcome quiet = run_beside(0);
  const FloodOutcome flooded = run_beside(100);
  EXPECT_TRUE(flooded.is_alive);
  EXPECT_GE(static_cast<double>(flooded.goodput), 0.95 * static_cast<double>(quiet.goodput));
  EXPECT_LE(flooded.growth, std::size_t{16} << 20U);
  // Every kind met its limit and was counted.
  EXPECT_GE(flooded.counters.packets_unknown_source, 60'000U);
  EXPECT_GT(flooded.counters.accepts_over_limit, 0U);
  EXPECT_GT(flooded.counters.retries_sent, 0U);
  EXPECT_GT(flooded.counters.tokens_refused, 0U);
  EXPECT_GT(flooded.counters.answers_withheld, 0U);
  EXPECT_GT(flooded.counters.handshakes_failed, 0U);
  // Handshakes begun are bounded by their pace: 16 + 50 a second and source, two sources, 2 s.
  EXPECT_LE(flooded.counters.sessions_accepted, 1U + 2 * (16 + 2 * 50 + 2));
}

// Greetings as `address` would send them, each the first packet of an attempt of its own. They are
// whole: keys, checksum and TLS are right.
std::vector<std::vector<std::byte>> forged_greetings(const port::Peer& address,
                                                     const port::Peer& to,
                                                     int count) {
  QuicOptions options;
  options.sessions_max = static_cast<std::size_t>(count);
  World world(99, options);
  Site& forger = world.site("fra");
  EXPECT_EQ(forger.address, address);
  auto sink = world.network().open(to);
  for (int number = 0; number < count; ++number) {
    forger.endpoint->dial(world.now(), {.site = "nyc", .address = to, .link = "nyc"});
  }
  std::vector<std::vector<std::byte>> greetings;
  while (greetings.size() < static_cast<std::size_t>(count)) {
    forger.endpoint->transmit(world.now());
    world.network().advance(world.now());
    std::vector<port::Train> trains(64);
    const std::size_t got = sink->receive(world.now(), trains);
    EXPECT_GT(got, 0U);
    for (const port::Train& train : std::span(trains).first(got)) {
      greetings.emplace_back(train.bytes.begin(), train.bytes.end());
    }
    sink->release(std::span(trains).first(got));
  }
  world.crash(forger);
  return greetings;
}

TEST(Retry, ATruePeerConnectsWhileItsAddressIsForged) {
  World world(3);
  Site& a = world.site("fra");
  Site& b = world.site("nyc");
  world.join(a, b, {.delay = Duration::ms(20)});
  const auto greetings = forged_greetings(a.address, b.address, 200);
  const std::size_t memory = allocated_bytes();
  for (const auto& greeting : greetings) {
    inject(world, *a.port, b.address, greeting);
    world.run(Duration::us(100));
  }
  world.run(Duration::ms(30));
  // The forger got the places of the unproven and no more.
  EXPECT_EQ(b.endpoint->counters().sessions_accepted, AdmissionLimits().unproven_per_source_max);
  EXPECT_GE(b.endpoint->counters().retries_sent, 100U);
  EXPECT_LE(allocated_bytes(), memory + (std::size_t{16} << 20U));
  world.dial(a, b, Duration::ms(40));
  EXPECT_TRUE(world.run_until([&] { return a.seen[0]->is_established; }, Duration::ms(500)));
  EXPECT_EQ(b.endpoint->counters().sessions_accepted,
            AdmissionLimits().unproven_per_source_max + 1);
  EXPECT_EQ(b.endpoint->counters().tokens_refused, 0U);
}

TEST(Retry, CostsOneRoundTripAndNothingElse) {
  QuicOptions options;
  options.admission.unproven_max = 0;  // everybody is asked
  Pair pair(4, {.delay = Duration::ms(20), .loss = 0.02}, BitRate::unlimited(), options);
  EXPECT_EQ(pair.a.of(pair.dialled).identity.site, "nyc");
  EXPECT_GE(pair.b.endpoint->counters().retries_sent, 1U);
  pair.dialled->send_transfer(pair.world.now(), numbered(1, 50'000));
  EXPECT_TRUE(
      pair.world.run_until([&] { return pair.b.transfers_received == 1; }, Duration::ms(5'000)));
}

// Each limit is set below what an honest session needs, so that an honest peer exceeds it.
struct LimitCase {
  std::string name;
  SessionLimits limits;
};

class Limit : public ::testing::TestWithParam<LimitCase> {};

TEST_P(Limit, ExceededEndsTheSessionAndIsCounted) {
  QuicOptions options;
  options.session = GetParam().limits;
  World world(8, options);
  Site& a = world.site("fra");
  Site& b = world.site("nyc");
  world.join(a, b, {.delay = Duration::ms(5)});
  world.dial(a, b);
  ASSERT_TRUE(world.run_until([&] { return a.seen[0]->is_closed; }, Duration::ms(2'000)));
  const Close& close = a.seen[0]->close;
  EXPECT_TRUE(close.reason == CloseReason::kLimit || close.by_peer) << close.text;
  world.run(Duration::ms(100));
  EXPECT_GE(a.endpoint->counters().sessions_over_limit + b.endpoint->counters().sessions_over_limit,
            1U);
}

INSTANTIATE_TEST_SUITE_P(Sessions,
                         Limit,
                         ::testing::Values(LimitCase{"HandshakeBytes", {.handshake_bytes = 1'000}},
                                           LimitCase{"CryptoBytes", {.crypto_bytes = 100}},
                                           LimitCase{"ConnectionIds", {.connection_ids = 0}},
                                           LimitCase{"Datagrams", {.datagrams_burst = 0}}),
                         [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace godwit::transport::testing

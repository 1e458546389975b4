// What an endpoint asks of its port when the port is busy, crowded by strangers, or long unused.
#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "dataplane/port/with/decorator.h"
#include "tests/dataplane/transport/pair.h"

namespace godwit::transport::testing {
namespace {

// Refuses to send while it is busy, counts what it sends, and brings what a test gives it.
class Valve final : public port::Decorator {
 public:
  using Decorator::Decorator;
  std::size_t receive(Instant now, std::span<port::Train> out) override {
    if (waiting.empty()) {
      return Decorator::receive(now, out);
    }
    const std::size_t count = std::min(out.size(), waiting.size());
    for (port::Train& train : out.first(count)) {
      train = {.peer = waiting.back(),
               .segment_bytes = kJunk,
               .bytes = std::span(junk_).first(train_bytes)};
      waiting.pop_back();
    }
    return count;
  }
  void release(std::span<const port::Train> trains) override {
    if (trains.empty() || trains.front().bytes.data() != junk_.data()) {
      Decorator::release(trains);
    }
  }
  std::size_t transmit(Instant now, std::span<const port::Train> trains) override {
    if (is_busy) {
      return 0;
    }
    for (const port::Train& train : trains) {
      bytes_sent += train.bytes.size();
    }
    return Decorator::transmit(now, trains);
  }

  bool is_busy = false;
  std::size_t bytes_sent = 0;
  std::vector<port::Peer> waiting;  // whose trains come next, the last one first
  static constexpr std::uint16_t kJunk = 40;
  std::size_t train_bytes = kJunk;  // of each of them, at most three packets

 private:
  std::array<std::byte, std::size_t{3} * kJunk> junk_{};
};

// Two sites behind valves, with an established session from `a`.
struct Behind {
  explicit Behind(std::uint64_t seed, BitRate cap = BitRate::unlimited()) : world(seed) {
    world.decorate = [this](std::unique_ptr<port::Port> port) {
      auto valve = std::make_unique<Valve>(std::move(port));
      valves.push_back(valve.get());
      return valve;
    };
    a = &world.site("fra");
    b = &world.site("nyc");
    world.join(*a, *b, {.delay = Duration::ms(20)}, cap);
    session = world.dial(*a, *b);
    EXPECT_TRUE(
        world.run_until([&] { return a->of(session).is_established; }, Duration::ms(20'000)));
    world.run(Duration::ms(2'000));  // with an open congestion window and nothing to say
  }
  Valve& valve() { return *valves.front(); }
  // What one call hands to the port.
  std::size_t transmit(Instant now) {
    const std::size_t before = valve().bytes_sent;
    a->endpoint->transmit(now);
    return valve().bytes_sent - before;
  }

  World world;
  std::vector<Valve*> valves;
  Site* a = nullptr;
  Site* b = nullptr;
  Session* session = nullptr;
};

TEST(PortPressure, ABusyPortIsAskedAgainLaterAndNotWithoutRest) {
  Behind site(31);
  const Instant now = site.world.now();
  site.session->send_transfer(now, numbered(1, 60'000));
  site.valve().is_busy = true;
  site.a->endpoint->transmit(now);
  EXPECT_TRUE(site.session->send_control(now, numbered(2, 40)));  // and there is more to send
  EXPECT_GT(site.a->endpoint->deadline(), now);
  EXPECT_LE(site.a->endpoint->deadline(), now + Duration::ms(1));
  site.valve().is_busy = false;
  EXPECT_TRUE(
      site.world.run_until([&] { return site.b->transfers_received == 1; }, Duration::ms(1'000)));
}

TEST(PortPressure, StrangersPushNoPeerOutOfATurn) {
  Behind site(32);
  constexpr std::size_t kOfPeers = 200;
  const auto stranger = port::Peer::v4({10, 9, 9, 9}, 9);
  for (std::size_t index = 0; index < kOfPeers; ++index) {
    site.valve().waiting.insert(site.valve().waiting.end(), 7, stranger);
    site.valve().waiting.push_back(site.b->address);
  }
  site.a->endpoint->receive(site.world.now());
  EXPECT_TRUE(site.valve().waiting.empty());
  // A turn ends all the same, whoever sends.
  for (const port::Peer& sender : {stranger, site.b->address}) {
    site.valve().waiting.assign(100'000, sender);
    site.a->endpoint->receive(site.world.now());
    EXPECT_GT(site.valve().waiting.size(), 95'000U);
  }
}

TEST(PortPressure, StrangersAreCountedByThePacketAndNotByTheTrain) {
  Behind site(34);
  site.valve().train_bytes = std::size_t{2} * Valve::kJunk + 1;
  site.valve().waiting.assign(10, port::Peer::v4({10, 9, 9, 9}, 9));
  site.a->endpoint->receive(site.world.now());
  EXPECT_EQ(site.a->endpoint->counters().packets_unknown_source, 30U);
}

TEST(PortPressure, ALinkMakesUpForALateTurnAndNotForSilence) {
  // Two packets take 2.4 ms of it.
  Behind site(33, BitRate::mbps(10));
  const Instant now = site.world.now();
  const auto transmit = [&](std::int64_t us) { return site.transmit(now + Duration::us(us)); };
  site.session->send_transfer(now, numbered(1, 60'000));
  EXPECT_GT(transmit(0), 0U);
  EXPECT_EQ(transmit(1'600), 0U) << "seconds of silence earn nothing";
  EXPECT_GT(transmit(8'000), 0U) << "the worker was away";
  EXPECT_GT(transmit(10'000), 0U) << "a train's time of it is made good";
}

}  // namespace
}  // namespace godwit::transport::testing

// A port with several addresses of its own: what comes to one of them is answered from it.
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "dataplane/port/with/decorator.h"
#include "tests/dataplane/transport/pair.h"

namespace godwit::transport::testing {
namespace {

// As a socket at a wildcard address: everything comes to `comes_to`, and it is kept from where
// things leave.
class Several final : public port::Decorator {
 public:
  using Decorator::Decorator;
  port::Peer local() const override {
    return port::Peer::parse("0.0.0.0:1")->with_port(Decorator::local().udp_port());
  }
  std::size_t receive(Instant now, std::span<port::Train> out) override {
    const std::size_t count = Decorator::receive(now, out);
    for (port::Train& train : out.first(count)) {
      train.local = comes_to;
    }
    return count;
  }
  std::size_t transmit(Instant now, std::span<const port::Train> trains) override {
    for (const port::Train& train : trains) {
      left_from.insert(train.local.has_host() ? train.local.with_port(0).format() : "any");
    }
    return Decorator::transmit(now, trains);
  }

  port::Peer comes_to = port::Peer::parse("192.0.2.7:0").value();
  std::set<std::string> left_from;
};

const std::set<std::string> kSeven = {"192.0.2.7:0"};

struct OfSeveral {
  explicit OfSeveral(std::uint64_t seed, BitRate cap = BitRate::unlimited()) : world(seed) {
    world.decorate = [this](std::unique_ptr<port::Port> port) -> std::unique_ptr<port::Port> {
      auto made = std::make_unique<Several>(std::move(port));
      ports.push_back(made.get());
      return made;
    };
    a = &world.site("fra");
    b = &world.site("nyc");
    world.join(*a, *b, {.delay = Duration::ms(5)}, cap);
  }
  bool meet() {
    return world.run_until(
        [&] {
          return !b->sessions.empty() && b->seen.back()->is_established &&
                 a->seen.back()->is_established;
        },
        Duration::ms(2'000));
  }

  World world;
  std::vector<Several*> ports;
  Site* a = nullptr;
  Site* b = nullptr;
};

TEST(OwnAddressOfSessions, IsThatToWhichTheGreetingCame) {
  OfSeveral two(1);
  two.world.dial(*two.a, *two.b);
  ASSERT_TRUE(two.meet());
  Session* accepted = two.b->sessions.front();
  EXPECT_EQ(accepted->local(), port::Peer::parse("192.0.2.7:4433").value());
  EXPECT_EQ(accepted->remote(), two.a->address);
  ASSERT_TRUE(accepted->send_control(two.world.now(), numbered(1, 100)));
  accepted->send_transfer(two.world.now(), numbered(2, 60'000));
  ASSERT_TRUE(
      two.world.run_until([&] { return two.a->transfers_received == 1; }, Duration::ms(2'000)));
  EXPECT_EQ(two.ports[1]->left_from, kSeven);
  // Its last packet, too.
  two.ports[1]->left_from.clear();
  accepted->close(two.world.now(), 1, "the end");
  two.world.run(Duration::ms(100));
  EXPECT_EQ(two.ports[1]->left_from, kSeven);
}

TEST(OwnAddressOfSessions, IsTheRoutesForADialThatNamesNone) {
  OfSeveral two(2);
  Session* dialled = two.world.dial(*two.a, *two.b);
  ASSERT_TRUE(two.meet());
  EXPECT_FALSE(dialled->local().has_host());
  EXPECT_EQ(two.ports[0]->left_from, (std::set<std::string>{"any"}));
}

TEST(OwnAddressOfSessions, IsWhatADialNames) {
  OfSeveral two(3);
  PeerConfig peer = two.a->peers.front();
  peer.local = port::Peer::parse("192.0.2.9:7").value();
  Session* dialled = two.a->track(two.a->endpoint->dial(two.world.now(), peer));
  ASSERT_TRUE(two.meet());
  EXPECT_EQ(dialled->local(), port::Peer::parse("192.0.2.9:4433").value());
  EXPECT_EQ(two.ports[0]->left_from, (std::set<std::string>{"192.0.2.9:0"}));
}

// The estimate of a link is that of its newest session's path.
TEST(OwnAddressOfSessions, OnlyTheNewestSessionsPathTellsWhatTheLinkCarries) {
  OfSeveral two(5, BitRate::mbps(5));
  const auto dial_from = [&](const char* local) {
    PeerConfig peer = two.a->peers.front();
    peer.local = port::Peer::parse(local).value();
    Session* session = two.a->track(two.a->endpoint->dial(two.world.now(), peer));
    EXPECT_TRUE(two.meet());
    return session;
  };
  const auto delivery_after = [&](Session& session) {
    for (int i = 0; i < 100; ++i) {  // as much as the cap lets pass
      while (session.wants_transfer()) {
        session.send_transfer(two.world.now(), numbered(1, 60'000));
      }
      two.world.run(Duration::ms(10));
    }
    return session.stats().delivery;
  };
  Session* first = dial_from("192.0.2.8:1");
  EXPECT_GT(delivery_after(*first), BitRate());
  Session* second = dial_from("192.0.2.9:1");
  EXPECT_EQ(first->stats().delivery, BitRate()) << "forgotten";
  EXPECT_EQ(delivery_after(*first), BitRate()) << "not its path";
  EXPECT_GT(delivery_after(*second), BitRate());
  // When the newest ends, the link is where the other one is.
  second->close(two.world.now(), 1, "the end");
  two.world.run(Duration::ms(100));
  EXPECT_GT(delivery_after(*first), BitRate());
}

TEST(OwnAddressOfSessions, IsThatOfAnAnswerWithoutState) {
  OfSeveral two(4);
  two.world.dial(*two.a, *two.b);
  ASSERT_TRUE(two.meet());
  two.world.crash(*two.b);
  two.world.start(*two.b);
  Several& again = *two.ports[2];
  // A session that b does not know any more is reset, and an unknown version is named.
  two.a->sessions.front()->send_control(two.world.now(), numbered(1, 100));
  ASSERT_TRUE(two.world.run_until([&] { return two.b->endpoint->counters().resets_sent == 1; },
                                  Duration::ms(2'000)));
  EXPECT_EQ(again.left_from, kSeven);
  again.left_from.clear();
  std::vector<std::byte> greeting(1'200);
  greeting[0] = std::byte{0xc0};
  greeting[1] = std::byte{0x7a};  // no version of ours
  greeting[5] = std::byte{8};     // bytes of the id
  const port::Train train{.peer = two.b->address, .segment_bytes = 1'200, .bytes = greeting};
  two.a->port->transmit(two.world.now(), {&train, 1});
  ASSERT_TRUE(two.world.run_until(
      [&] { return two.b->endpoint->counters().versions_negotiated == 1; }, Duration::ms(2'000)));
  EXPECT_EQ(again.left_from, kSeven);
}

}  // namespace
}  // namespace godwit::transport::testing

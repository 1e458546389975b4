#include "api/gateway/site_clock.h"

#include <gtest/gtest.h>

#include "tests/api/gateway/one_gateway.h"

namespace godwit::gateway {
namespace {

using Ids = std::vector<PublisherId>;

constexpr PublisherId kFast{1};
constexpr PublisherId kSlow{2};
const int kConnections[3] = {};
const void* const kFirst = &kConnections[0];
const void* const kSecond = &kConnections[1];
const void* const kThird = &kConnections[2];

TEST(SiteClock, IsTheLeastOfItsTickers) {
  SiteClock clock;
  EXPECT_EQ(clock.reached(), 0U);
  EXPECT_TRUE(clock.on_tick(kFirst, kFast, 7));
  EXPECT_EQ(clock.reached(), 7U);
  EXPECT_TRUE(clock.on_tick(kSecond, kSlow, 3));
  EXPECT_FALSE(clock.on_tick(kFirst, kFast, 9));
  EXPECT_FALSE(clock.on_tick(kFirst, kFast, 8));  // heard late
  EXPECT_EQ(clock.reached(), 3U);
  EXPECT_TRUE(clock.on_leave(kSecond));
  EXPECT_EQ(clock.reached(), 9U);
  EXPECT_FALSE(clock.on_leave(kSecond));
  EXPECT_EQ(clock.tickers(), Ids{kFast});
}

TEST(SiteClock, StandsStillUntilEverybodyWhoTickedIsBack) {
  SiteClock clock;
  clock.expect({kSlow, kFast});
  EXPECT_FALSE(clock.on_tick(kFirst, kFast, 9));  // it was known
  EXPECT_EQ(clock.reached(), 0U);
  EXPECT_EQ(clock.tickers(), (Ids{kFast, kSlow}));
  EXPECT_TRUE(clock.on_tick(kThird, PublisherId(3), 20));
  EXPECT_EQ(clock.reached(), 0U);
  EXPECT_FALSE(clock.on_tick(kSecond, kSlow, 3));
  EXPECT_FALSE(clock.expects());
  EXPECT_EQ(clock.reached(), 3U);
}

TEST(SiteClock, GoesOnWithoutThoseWhoAreGivenUp) {
  SiteClock clock;
  clock.expect({kSlow, kFast});
  clock.on_tick(kFirst, kFast, 9);
  EXPECT_TRUE(clock.give_up());
  EXPECT_FALSE(clock.give_up());
  EXPECT_EQ(clock.reached(), 9U);
  EXPECT_EQ(clock.tickers(), Ids{kFast});
}

// A second client of the fixture's gateway, that ticks only.
struct Ticker {
  local::MemoryLink link;
  OneGateway& gateway;
  std::uint64_t id;

  Ticker(OneGateway& one, std::uint64_t connection, PublisherId who)
      : gateway(one), id(connection) {
    gateway.gateway->attach_client(id, link.gateway_end(), OneGateway::kRingBytes);
    say(local::Hello{.publisher = who, .incarnation = {1, 1}});
    say(local::Declare{.handle = local::TopicHandle{}, .topic = "t", .element_count = 10});
  }
  template <class Record>
  void say(const Record& record) {
    ASSERT_TRUE(local::send(link.client_end(), record));
  }
  void tick(std::uint64_t clock) {
    say(local::Tick{.topic = local::TopicHandle{}, .clock = clock});
    gateway.turn(1);
  }
  void leave() {
    gateway.gateway->detach_client(id);
    gateway.turn(1);
  }
};

TEST(SiteClock, NoFastTickerSpeaksForASlowOneAfterARestartOfTheGateway) {
  OneGateway b("b");
  b.declare("t", 10);
  Ticker fast(b, 2, kFast);
  Ticker slow(b, 3, kSlow);
  slow.tick(50);
  fast.tick(100);
  EXPECT_EQ(b.topic("t").clock, 50U);
  b.open();  // the gateway was killed and starts on its state
  Ticker fast_again(b, 2, kFast);
  fast_again.tick(100);
  EXPECT_EQ(b.topic("t").clock, 0U);
  Ticker slow_again(b, 3, kSlow);
  slow_again.tick(51);
  EXPECT_EQ(b.topic("t").clock, 51U);
}

TEST(SiteClock, ATickerThatDiedWithTheGatewayHoldsTheClockForTenSeconds) {
  OneGateway b("b");
  b.declare("t", 10);
  {
    Ticker fast(b, 2, kFast);
    Ticker slow(b, 3, kSlow);
    fast.tick(100);
    slow.tick(50);
    b.open();
  }
  const Instant restarted = b.now;
  Ticker fast(b, 2, kFast);
  fast.tick(100);
  EXPECT_EQ(b.topic("t").clock, 0U);
  while (b.topic("t").clock == 0 && b.now - restarted < Duration::seconds(60)) {
    b.now = std::max(b.now, b.gateway->deadline());  // the gateway wakes by itself
    b.turn(1);
  }
  EXPECT_EQ(b.topic("t").clock, 100U);
  EXPECT_NEAR((b.now - restarted).to_seconds(), 10, 0.5);
  b.open();  // given up for good: nobody waits for it once more
  Ticker fast_again(b, 2, kFast);
  fast_again.tick(101);
  EXPECT_EQ(b.topic("t").clock, 101U);
}

TEST(SiteClock, GoesOnWhenTheSlowestTickerLeaves) {
  OneGateway b("b");
  b.declare("t", 10);
  Ticker fast(b, 2, kFast);
  Ticker slow(b, 3, kSlow);
  slow.tick(50);
  fast.tick(100);
  slow.leave();
  EXPECT_EQ(b.topic("t").clock, 100U);
}

TEST(SiteClock, RefusesATickThatCountsNoIterationsAndDoesNotMove) {
  for (const std::uint64_t far : {local::kClockMax + 1, ~std::uint64_t{0}}) {
    OneGateway b("b");
    const auto handle = b.declare("t", 10);
    b.say(local::Tick{.topic = handle, .clock = far});
    b.turn();
    EXPECT_EQ(b.topic("t").clock, 0U);
    EXPECT_EQ(b.gateway->core().counters.clients_refused.at(
                  static_cast<std::size_t>(ClientRefusal::kProtocol)),
              1U)
        << "its connection is closed";
  }
  OneGateway b("b");
  b.say(local::Tick{.topic = b.declare("t", 10), .clock = local::kClockMax});
  b.turn();
  EXPECT_EQ(b.topic("t").clock, local::kClockMax);
}

}  // namespace
}  // namespace godwit::gateway

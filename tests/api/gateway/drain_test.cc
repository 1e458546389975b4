#include <gtest/gtest.h>

#include "dataplane/wire/transfer.h"
#include "tests/api/gateway/admin_ask.h"
#include "tests/api/gateway/one_gateway.h"
#include "tests/api/gateway/raw_client.h"

namespace godwit::gateway {
namespace {

using control::ControlMessage;

constexpr std::uint64_t kOneTile = ledger::kTileElements;

// b with a lane to a on the topic "t" of one tile, over a link of 64 kbit/s.
struct Sending {
  OneGateway b;
  local::TopicHandle handle;
  ScriptedSession& a;
  std::uint64_t taken = 0;  // transfers

  explicit Sending(double tolerance, const std::string& rules = "")
      : b("b", "[[links]]\nends = [\"a\", \"b\"]\ncap = \"64kbit/s\"\n" + rules),
        handle(b.declare("t", kOneTile, {}, tolerance)),
        a(b.greeted("a")) {
    ControlMessage announcement = OneGateway::announcement("t", kOneTile);
    announcement.mutable_topic_announce()->set_tolerance(tolerance);
    a.control(announcement);
    b.turn(1);
    ControlMessage accept;
    accept.mutable_lane_accept()->set_topic(TopicId::of("t").value());
    accept.mutable_lane_accept()->set_from_incarnation(b.life("t").packed());
    accept.mutable_lane_accept()->set_to_incarnation(OneGateway::peer_incarnation().packed());
    a.control(accept);
    b.turn(1);
  }
  // A turn of the gateway, whose transfers a takes and receipts; how many there were.
  std::size_t turn() {
    b.turn(1);
    const std::size_t count = a.transfers.size();
    for (; !a.transfers.empty(); a.transfers.pop_front()) {
      const auto header = wire::parse_header(as_bytes(a.transfers.front()));
      ControlMessage receipt;
      receipt.mutable_receipt()->set_topic(TopicId::of("t").value());
      receipt.mutable_receipt()->set_to_incarnation(OneGateway::peer_incarnation().packed());
      receipt.mutable_receipt()->set_from_incarnation(b.life("t").packed());
      receipt.mutable_receipt()->set_frontier(header->k);
      receipt.mutable_receipt()->set_checksum(header->cumulative);
      a.control(receipt);
    }
    taken += count;
    return count;
  }
  bool drained_within(Duration patience) {
    for (const Instant end = b.now + patience; b.now < end && !b.gateway->drained();) {
      turn();
    }
    return b.gateway->drained();
  }
};

TEST(Drain, SendsAtOnceWhatIsWithinTheTolerance) {
  Sending sending(0.5);
  sending.b.publish(sending.handle, 0, {1000, -3});
  EXPECT_FALSE(sending.drained_within(Duration::ms(500)));
  EXPECT_EQ(sending.taken, 0U);
  sending.b.gateway->drain();
  EXPECT_TRUE(sending.drained_within(Duration::ms(30)));
  EXPECT_EQ(sending.taken, 1U);
}

// What is frozen waits as well as what is open.
TEST(Drain, TellsWhoeverStopsTheGatewayWhatNoPeerHasYet) {
  Sending sending(0);
  OneGateway& b = sending.b;
  const auto stop = [&](std::uint64_t drain_ns = 0) {
    admin::AdminRequest request;
    request.mutable_stop()->set_drain_ns(drain_ns);
    return ask(b, request).stop();
  };
  EXPECT_EQ(stop().open_bytes_estimate(), 0U);
  b.publish(sending.handle, 0, {5});
  EXPECT_GT(stop().open_bytes_estimate(), 0U);
  const auto lane = *b.topic("t").peers().at(SiteId::of("a")).outgoing;
  for (int i = 0; i < 1000 && b.topic("t").ledger().dirty(lane, 0); ++i) {
    b.turn(1);  // without a receipt
  }
  ASSERT_FALSE(sending.a.transfers.empty());
  EXPECT_EQ(stop().open_bytes_estimate(), b.topic("t").ledger().lane(lane).unreceipted_bytes);
  EXPECT_GT(stop().open_bytes_estimate(), 0U);
  EXPECT_TRUE(sending.drained_within(Duration::seconds(1)));
  EXPECT_EQ(stop().open_bytes_estimate(), 0U);
  EXPECT_EQ(stop(7).drain_ns(), 7U);
  EXPECT_EQ(stop(~std::uint64_t{0}).drain_ns(), 86'400'000'000'000U) << "a day";
}

// A subscriber that does not receipt is no site, even if its number is one's.
TEST(Drain, DoesNotWaitForSubscribers) {
  Sending sending(0);
  RawClient reader(sending.b, SiteId::of("a").value(), "", {1, 1}, {.elements = kOneTile});
  reader.say(local::Subscribe{.topic = RawClient::kTopic, .incarnation = {1, 1}});
  sending.b.turn();
  sending.b.publish(sending.handle, 0, {5});
  EXPECT_TRUE(sending.drained_within(Duration::seconds(1)));
  admin::AdminRequest request;
  request.mutable_stop();
  EXPECT_EQ(ask(sending.b, request).stop().open_bytes_estimate(), 0U);
  EXPECT_GT(sending.b.topic("t").ledger().occupancy().subscriber_lanes, 0U);
  sending.b.gateway.reset();  // before the ring of its client
}

// What is held back stays open: a reader is not told that it has everything.
TEST(Significance, CoversNothingOfWhichAPartIsHeldBack) {
  Sending sending(0,
                  "[[policies]]\nmatch = \"t\"\n"
                  "significance = { filter = \"relative\", threshold = 0.5, decay = \"none\" }\n");
  Topic& topic = sending.b.topic("t");
  const auto lane = *topic.peers().at(SiteId::of("a")).outgoing;
  sending.b.publish(sending.handle, 0, {1000, 1000});
  ASSERT_TRUE(sending.drained_within(Duration::ms(500)));
  const std::uint64_t covered = topic.ledger().coverage(lane).value();
  EXPECT_EQ(covered, 1U);
  const std::uint64_t before = sending.taken;
  sending.b.publish(sending.handle, 0, {5000, 1});
  EXPECT_FALSE(sending.drained_within(Duration::ms(500)));
  EXPECT_GT(sending.taken, before) << "the large one";
  EXPECT_EQ(topic.ledger().coverage(lane).value(), covered) << "but not the small one";
}

TEST(Significance, CountsTheTilesThatWaitBelowTheThreshold) {
  Sending sending(0,
                  "[[policies]]\nmatch = \"t\"\n"
                  "significance = { filter = \"relative\", threshold = 0.5, decay = \"none\" }\n");
  const Topic& topic = sending.b.topic("t");
  sending.b.publish(sending.handle, 0, {1000});
  ASSERT_TRUE(sending.drained_within(Duration::ms(500)));
  EXPECT_EQ(topic.withheld_tiles(), 0U);
  for (const std::int64_t small : {1, 2}) {
    sending.b.publish(sending.handle, 0, {small});
    EXPECT_FALSE(sending.drained_within(Duration::ms(500)));
    EXPECT_EQ(topic.withheld_tiles(), 1U);
  }
  // What cancels out does not wait.
  sending.b.publish(sending.handle, 0, {-3});
  EXPECT_TRUE(sending.drained_within(Duration::ms(500)));
  EXPECT_EQ(topic.withheld_tiles(), 0U);
  const std::uint64_t before = sending.taken;
  sending.b.publish(sending.handle, 0, {3000});
  EXPECT_TRUE(sending.drained_within(Duration::ms(500)));
  EXPECT_EQ(sending.taken, before + 1);
  EXPECT_EQ(topic.withheld_tiles(), 0U);
}

TEST(Drain, DoesNotHoldTheRestOfATileForAnInterval) {
  Sending sending(0);
  std::vector<std::int64_t> noise(kOneTile / 2);
  Random random(3);
  for (int i = 0; i < 3; ++i) {  // it changes once a second, so a visit's rest is held as long
    for (auto& value : noise) {
      value = static_cast<std::int64_t>(random.below(std::uint64_t{1} << 30U));
    }
    sending.b.publish(sending.handle, 0, noise);
    for (const Instant next = sending.b.now + Duration::seconds(1); sending.b.now < next;) {
      sending.turn();
    }
  }
  sending.b.publish(sending.handle, 0, noise);
  while (sending.turn() > 0) {
  }
  ASSERT_EQ(sending.b.peer("a").queue.pending_keys(), 1U);
  EXPECT_EQ(sending.turn() + sending.turn() + sending.turn(), 0U);  // it is held
  sending.b.gateway->drain();
  EXPECT_GT(sending.turn(), 0U);
  EXPECT_TRUE(sending.drained_within(Duration::ms(500)));
}

}  // namespace
}  // namespace godwit::gateway

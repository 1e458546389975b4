// Shards of a topic at one gateway: each with its own state and lanes, one to whoever asks.
#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "dataplane/wire/transfer.h"
#include "tests/api/gateway/admin_ask.h"
#include "tests/api/gateway/one_gateway.h"

namespace godwit::gateway {
namespace {

using control::ControlMessage;

// Three tiles: shard 0 has the first and the third, shard 1 the second.
constexpr std::uint64_t kThreeTilesShort = (2 * kShardTileElements) + 100;

local::Declare half(std::uint32_t shard) {
  return {.topic = "t", .element_count = kThreeTilesShort, .shards = 2, .shard = shard};
}

TopicShard id(std::uint16_t shard) {
  return {TopicId::of("t"), shard};
}

class Shards : public ::testing::Test {
 protected:
  OneGateway b_{"b"};
  local::TopicHandle even_ = b_.declare(half(0));
  local::TopicHandle odd_ = b_.declare(half(1));

  Topic& shard(std::uint16_t index) { return *b_.gateway->core().find_topic(id(index)); }

  // The peer agrees to a shard, and takes our lane to it.
  void agree(ScriptedSession& a, std::uint32_t index) {
    ControlMessage announce = OneGateway::announcement("t", kThreeTilesShort);
    announce.mutable_topic_announce()->set_shards(2);
    announce.mutable_topic_announce()->set_shard(index);
    a.control(announce);
    b_.turn(1);
    ControlMessage accept = b_.lane_accept("t");
    accept.mutable_lane_accept()->set_shard(index);
    accept.mutable_lane_accept()->set_from_incarnation(
        shard(static_cast<std::uint16_t>(index)).ledger().incarnation().packed());
    a.control(accept);
    b_.turn(1);
  }
};

TEST_F(Shards, HaveTheirPartOfTheElementsEach) {
  EXPECT_EQ(shard(0).spec().element_count(), kShardTileElements + 100);
  EXPECT_EQ(shard(1).spec().element_count(), kShardTileElements);
  EXPECT_EQ(shard(1).ledger().shape().shard, 1);
}

TEST_F(Shards, TakePublishesBySharesOfTheirOwn) {
  b_.publish(even_, kShardTileElements + 99, {5});
  b_.publish(odd_, 0, {7, 8});
  b_.publish(odd_, kShardTileElements, {9});  // beyond the shard, within the topic
  EXPECT_EQ(shard(0).ledger().publishes(), 1U);
  EXPECT_EQ(shard(1).ledger().publishes(), 1U);
  EXPECT_EQ(shard(1).refused.at(static_cast<std::size_t>(PublishRefusal::kShape)), 1U);
}

TEST_F(Shards, RefuseASumOutOfRangeInTheTopicsElementsAndUnits) {
  const std::int64_t most = shard(1).ledger().shape().magnitude_max();
  b_.publish(odd_, 5, {most});
  ::testing::internal::CaptureStderr();
  b_.publish(odd_, 4, {1, std::int64_t{3} << 40U});
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("element 32773: 3 more would take the sum out of the topic's range of"),
            std::string::npos)
      << log;
  EXPECT_EQ(shard(1).refused.at(static_cast<std::size_t>(PublishRefusal::kOutOfRange)), 1U);
  EXPECT_EQ(shard(1).ledger().publishes(), 1U);
}

TEST_F(Shards, AreAnnouncedEachByItself) {
  ScriptedSession& a = b_.greeted("a");
  const auto first = a.take(ControlMessage::kTopicAnnounce).topic_announce();
  const auto second = a.take(ControlMessage::kTopicAnnounce).topic_announce();
  EXPECT_EQ(first.shard() + second.shard(), 1U);
  EXPECT_EQ(first.shards(), 2U);
  EXPECT_EQ(first.elements(), kThreeTilesShort);
}

TEST_F(Shards, SendTheirChangesOnTheirOwnLanes) {
  ScriptedSession& a = b_.greeted("a");
  agree(a, 1);
  b_.publish(even_, 0, {5});
  b_.publish(odd_, 0, {7});
  b_.turn();
  ASSERT_EQ(a.transfers.size(), 1U);  // the lane of shard 0 is not open
  const auto header = wire::parse_header(as_bytes(a.transfers.front()));
  ASSERT_TRUE(header.has_value());
  EXPECT_EQ(header->shard, 1);
  EXPECT_EQ(header->topic, TopicId::of("t"));
  agree(a, 0);
  b_.turn();
  ASSERT_EQ(a.transfers.size(), 2U);
  EXPECT_EQ(wire::parse_header(as_bytes(a.transfers.back()))->shard, 0);
}

TEST_F(Shards, OfAnotherNumberAreRefused) {
  ScriptedSession& a = b_.greeted("a");
  ControlMessage announce = OneGateway::announcement("t", kThreeTilesShort);
  announce.mutable_topic_announce()->set_shards(1);
  a.control(announce);
  b_.turn(1);
  const auto refusal = a.take(ControlMessage::kRefuse).refuse();
  EXPECT_EQ(refusal.code(), control::Refuse::CODE_SHAPE_MISMATCH);
  EXPECT_NE(refusal.text().find("in 2 shards"), std::string::npos) << refusal.text();
}

TEST_F(Shards, OfAnotherShapeAreNotOpenedBesideThoseThatAre) {
  OneGateway c("c");
  c.declare({.topic = "t", .element_count = 10});
  local::Declare wrong{.topic = "t", .element_count = 20 * kShardTileElements, .shards = 4};
  for (wrong.shard = 0; wrong.shard < 4; ++wrong.shard) {
    c.declare(wrong);
    EXPECT_EQ(c.declared.code, Code::kInvalid) << wrong.shard;
    EXPECT_NE(c.declared.error.find("the element count differs"), std::string::npos);
  }
  EXPECT_EQ(c.gateway->core().topics.size(), 1U);
}

TEST_F(Shards, ThatDoNotExistAreRefusedAndBreakNothing) {
  b_.declare(local::Declare{.topic = "u", .element_count = 10, .shards = 2});
  EXPECT_EQ(b_.declared.code, Code::kInvalid);
  EXPECT_NE(b_.declared.error.find("cannot be divided into 2 shards"), std::string::npos);
  b_.declare({.topic = "t", .element_count = kThreeTilesShort, .shards = 1});
  EXPECT_NE(b_.declared.error.find("number of shards differs"), std::string::npos)
      << b_.declared.error;
  ScriptedSession& a = b_.greeted("a");
  for (const std::uint32_t beyond : {2U, 64U, 65'536U, 0xffffffffU}) {
    ControlMessage open = b_.lane_open("t");
    open.mutable_lane_open()->set_shard(beyond);
    a.control(open);
    b_.turn(1);
    EXPECT_EQ(a.take(ControlMessage::kRefuse).refuse().code(), control::Refuse::CODE_UNKNOWN_TOPIC);
  }
  EXPECT_FALSE(a.closed);
}

TEST_F(Shards, ComeBackAfterARestart) {
  b_.publish(odd_, 3, {7});
  const Incarnation life = shard(1).ledger().incarnation();
  b_.open();
  EXPECT_EQ(shard(0).ledger().publishes(), 0U);
  EXPECT_EQ(shard(1).ledger().publishes(), 1U);
  EXPECT_EQ(shard(1).ledger().incarnation(), life);
  EXPECT_EQ(shard(1).spec().sharding, (Sharding{kThreeTilesShort, 2}));
}

TEST_F(Shards, AreReportedAsOneTopic) {
  b_.publish(even_, 0, {5});
  b_.publish(odd_, 0, {7});
  b_.publish(odd_, 1, {7});
  ScriptedSession& a = b_.greeted("a");
  agree(a, 0);
  agree(a, 1);
  admin::AdminRequest request;
  request.mutable_topics();
  const auto topics = ask(b_, request).topics().topics();
  ASSERT_EQ(topics.size(), 1);
  EXPECT_EQ(topics[0].summary().elements(), kThreeTilesShort);
  EXPECT_EQ(topics[0].summary().publishes(), 2U);  // of the shard with the most
  EXPECT_EQ(topics[0].summary().memory_used_bytes(),
            shard(0).memory_used() + shard(1).memory_used());
  EXPECT_EQ(topics[0].shards(), 2U);
  EXPECT_EQ(topics[0].touched_blocks(), 2U * ledger::kTileBlocks);
  ASSERT_EQ(topics[0].lanes_size(), 1);  // to a
  EXPECT_EQ(topics[0].lanes(0).unreceipted_transfers(),
            shard(0).ledger().lane(*shard(0).peers().at(SiteId::of("a")).outgoing).unreceipted +
                shard(1).ledger().lane(*shard(1).peers().at(SiteId::of("a")).outgoing).unreceipted);
  EXPECT_TRUE(topics[0].lanes(0).open());

  request.mutable_status();
  EXPECT_EQ(ask(b_, request).status().topics_size(), 1);
  request.mutable_ledger();
  const auto ledgers = ask(b_, request).ledger().topics();
  ASSERT_EQ(ledgers.size(), 1);
  EXPECT_EQ(ledgers[0].published_mass(), 5 + 7 + 7);
  request.mutable_explain()->set_topic("t");
  EXPECT_EQ(ask(b_, request).explain().topic().summary().elements(), kThreeTilesShort);
}

TEST_F(Shards, OfWhichOneIsBehindHoldTheTopicBack) {
  ScriptedSession& a = b_.greeted("a");
  agree(a, 0);
  b_.publish(odd_, 0, {7});
  admin::AdminRequest request;
  request.mutable_topics();
  const auto lane = ask(b_, request).topics().topics(0).lanes(0);
  EXPECT_TRUE(lane.open());  // shard 1 has no lane yet
  agree(a, 1);
  b_.publish(odd_, 0, {7});
  const auto later = ask(b_, request).topics().topics(0).lanes(0);
  EXPECT_EQ(later.published(), 2U);  // of shard 1
  EXPECT_EQ(later.covered_to(), 0U);
  EXPECT_EQ(later.frontier(), 0U);
}

}  // namespace
}  // namespace godwit::gateway

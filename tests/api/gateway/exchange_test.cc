#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "dataplane/wire/transfer.h"
#include "tests/api/gateway/one_gateway.h"

namespace godwit::gateway {
namespace {

using control::ControlMessage;
using control::Refuse;

constexpr const char* kPrivate = "[[policies]]\nmatch = \"private/**\"\nallowed = [\"a\", \"b\"]\n";

// What the gateway answers to one message of a.
Refuse::Code refusal(OneGateway& b, ScriptedSession& a, const ControlMessage& message) {
  a.controls.clear();
  a.control(message);
  b.turn(1);
  EXPECT_FALSE(a.closed) << a.close_reason;
  return a.take(ControlMessage::kRefuse).refuse().code();
}

// b with a lane from and to a on the topic "t" of ten elements.
struct Agreed {
  OneGateway b{"b"};
  local::TopicHandle handle = b.declare("t", 10);
  ScriptedSession& a = b.greeted("a");

  Agreed() {
    a.control(OneGateway::announcement("t", 10));
    a.control(b.lane_open("t"));
    b.turn(1);
  }
  bool breaks(const ControlMessage& message) {
    a.control(message);
    b.turn(1);
    return a.closed;
  }
};

TEST(Exchange, AnnouncesOnceTheSessionIsUp) {
  OneGateway b("b");
  b.declare("t", 10, {}, 0.5);
  ScriptedSession& a = b.greeted("a");
  const auto said = a.take(ControlMessage::kTopicAnnounce).topic_announce();
  EXPECT_EQ(said.name(), "t");
  EXPECT_EQ(said.topic(), TopicId::of("t").value());
  EXPECT_EQ(said.elements(), 10U);
  EXPECT_EQ(said.fraction_bits(), 40U);
  EXPECT_EQ(said.shards(), 1U);
  EXPECT_EQ(said.tolerance(), 0.5);
  EXPECT_EQ(said.incarnation(), b.life("t").packed());
}

TEST(Exchange, OpensItsLaneToThePeersIncarnation) {
  Agreed agreed;
  const auto open = agreed.a.take(ControlMessage::kLaneOpen).lane_open();
  EXPECT_EQ(open.from_incarnation(), agreed.b.life("t").packed());
  EXPECT_EQ(open.to_incarnation(), OneGateway::peer_incarnation().packed());
  EXPECT_EQ(open.next_k(), 1U);
}

TEST(Exchange, AcceptsTheLaneThatNamesItsIncarnation) {
  Agreed agreed;
  const auto accept = agreed.a.take(ControlMessage::kLaneAccept).lane_accept();
  EXPECT_EQ(accept.to_incarnation(), agreed.b.life("t").packed());
  EXPECT_EQ(accept.frontier(), 0U);
}

TEST(Exchange, RemembersAnAnnouncementUntilTheTopicIsDeclaredHere) {
  OneGateway b("b");
  ScriptedSession& a = b.greeted("a");
  a.control(OneGateway::announcement("t", 10));
  b.turn(1);
  EXPECT_EQ(a.take(ControlMessage::kLaneOpen).kind_case(), ControlMessage::KIND_NOT_SET);
  b.declare("t", 10);
  EXPECT_EQ(a.take(ControlMessage::kLaneOpen).kind_case(), ControlMessage::kLaneOpen);
}

TEST(Exchange, RefusesToRememberMoreAnnouncementsThanItMay) {
  OneGateway b("b");
  ScriptedSession& a = b.greeted("a");
  for (std::size_t i = 0; i < Exchange::kAnnouncedMax; ++i) {
    a.control(OneGateway::announcement("many/" + std::to_string(i), 10));
  }
  b.turn(Exchange::kAnnouncedMax / 64 + 1);
  EXPECT_EQ(a.take(ControlMessage::kRefuse).kind_case(), ControlMessage::KIND_NOT_SET);
  EXPECT_EQ(refusal(b, a, OneGateway::announcement("t", 10)), Refuse::CODE_UNKNOWN_TOPIC);
  EXPECT_EQ(b.peer("a").announced.size(), Exchange::kAnnouncedMax);
  // One that is remembered may be said again.
  a.control(OneGateway::announcement("many/7", 11));
  b.turn(1);
  EXPECT_EQ(a.take(ControlMessage::kRefuse).kind_case(), ControlMessage::KIND_NOT_SET);
  EXPECT_EQ(b.peer("a").announced.at(TopicId::of("many/7")).elements(), 11U);
}

TEST(Exchange, AnnouncesAgainWhatThePeerCouldNotRemember) {
  OneGateway b("b");
  b.declare("t", 10);
  ScriptedSession& a = b.greeted("a");
  ASSERT_EQ(a.take(ControlMessage::kTopicAnnounce).topic_announce().name(), "t");
  ControlMessage refuse;
  refuse.mutable_refuse()->set_topic(TopicId::of("t").value());
  refuse.mutable_refuse()->set_code(Refuse::CODE_UNKNOWN_TOPIC);
  a.control(refuse);
  b.turn(10);
  EXPECT_TRUE(a.controls.empty()) << "not before the peer has declared it";
  a.control(OneGateway::announcement("t", 10));
  b.turn(1);
  EXPECT_EQ(a.take(ControlMessage::kTopicAnnounce).topic_announce().name(), "t");
  EXPECT_EQ(a.take(ControlMessage::kLaneOpen).kind_case(), ControlMessage::kLaneOpen);
  a.control(OneGateway::announcement("t", 10));
  b.turn(1);
  EXPECT_EQ(a.take(ControlMessage::kTopicAnnounce).kind_case(), ControlMessage::KIND_NOT_SET)
      << "once is enough";
}

TEST(Exchange, RefusesATopicThatThePolicyKeepsFromThePeer) {
  OneGateway b("b", kPrivate);
  ScriptedSession& c = [&]() -> ScriptedSession& { return b.greeted("c"); }();
  b.declare("private/t", 10);
  EXPECT_EQ(refusal(b, c, OneGateway::announcement("private/t", 10)), Refuse::CODE_RESIDENCY);
  EXPECT_EQ(refusal(b, c, b.lane_open("private/t")), Refuse::CODE_UNKNOWN_TOPIC);
  EXPECT_FALSE(b.topic("private/t").peers().contains(SiteId::of("c")));
}

TEST(Exchange, SaysNothingOfAPeerInTheLogThatIsNotPrintable) {
  OneGateway b("b", kPrivate);
  ScriptedSession& c = b.greeted("c");
  ::testing::internal::CaptureStderr();
  const auto forged = OneGateway::announcement("private/x\n\x1b all is well", 10);
  EXPECT_EQ(refusal(b, c, forged), Refuse::CODE_RESIDENCY);
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("topic private/x?? all is well"), std::string::npos) << log;
  EXPECT_EQ(log.find('\x1b'), std::string::npos);
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 1);
}

TEST(Exchange, NeverAnnouncesATopicWhereItMayNotBe) {
  OneGateway b("b", kPrivate);
  b.declare("private/t", 10);
  b.declare("narrow", 10, {"b", "c"});
  ScriptedSession& a = b.greeted("a");
  ScriptedSession& c = b.greeted("c");
  EXPECT_EQ(a.take(ControlMessage::kTopicAnnounce).topic_announce().name(), "private/t");
  EXPECT_EQ(a.take(ControlMessage::kTopicAnnounce).kind_case(), ControlMessage::KIND_NOT_SET);
  EXPECT_EQ(c.take(ControlMessage::kTopicAnnounce).topic_announce().name(), "narrow");
  EXPECT_EQ(c.take(ControlMessage::kTopicAnnounce).kind_case(), ControlMessage::KIND_NOT_SET);
}

TEST(Exchange, RefusesATopicThatHasNoPlaceForASiteAndKeepsTheLink) {
  OneGateway b("b");
  const Config all = b.config;
  std::erase_if(b.config.sites, [](const SiteConfig& site) { return site.name == "c"; });
  std::erase_if(b.config.links,
                [](const LinkConfig& link) { return link.ends[0] == "c" || link.ends[1] == "c"; });
  b.open();
  b.declare("t", 10);
  b.config = all;
  b.open();
  b.declare("t", 10);
  const auto meet = [&](const std::string& site) -> ScriptedSession& {
    ScriptedSession& session = b.greeted(site);
    session.control(OneGateway::announcement("t", 10));
    session.control(b.lane_open("t"));
    b.turn();
    return session;
  };
  EXPECT_EQ(meet("a").take(ControlMessage::kRefuse).kind_case(), ControlMessage::KIND_NOT_SET);
  ScriptedSession& c = meet("c");
  const Refuse refusal = c.take(ControlMessage::kRefuse).refuse();
  EXPECT_EQ(refusal.code(), Refuse::CODE_SHAPE_MISMATCH);
  EXPECT_NE(refusal.text().find("no place for c"), std::string::npos) << refusal.text();
  EXPECT_FALSE(c.retired);
}

TEST(Exchange, RefusesAPeerOutsideTheDeclaredSites) {
  OneGateway b("b");
  b.declare("t", 10, {"b", "c"});
  ScriptedSession& a = b.greeted("a");
  EXPECT_EQ(refusal(b, a, OneGateway::announcement("t", 10)), Refuse::CODE_RESIDENCY);
}

TEST(Exchange, ComparesTheAllowedSitesAsSets) {
  OneGateway b("b");
  b.declare("t", 10, {"b", "a", "b"});
  ScriptedSession& a = b.greeted("a");
  ControlMessage announcement = OneGateway::announcement("t", 10);
  for (const char* site : {"a", "b", "a"}) {
    announcement.mutable_topic_announce()->add_allowed_sites(site);
  }
  a.control(announcement);
  b.turn(1);
  const auto open = a.take(ControlMessage::kLaneOpen);
  EXPECT_EQ(open.kind_case(), ControlMessage::kLaneOpen);
  announcement.mutable_topic_announce()->add_allowed_sites("c");
  EXPECT_EQ(refusal(b, a, announcement), Refuse::CODE_POLICY_MISMATCH);
}

TEST(Exchange, RefusesATopicOfAnotherShape) {
  OneGateway b("b");
  b.declare("t", 10);
  ScriptedSession& a = b.greeted("a");
  EXPECT_EQ(refusal(b, a, OneGateway::announcement("t", 11)), Refuse::CODE_SHAPE_MISMATCH);
  ControlMessage finer = OneGateway::announcement("t", 10);
  finer.mutable_topic_announce()->set_fraction_bits(41);
  EXPECT_EQ(refusal(b, a, finer), Refuse::CODE_SHAPE_MISMATCH);
  ControlMessage sharded = OneGateway::announcement("t", 10);
  sharded.mutable_topic_announce()->set_shards(2);
  EXPECT_EQ(refusal(b, a, sharded), Refuse::CODE_SHAPE_MISMATCH);
  ControlMessage seeded = OneGateway::announcement("t", 10);
  seeded.mutable_topic_announce()->set_seed_hash(5);
  EXPECT_EQ(refusal(b, a, seeded), Refuse::CODE_SEED_MISMATCH);
  ControlMessage looser = OneGateway::announcement("t", 10);
  looser.mutable_topic_announce()->set_tolerance(0.1);
  EXPECT_EQ(refusal(b, a, looser), Refuse::CODE_POLICY_MISMATCH);
  ControlMessage wider = OneGateway::announcement("t", 10);
  wider.mutable_topic_announce()->add_allowed_sites("a");
  EXPECT_EQ(refusal(b, a, wider), Refuse::CODE_POLICY_MISMATCH);
}

TEST(Exchange, RefusesLanesOfAnotherLife) {
  Agreed agreed;
  ControlMessage open = agreed.b.lane_open("t");
  open.mutable_lane_open()->set_to_incarnation(1);
  EXPECT_EQ(refusal(agreed.b, agreed.a, open), Refuse::CODE_INCARNATION_MISMATCH);
  open = agreed.b.lane_open("t");
  open.mutable_lane_open()->set_from_incarnation(1);
  EXPECT_EQ(refusal(agreed.b, agreed.a, open), Refuse::CODE_INCARNATION_MISMATCH);
  open = agreed.b.lane_open("t");
  open.mutable_lane_open()->set_shard(3);
  EXPECT_EQ(refusal(agreed.b, agreed.a, open), Refuse::CODE_UNKNOWN_TOPIC);
  // Nothing is agreed upon with a peer that has not announced the topic.
  OneGateway b("b");
  b.declare("t", 10);
  ScriptedSession& c = b.greeted("a");
  open = b.lane_open("t");
  open.mutable_lane_open()->set_from_incarnation(0);
  EXPECT_NE(refusal(b, c, open), Refuse::CODE_UNSPECIFIED);
}

TEST(Exchange, EndsASessionThatAnnouncesAWrongHash) {
  Agreed agreed;
  ControlMessage lie = OneGateway::announcement("t", 10);
  lie.mutable_topic_announce()->set_topic(TopicId::of("other").value());
  EXPECT_TRUE(agreed.breaks(lie));
}

TEST(Exchange, EndsASessionThatAcceptsWhatWasNeverSent) {
  Agreed agreed;
  EXPECT_TRUE(agreed.breaks(agreed.b.lane_accept("t", 1)));
}

ControlMessage receipt(const OneGateway& b, std::uint64_t frontier) {
  ControlMessage message;
  auto* out = message.mutable_receipt();
  out->set_topic(TopicId::of("t").value());
  out->set_from_incarnation(b.life("t").packed());
  out->set_to_incarnation(OneGateway::peer_incarnation().packed());
  out->set_frontier(frontier);
  return message;
}

TEST(Exchange, EndsASessionThatReceiptsWhatWasNeverSent) {
  Agreed agreed;
  EXPECT_TRUE(agreed.breaks(receipt(agreed.b, 9)));
}

TEST(Exchange, EndsASessionWhoseReceiptHasAStrangeBitmap) {
  Agreed agreed;
  ControlMessage message = receipt(agreed.b, 0);
  message.mutable_receipt()->set_bitmap("short");
  EXPECT_TRUE(agreed.breaks(message));
}

TEST(Exchange, EndsASessionThatTellsAnotherSitesClock) {
  Agreed agreed;
  ControlMessage message;
  message.mutable_clock()->set_topic(TopicId::of("t").value());
  message.mutable_clock()->set_site(SiteId::of("c").value());
  message.mutable_clock()->set_clock(5);
  EXPECT_TRUE(agreed.breaks(message));
}

TEST(Exchange, IgnoresReceiptsAndClocksOfTopicsThatItDoesNotKnow) {
  Agreed agreed;
  ControlMessage message = receipt(agreed.b, 9);
  message.mutable_receipt()->set_topic(1);
  EXPECT_FALSE(agreed.breaks(message));
  ControlMessage clock;
  clock.mutable_clock()->set_topic(1);
  EXPECT_FALSE(agreed.breaks(clock));
}

TEST(Exchange, SendsNothingBeforeItsLaneIsAccepted) {
  Agreed agreed;
  agreed.b.publish(agreed.handle, 2, {5, -6});
  agreed.b.turn();
  EXPECT_TRUE(agreed.a.transfers.empty());
  agreed.a.control(agreed.b.lane_accept("t"));
  agreed.b.turn();
  ASSERT_EQ(agreed.a.transfers.size(), 1U);
  const auto header = wire::parse_header(as_bytes(agreed.a.transfers.front()));
  ASSERT_TRUE(header.has_value());
  EXPECT_EQ(header->k, 1U);
  EXPECT_EQ(header->from, SiteId::of("b"));
  EXPECT_EQ(header->to, SiteId::of("a").value());
  ASSERT_EQ(header->origin_count, 1U);
  EXPECT_EQ(header->origins[0], SiteId::of("b"));
}

TEST(Exchange, SendsAgainByteForByteWhatWasNotReceipted) {
  Agreed agreed;
  agreed.a.control(agreed.b.lane_accept("t"));
  agreed.b.publish(agreed.handle, 2, {5, -6});
  agreed.b.turn();
  ASSERT_EQ(agreed.a.transfers.size(), 1U);
  const std::string first = agreed.a.transfers.front();
  agreed.a.end(transport::CloseReason::kSilent, "cut");
  agreed.b.turn(1);
  ScriptedSession& again = agreed.b.greeted("a");
  again.control(OneGateway::announcement("t", 10));
  again.control(agreed.b.lane_accept("t"));
  agreed.b.turn();
  ASSERT_EQ(again.transfers.size(), 1U);
  EXPECT_EQ(again.transfers.front(), first);
  EXPECT_EQ(agreed.b.peer("a").counters.transfers_resent, 1U);
}

TEST(Exchange, TakesTheLaneOfTheLastSessionUnaskedBehindItsHello) {
  Agreed agreed;
  agreed.a.end(transport::CloseReason::kSilent, "cut");
  agreed.b.turn(1);
  ScriptedSession& again = agreed.b.established("a");
  EXPECT_EQ(again.take(ControlMessage::kHello).hello().site(), "b");
  EXPECT_EQ(again.take(ControlMessage::kTopicAnnounce).topic_announce().name(), "t");
  const auto accept = again.take(ControlMessage::kLaneAccept).lane_accept();
  EXPECT_EQ(accept.topic(), TopicId::of("t").value());
  EXPECT_EQ(accept.from_incarnation(), OneGateway::peer_incarnation().packed());
  EXPECT_EQ(accept.to_incarnation(), agreed.b.life("t").packed());
  EXPECT_EQ(accept.frontier(), 0U);
  EXPECT_TRUE(again.controls.empty()) << "and says nothing else before the peer's Hello";
}

TEST(Exchange, SendsAsSoonAsItsLaneIsTakenUnaskedAndOnceOnly) {
  Agreed agreed;
  agreed.a.control(agreed.b.lane_accept("t"));
  agreed.b.publish(agreed.handle, 2, {5, -6});
  agreed.b.turn();
  agreed.a.end(transport::CloseReason::kSilent, "cut");
  agreed.b.turn(1);
  ScriptedSession& again = agreed.b.established("a");
  again.control(OneGateway::hello("a"));
  again.control(OneGateway::announcement("t", 10));
  again.control(agreed.b.lane_accept("t"));
  agreed.b.turn(1);
  EXPECT_EQ(again.transfers.size(), 1U) << "the one that has no receipt";
  again.control(agreed.b.lane_accept("t"));  // the answer to b's LaneOpen
  agreed.b.turn();
  EXPECT_EQ(again.transfers.size(), 1U);
  EXPECT_EQ(agreed.b.peer("a").counters.transfers_resent, 1U);
}

// A peer that lost the topic's files and nothing else: its counter is the same, its nonce another.
TEST(Exchange, BeginsItsLanesAnewWithAPeerThatLostTheTopicAlone) {
  Agreed agreed;
  agreed.a.control(agreed.b.lane_accept("t"));
  agreed.b.publish(agreed.handle, 2, {5, -6});
  agreed.b.turn();
  ASSERT_EQ(agreed.a.transfers.size(), 1U);
  agreed.a.end(transport::CloseReason::kSilent, "killed");
  agreed.b.turn(1);
  Incarnation later = OneGateway::peer_incarnation();
  ++later.nonce;
  ScriptedSession& again = agreed.b.greeted("a");
  ControlMessage announcement = OneGateway::announcement("t", 10);
  announcement.mutable_topic_announce()->set_incarnation(later.packed());
  again.control(announcement);
  ControlMessage open = agreed.b.lane_open("t");
  open.mutable_lane_open()->set_from_incarnation(later.packed());
  again.control(open);
  agreed.b.turn(1);
  const auto lane = again.take(ControlMessage::kLaneOpen).lane_open();
  EXPECT_EQ(lane.to_incarnation(), later.packed());
  EXPECT_EQ(lane.next_k(), 1U);
  EXPECT_EQ(again.take(ControlMessage::kLaneAccept).lane_accept().from_incarnation(),
            later.packed());
  ControlMessage accept = agreed.b.lane_accept("t");
  accept.mutable_lane_accept()->set_to_incarnation(later.packed());
  again.control(accept);
  agreed.b.turn();
  ASSERT_EQ(again.transfers.size(), 1U) << "everything comes once more";
  EXPECT_EQ(wire::parse_header(as_bytes(again.transfers.front()))->to_incarnation, later);
  EXPECT_FALSE(again.closed) << again.close_reason;
}

TEST(Exchange, DropsATransferOfNoLaneAndGoesOn) {
  OneGateway sender("a");
  const auto handle = sender.declare("t", 10);
  ScriptedSession& to_b = sender.greeted("b");
  to_b.control(OneGateway::announcement("t", 10));
  to_b.control(sender.lane_accept("t"));
  sender.publish(handle, 0, {1});
  sender.turn();
  ASSERT_EQ(to_b.transfers.size(), 1U);
  OneGateway b("b");
  b.declare("t", 10);
  ScriptedSession& a = b.greeted("a");
  a.transfer(to_b.transfers.front());
  b.turn(1);
  EXPECT_FALSE(a.closed);
  EXPECT_EQ(b.peer("a").counters.transfers_stray, 1U);
  // The same from c, whose certificate does not name the sender: the session ends.
  ScriptedSession& c = b.greeted("c");
  c.transfer(to_b.transfers.front());
  b.turn(1);
  EXPECT_TRUE(c.closed);
  EXPECT_EQ(b.sum("t"), std::vector<std::int64_t>(10, 0));
}

TEST(Exchange, EndsASessionWhoseTransferIsMalformedAndAppliesNothing) {
  Agreed agreed;
  agreed.a.transfer(std::string(200, 'x'));
  agreed.b.turn(1);
  EXPECT_TRUE(agreed.a.closed);
  EXPECT_EQ(agreed.b.peer("a").counters.transfers_corrupt, 1U);
  EXPECT_EQ(agreed.b.sum("t"), std::vector<std::int64_t>(10, 0));
}

}  // namespace
}  // namespace godwit::gateway

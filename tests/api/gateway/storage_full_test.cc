// Storage is full, at the receiver or here: what is dropped comes again, and people are told.
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "api/gateway/metrics_feed.h"
#include "tests/api/gateway/admin_ask.h"
#include "tests/api/gateway/one_gateway.h"

namespace godwit::gateway {
namespace {

using control::ControlMessage;

// But those of links: nobody else is there.
std::vector<admin::Problem> other_problems(OneGateway& b) {
  admin::AdminRequest request;
  request.mutable_status();
  const auto answer = ask(b, request);
  std::vector<admin::Problem> found;
  for (const auto& problem : answer.status().problems()) {
    if (!problem.reason().starts_with("link.")) {
      found.push_back(problem);
    }
  }
  return found;
}

bool said(ScriptedSession& session, ControlMessage::KindCase kind) {
  return session.take(kind).kind_case() == kind;
}

admin::LaneExplanation explained(OneGateway& b) {
  admin::AdminRequest request;
  request.mutable_explain()->set_topic("t");
  return ask(b, request).explain().lanes(0);
}

admin::LaneReport lane_of(OneGateway& b) {
  admin::AdminRequest request;
  request.mutable_topics();
  return ask(b, request).topics().topics(0).lanes(0);
}

// Of the topic's life at a gateway.
ControlMessage announcement_of(OneGateway& gateway) {
  ControlMessage message = OneGateway::announcement("t", 10);
  message.mutable_topic_announce()->set_incarnation(gateway.life("t").packed());
  return message;
}

// A gateway "a" with a change for the gateway "b", in a transfer that it has sent.
struct Sent {
  OneGateway sender{"a"};
  OneGateway b{"b"};
  local::TopicHandle handle = sender.declare("t", 10);
  ScriptedSession& to_b = sender.greeted("b");

  Sent() {
    b.declare("t", 10);
    to_b.control(announcement_of(b));
    ControlMessage accept = sender.lane_accept("t");
    accept.mutable_lane_accept()->set_to_incarnation(b.life("t").packed());
    to_b.control(accept);
    sender.publish(handle, 0, {1});
    sender.turn();
  }
  // A session from a to b whose lane is open.
  ScriptedSession& agreed() {
    ScriptedSession& a = b.greeted("a");
    a.control(announcement_of(sender));
    ControlMessage open = b.lane_open("t");
    open.mutable_lane_open()->set_from_incarnation(sender.life("t").packed());
    a.control(open);
    b.turn();
    return a;
  }
  // What came over `late` found no storage: `now` ends for it, and the next session brings it.
  void expect_asked_again(ScriptedSession& late, const ScriptedSession& now) {
    b.store.limit(0);
    late.transfer(to_b.transfers.at(0));
    b.turn();
    EXPECT_FALSE(late.closed) << late.close_reason;
    EXPECT_EQ(b.sum("t").front(), 0);
    EXPECT_EQ(b.peer("a").counters.transfers_corrupt, 0U);
    EXPECT_EQ(b.peer("a").counters.transfers_dropped, 1U);
    b.now = b.now + Duration::seconds(1);
    b.turn(1);
    EXPECT_EQ(now.close_code, code(SessionCode::kNoStorage));
    b.store.lift_limit();
    agreed().transfer(to_b.transfers.at(0));
    b.turn();
    EXPECT_EQ(b.sum("t").front(), sender.sum("t").front());
    EXPECT_NE(b.sum("t").front(), 0);
  }
};

TEST(StorageFull, DropsATransferThatHasNoRoomAndTakesItInTheNextSession) {
  Sent sent;
  ScriptedSession& a = sent.agreed();
  sent.expect_asked_again(a, a);
}

TEST(StorageFull, ATransferOfAReplacedSessionIsTakenInTheNextOne) {
  Sent sent;
  ScriptedSession& former = sent.agreed();
  sent.expect_asked_again(former, sent.agreed());
}

TEST(StorageFull, ALaneWhoseAnnouncementFoundNoRoomIsNotRefused) {
  OneGateway b("b");
  b.declare("t", 10);
  ScriptedSession& first = b.greeted("a");
  b.store.limit(0);
  first.control(OneGateway::announcement("t", 10));
  first.control(b.lane_open("t"));
  b.turn();
  EXPECT_FALSE(said(first, ControlMessage::kRefuse));
  EXPECT_EQ(explained(b).reason(), "lane.closed");
  EXPECT_EQ(explained(b).text(),
            "there was no storage for the lane to a; it is opened when there is");
  b.store.lift_limit();
  b.now = b.now + Duration::seconds(1);
  b.turn(1);
  EXPECT_EQ(first.close_code, code(SessionCode::kNoStorage));
  ScriptedSession& second = b.greeted("a");
  second.control(OneGateway::announcement("t", 10));
  second.control(b.lane_open("t"));
  b.turn();
  EXPECT_TRUE(said(second, ControlMessage::kLaneAccept));
}

TEST(StorageFull, ADroppedTransferIsNotCountedAsApplied) {
  Sent sent;
  ScriptedSession& a = sent.agreed();
  sent.b.store.limit(0);
  a.transfer(sent.to_b.transfers.at(0));
  sent.b.turn();
  monitoring::Cells cells;
  MetricsFeed feed(*sent.b.gateway, cells, sent.b.now);
  feed.on_turn(sent.b.now, Duration::zero(), {});
  std::string counted;
  cells.visit([&](const monitoring::Cells::Series& series) {
    if (series.metric == monitoring::Metric::kLinkTransfersReceived &&
        series.labels.front() == "a") {
      counted +=
          std::string(series.labels.back()) + " " + std::to_string(series.cells->load()) + " ";
    }
  });
  EXPECT_EQ(counted, "applied 0 duplicate 0 dropped 1 refused 0 ");
}

TEST(StorageFull, NothingIsForetoldOfALaneThatIsStuck) {
  Sent sent;
  OneGateway& a = sent.sender;
  for (int i = 0; i < 4; ++i) {  // more than the session takes
    a.publish(sent.handle, 0, {1});
    a.turn();
  }
  EXPECT_EQ(explained(a).reason(), "lane.sending");
  EXPECT_GT(explained(a).expected_ns(), 0U);
  a.store.left = 8192;
  EXPECT_EQ(explained(a).reason(), "storage.full");
  EXPECT_EQ(explained(a).expected_ns(), 0U);
  a.store.left.reset();
  a.now = a.now + Duration::seconds(25);
  EXPECT_EQ(explained(a).reason(), "lane.overdue");
  EXPECT_EQ(explained(a).expected_ns(), 0U);
}

TEST(StorageFull, ATransferThatIsNotTakenIsAProblemOfTheSender) {
  Sent sent;
  OneGateway& a = sent.sender;
  a.now = a.now + Duration::seconds(15);
  EXPECT_NEAR(static_cast<double>(lane_of(a).oldest_unreceipted_ns()), 15e9, 1e9);
  EXPECT_TRUE(other_problems(a).empty());
  EXPECT_EQ(explained(a).reason(), "lane.sending");
  a.now = a.now + Duration::seconds(10);
  ASSERT_EQ(other_problems(a).size(), 1U);
  const auto problem = other_problems(a).at(0);
  EXPECT_EQ(problem.reason(), "lane.overdue");
  EXPECT_EQ(problem.subject(), "t");
  EXPECT_EQ(problem.command(), "godwit explain t");
  EXPECT_NEAR(static_cast<double>(problem.since_ns()), 25e9, 1e9);
  EXPECT_EQ(explained(a).reason(), "lane.overdue");
}

TEST(StorageFull, IsAProblemHereAndTheReasonOfALaneThatSendsNothing) {
  Sent sent;
  OneGateway& a = sent.sender;
  EXPECT_TRUE(other_problems(a).empty()) << "it is not known";
  a.store.left = std::uint64_t{2} << 20U;
  EXPECT_TRUE(other_problems(a).empty());
  a.store.left = 8192;
  ASSERT_EQ(other_problems(a).size(), 1U);
  EXPECT_EQ(other_problems(a).at(0).reason(), "storage.full");
  EXPECT_EQ(explained(a).reason(), "storage.full");
}

}  // namespace
}  // namespace godwit::gateway

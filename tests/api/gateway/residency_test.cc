// A site leaves the set that may hold a topic: nothing goes there, and everybody is told.
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/gateway/report.h"
#include "tests/api/gateway/admin_ask.h"
#include "tests/api/gateway/one_gateway.h"

namespace godwit::gateway {
namespace {

using control::ControlMessage;
using testing::HasSubstr;

constexpr const char* kNarrow = "[[policies]]\nmatch = \"t\"\nallowed = [\"a\", \"b\"]\n";

std::vector<admin::Problem> problems(OneGateway& b) {
  admin::AdminRequest request;
  request.mutable_status();
  std::vector<admin::Problem> found;
  const auto report = ask(b, request).status();
  for (const auto& problem : report.problems()) {
    if (problem.subject() == "t") {
      found.push_back(problem);
    }
  }
  return found;
}

admin::TopicReport topic_of(OneGateway& b) {
  admin::AdminRequest request;
  request.mutable_topics()->set_name("t");
  return ask(b, request).topics().topics(0);
}

// A session on which the peer offers the topic, and takes ours up to `frontier`.
ScriptedSession& agreed(OneGateway& b, const std::string& site, std::uint64_t frontier = 0) {
  ScriptedSession& session = b.greeted(site);
  session.control(OneGateway::announcement("t", 10));
  session.control(b.lane_open("t"));
  b.turn(1);
  session.control(b.lane_accept("t", frontier));
  b.turn(1);
  return session;
}

// b has sent {5} to a and c, of which c has receipted nothing; then it starts under other rules.
struct Narrowed {
  OneGateway b{"b"};
  local::TopicHandle handle = b.declare("t", 10);
  std::string log;

  Narrowed() {
    ScriptedSession& a = agreed(b, "a");
    ScriptedSession& c = agreed(b, "c");
    b.publish(handle, 0, {5});
    EXPECT_EQ(a.transfers.size() + c.transfers.size(), 2U);
    restart(kNarrow);
  }
  void restart(const std::string& policies) {
    b.config = config_of("b", policies);
    ::testing::internal::CaptureStderr();
    b.open();
    log = ::testing::internal::GetCapturedStderr();
    handle = b.declare("t", 10);
  }
};

TEST(Residency, OfATopicThatIsNarrowedIsToldInTheLogAndAsAProblem) {
  Narrowed narrowed;
  EXPECT_THAT(narrowed.log, HasSubstr("topic t: the policy \"t\" no longer allows it at c"));
  const auto found = problems(narrowed.b);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].reason(), "topic.residency");
  EXPECT_EQ(found[0].severity(), admin::Problem::SEVERITY_WARNING);
  EXPECT_THAT(found[0].text(), HasSubstr("c may hold it no longer"));
  EXPECT_EQ(found[0].command(), "godwit explain t");

  admin::AdminRequest request;
  request.mutable_explain()->set_topic("t");
  const auto explained = ask(narrowed.b, request).explain();
  ASSERT_EQ(explained.lanes_size(), 1);
  EXPECT_EQ(explained.lanes(0).to(), "c");
  EXPECT_EQ(explained.lanes(0).reason(), "topic.residency");
  EXPECT_EQ(explained.lanes(0).command(), "godwit config check test.toml");
}

TEST(Residency, OfATopicThatIsNarrowedCountsNothingAtTheSiteThatLeft) {
  Narrowed narrowed;
  narrowed.b.publish(narrowed.handle, 3, {7, 8});
  const auto report = topic_of(narrowed.b);
  const std::vector<std::string> allowed(report.allowed_sites().begin(),
                                         report.allowed_sites().end());
  EXPECT_EQ(allowed, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(narrowed.b.declared.sites, allowed) << "as its clients are told";
  ASSERT_EQ(report.lanes_size(), 2);
  std::uint64_t open_bytes = 0;
  for (const auto& lane : report.lanes()) {
    const bool barred = lane.to() == "c";
    EXPECT_EQ(lane.reason(), barred ? "topic.residency" : "") << lane.to();
    EXPECT_FALSE(lane.open()) << lane.to();
    EXPECT_EQ(lane.covered_to(), 0U) << "receipted by nobody";
    EXPECT_EQ(lane.open_bytes_estimate() > 0, !barred) << lane.to();
    open_bytes += lane.open_bytes_estimate();
  }
  EXPECT_EQ(report.summary().open_bytes_estimate(), open_bytes);
  EXPECT_EQ(report.summary().unreceipted_transfers(), 1U) << "to a";
}

TEST(Residency, OfATopicThatIsNarrowedIsEnforced) {
  Narrowed narrowed;
  OneGateway& b = narrowed.b;
  EXPECT_EQ(b.declared.code, Code::kOk) << b.declared.error;
  ScriptedSession& c = b.greeted("c");
  c.control(OneGateway::announcement("t", 10));
  c.control(b.lane_open("t"));
  c.control(b.lane_accept("t"));
  b.publish(narrowed.handle, 3, {7, 8});
  b.turn();
  EXPECT_TRUE(c.transfers.empty());
  EXPECT_EQ(c.take(ControlMessage::kRefuse).refuse().code(), control::Refuse::CODE_RESIDENCY);
  EXPECT_EQ(c.take(ControlMessage::kTopicAnnounce).kind_case(), ControlMessage::KIND_NOT_SET);
  ScriptedSession& a = b.greeted("a");
  ControlMessage announcement = OneGateway::announcement("t", 10);
  announcement.mutable_topic_announce()->add_allowed_sites("a");
  announcement.mutable_topic_announce()->add_allowed_sites("b");
  a.control(announcement);
  a.control(b.lane_open("t"));
  b.turn(1);
  a.control(b.lane_accept("t"));
  b.turn(1);
  EXPECT_EQ(a.transfers.size(), 2U) << "the old one again, and the new one";
  EXPECT_THAT(b.gateway->drained(), testing::IsFalse());
}

TEST(Residency, OfATopicComesBackWithThePolicyAndNothingIsLostOrDoubled) {
  Narrowed narrowed;
  OneGateway& b = narrowed.b;
  b.publish(narrowed.handle, 3, {7, 8});
  b.turn();
  narrowed.restart("");
  EXPECT_EQ(b.declared.code, Code::kOk) << b.declared.error;
  EXPECT_TRUE(problems(b).empty());
  EXPECT_EQ(topic_of(b).allowed_sites_size(), 0);
  ScriptedSession& c = agreed(b, "c", 1);  // it has the first transfer
  ASSERT_EQ(c.transfers.size(), 1U);
  EXPECT_EQ(wire::parse_header(as_bytes(c.transfers.front()))->k, 2U);
}

TEST(Residency, OfATopicWhoseClientsNameNoSitesIsWidenedWithThePolicy) {
  OneGateway b{"b"};
  b.config = config_of("b", kNarrow);
  b.open();
  b.publish(b.declare("t", 10), 0, {5});
  EXPECT_TRUE(problems(b).empty()) << "c was never to hold it";
  b.config = config_of("b", "");
  b.open();
  b.publish(b.declare("t", 10), 3, {7});
  EXPECT_EQ(b.declared.code, Code::kOk) << b.declared.error;
  EXPECT_EQ(topic_of(b).allowed_sites_size(), 0);
  EXPECT_EQ(agreed(b, "c").transfers.size(), 1U);
  // And narrowed again: the lane to c stands still, and that is told.
  b.config = config_of("b", kNarrow);
  b.open();
  EXPECT_EQ(problems(b).size(), 1U);
}

TEST(Residency, OfATopicWhoseClientsNameItsSitesIsNotWidened) {
  OneGateway b{"b"};
  b.declare("t", 10, {"a", "b"});
  b.open();
  EXPECT_EQ(topic_of(b).allowed_sites_size(), 2);
  b.declare("t", 10);
  EXPECT_EQ(b.declared.code, Code::kInvalid) << "every site is not the two that were named";
}

}  // namespace
}  // namespace godwit::gateway

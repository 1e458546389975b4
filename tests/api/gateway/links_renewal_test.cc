// A link goes on over a new session: a certificate is renewed, a peer comes back unexpectedly.
#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "api/gateway/report.h"
#include "tests/api/gateway/admin_ask.h"
#include "tests/api/gateway/one_gateway.h"

namespace godwit::gateway {
namespace {

using control::ControlMessage;

constexpr int kLingerTurns = 1'100 / 3;  // of 3 ms

// A gateway whose link to `site` is up and shows the certificate "old".
struct Up {
  explicit Up(const std::string& own, std::string other)
      : b(own), site(std::move(other)), first(b.established(site)) {
    first.control(OneGateway::hello(site));
    b.turn(1);
  }
  PeerState state() { return b.peer(site).state; }

  OneGateway b;
  std::string site;
  ScriptedSession& first;
};

TEST(LinksRenewal, ANewerSessionTakesOverOnlyWhenItHasGreeted) {
  Up up("b", "a");
  const Instant since = up.b.peer("a").state_since;
  ScriptedSession& second = up.b.established("a");
  EXPECT_EQ(second.take(ControlMessage::kHello).hello().site(), "b");
  up.b.turn(100);
  EXPECT_FALSE(up.first.closed);
  EXPECT_EQ(up.b.peer("a").session, &up.first);
  second.control(OneGateway::hello("a"));
  up.b.turn(1);
  EXPECT_EQ(up.b.peer("a").session, &second);
  EXPECT_FALSE(up.first.closed);  // it is still read
  up.b.turn(kLingerTurns);
  EXPECT_EQ(up.first.close_code, code(SessionCode::kReplaced));
  EXPECT_TRUE(up.first.retired);
  EXPECT_FALSE(second.closed);
  EXPECT_EQ(up.state(), PeerState::kUp);
  EXPECT_EQ(up.b.peer("a").state_since, since);  // the link was never down
}

TEST(LinksRenewal, AReplacedSessionThatSpeaksNonsenseIsClosedAndCounted) {
  Up up("b", "a");
  ScriptedSession& second = up.b.established("a");
  second.control(OneGateway::hello("a"));
  up.b.turn(1);
  up.first.transfer("no transfer");
  up.b.turn(1);
  EXPECT_EQ(up.first.close_code, code(SessionCode::kProtocolViolation));
  EXPECT_TRUE(up.first.retired);
  EXPECT_EQ(up.b.peer("a").closed_by_reason.at("protocol"), 1U);
  EXPECT_FALSE(second.closed);
}

TEST(LinksRenewal, ASessionThatHasNotGreetedIsReplacedAtOnce) {
  OneGateway b("b");
  ScriptedSession& first = b.established("a");
  ScriptedSession& second = b.established("a");
  EXPECT_EQ(first.close_code, code(SessionCode::kReplaced));
  EXPECT_TRUE(first.retired);
  EXPECT_EQ(b.peer("a").session, &second);
}

TEST(LinksRenewal, LanesBeginAgainOnTheNewSession) {
  Up up("b", "a");
  up.b.declare("t", 10);
  up.b.turn(2);
  EXPECT_EQ(up.first.take(ControlMessage::kTopicAnnounce).topic_announce().name(), "t");
  ScriptedSession& second = up.b.established("a");
  second.control(OneGateway::hello("a"));
  up.b.turn(2);
  EXPECT_EQ(second.take(ControlMessage::kTopicAnnounce).topic_announce().name(), "t");
}

TEST(LinksRenewal, ANewerSessionThatFailsLeavesTheFirstAlone) {
  Up up("b", "a");
  up.b.established("a").end(transport::CloseReason::kSilent, "nothing heard");
  up.b.turn(2);
  ScriptedSession& third = up.b.established("a");
  third.control(OneGateway::announcement("t", 10));  // before its Hello
  up.b.turn(1);
  EXPECT_TRUE(third.retired);
  ScriptedSession& fourth = up.b.established("a");
  fourth.control(OneGateway::hello("c"));
  up.b.turn(kLingerTurns);
  EXPECT_TRUE(fourth.retired);
  EXPECT_EQ(up.b.peer("a").session, &up.first);
  EXPECT_EQ(up.state(), PeerState::kUp);
  EXPECT_FALSE(up.first.closed);
}

TEST(LinksRenewal, ASecondSessionThatGreetsWronglyIsClosedAndCounted) {
  Up up("b", "a");
  ScriptedSession& mute = up.b.established("a");
  mute.control("no message");
  up.b.turn(1);
  ScriptedSession& other = up.b.established("a");
  other.control(OneGateway::hello("c"));
  up.b.turn(1);
  EXPECT_TRUE(mute.retired && other.retired);
  EXPECT_EQ(up.b.peer("a").closed_by_reason.at("protocol"), 2U);
  EXPECT_FALSE(up.first.closed);
}

TEST(LinksRenewal, TheSiteThatANewerSessionNamesReachesTheLogPrintable) {
  Up up("b", "a");
  ScriptedSession& second = up.b.established("a");
  ::testing::internal::CaptureStderr();
  second.control(OneGateway::hello("a\n\x1b"));
  up.b.turn(1);
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("it names site \"a??\""), std::string::npos) << log;
  EXPECT_EQ(log.find('\x1b'), std::string::npos);
  EXPECT_EQ(second.close_reason.find('\n'), std::string::npos);
}

TEST(LinksRenewal, TheSuccessorGoesOnWhenTheFirstEndsBeforeItsHello) {
  Up up("b", "a");
  ScriptedSession& second = up.b.established("a");
  up.first.end(transport::CloseReason::kSilent, "nothing heard");
  up.b.turn(1);
  EXPECT_EQ(up.state(), PeerState::kGreeting);
  second.control(OneGateway::hello("a"));
  up.b.turn(1);
  EXPECT_EQ(up.state(), PeerState::kUp);
  EXPECT_EQ(up.b.peer("a").session, &second);
}

// b's link to a, which a dialled, shows the certificate "old"; b does not dial a otherwise.
ScriptedSession& dialled_by_a(OneGateway& b) {
  b.gateway->use_certificate("old");
  ScriptedSession& first = b.endpoint.accept();
  first.establish("a", "old");
  first.control(OneGateway::hello("a"));
  b.turn(2);
  return first;
}

TEST(LinksRenewal, ASessionWithAFormerCertificateIsReplacedByWhoeverRenewed) {
  OneGateway b("b");
  dialled_by_a(b);
  ASSERT_EQ(b.peer("a").state, PeerState::kUp);
  b.turn(100);
  EXPECT_EQ(b.endpoint.dialled("a"), nullptr);
  b.gateway->use_certificate("new");
  b.turn(1);
  ScriptedSession* second = b.endpoint.dialled("a");
  ASSERT_NE(second, nullptr);
  second->establish("a", "new");
  second->control(OneGateway::hello("a"));
  b.turn(2);
  EXPECT_EQ(b.peer("a").session, second);
  const std::size_t dials = b.endpoint.dials();
  b.turn(4'000);
  EXPECT_EQ(b.endpoint.dials(), dials);  // once is enough
  EXPECT_EQ(b.peer("a").state, PeerState::kUp);
}

TEST(LinksRenewal, ARenewalThatFailsIsTriedAgainAfterAWhile) {
  OneGateway b("b");
  const ScriptedSession& first = dialled_by_a(b);
  b.gateway->use_certificate("new");
  b.turn(1);
  ScriptedSession* second = b.endpoint.dialled("a");
  ASSERT_NE(second, nullptr);
  second->end(transport::CloseReason::kRefusedByPeer, "refused by the peer");
  b.turn(1'000);  // 3 s
  EXPECT_EQ(b.endpoint.dialled("a"), second);
  b.turn(1'000);
  EXPECT_NE(b.endpoint.dialled("a"), second);
  EXPECT_EQ(b.peer("a").session, &first);
  EXPECT_EQ(b.peer("a").state, PeerState::kUp);
}

std::vector<admin::Problem> not_renewed(OneGateway& b) {
  admin::AdminRequest request;
  request.mutable_status();
  std::vector<admin::Problem> found;
  const auto report = ask(b, request).status();
  for (const auto& problem : report.problems()) {
    if (problem.reason() == "link.not_renewed") {
      found.push_back(problem);
    }
  }
  return found;
}

TEST(LinksRenewal, ARefusedCertificateIsCountedAProblemAndLoggedOnceForEachReason) {
  OneGateway b("b");
  dialled_by_a(b);
  b.gateway->use_certificate("new");
  ::testing::internal::CaptureStderr();
  ScriptedSession* last = nullptr;
  for (int attempt = 0; attempt < 6; ++attempt) {
    b.turn(1'700);  // 5.1 s
    ScriptedSession* next = b.endpoint.dialled("a");
    ASSERT_NE(next, last) << attempt;
    last = next;
    attempt % 2 == 0
        ? next->end(transport::CloseReason::kRefusedByPeer, "a refuses our certificate")
        : next->end(transport::CloseReason::kCertificateUntrusted, "another authority");
  }
  b.turn(1);
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 2) << log;
  EXPECT_NE(log.find("a refuses our certificate (refused_by_peer)"), std::string::npos) << log;
  EXPECT_NE(log.find("another authority (certificate_untrusted)"), std::string::npos) << log;
  EXPECT_EQ(b.peer("a").counters.refused, 6U);
  EXPECT_EQ(b.peer("a").closed_by_reason.at("refused_by_peer"), 3U);
  EXPECT_EQ(b.gateway->links().refusals().at(transport::CloseReason::kCertificateUntrusted), 3U);
  ASSERT_EQ(not_renewed(b).size(), 1U);
  EXPECT_EQ(not_renewed(b)[0].subject(), "a");
  EXPECT_EQ(not_renewed(b)[0].severity(), admin::Problem::SEVERITY_WARNING);
  EXPECT_NE(not_renewed(b)[0].text().find("another authority (attempts: 6)"), std::string::npos)
      << not_renewed(b)[0].text();
  // The next one is taken: all is well again.
  b.turn(1'700);
  ScriptedSession* good = b.endpoint.dialled("a");
  good->establish("a", "new");
  good->control(OneGateway::hello("a"));
  b.turn(2);
  EXPECT_EQ(b.peer("a").session, good);
  EXPECT_TRUE(not_renewed(b).empty());
}

TEST(LinksRenewal, OfTwoThatDialAtOnceTheSmallerNamesSessionIsKept) {
  for (const std::string other : {"a", "c"}) {
    OneGateway b("b");
    b.gateway->use_certificate("old");
    b.turn();
    ScriptedSession& first = other == "a" ? b.endpoint.accept() : *b.endpoint.dialled("c");
    first.establish(other, "old");
    first.control(OneGateway::hello(other));
    b.turn(2);
    b.gateway->use_certificate("new");
    b.turn(1);
    ScriptedSession* dialled = b.endpoint.dialled(other);
    ASSERT_NE(dialled, &first);
    ScriptedSession& came = b.endpoint.accept();
    came.establish(other, "new");
    b.turn(1);
    EXPECT_EQ(dialled->retired, other == "a") << other;
    EXPECT_EQ(came.retired, other == "c") << other;
  }
}

TEST(LinksRenewal, StoppingEndsAllThreeSessions) {
  Up up("b", "a");
  ScriptedSession& second = up.b.established("a");
  second.control(OneGateway::hello("a"));
  up.b.turn(1);
  ScriptedSession& third = up.b.established("a");
  up.b.gateway->stop(up.b.now);
  EXPECT_TRUE(up.first.retired);
  EXPECT_EQ(second.close_code, code(SessionCode::kStopping));
  EXPECT_TRUE(third.retired);
}

}  // namespace
}  // namespace godwit::gateway

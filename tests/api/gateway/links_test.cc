#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/api/gateway/one_gateway.h"

namespace godwit::gateway {
namespace {

using control::ControlMessage;
using Ends = std::map<std::string, std::uint64_t>;

TEST(Links, DialTheSitesWithLaterNamesOnly) {
  OneGateway b("b");
  b.turn();
  EXPECT_NE(b.endpoint.dialled("c"), nullptr);
  EXPECT_EQ(b.endpoint.dialled("a"), nullptr);
}

TEST(Links, GreetFirstAndAreUpWhenTheOtherHasGreeted) {
  OneGateway b("b");
  ScriptedSession& a = b.established("a");
  const ControlMessage said = a.take(ControlMessage::kHello);
  EXPECT_EQ(said.hello().site(), "b");
  EXPECT_EQ(said.hello().version_min(), 1U);
  EXPECT_EQ(said.hello().incarnation(), b.incarnation.packed());
  EXPECT_EQ(b.peer("a").state, PeerState::kGreeting);
  a.control(OneGateway::hello("a"));
  b.turn(1);
  EXPECT_EQ(b.peer("a").state, PeerState::kUp);
}

TEST(Links, CountAnOutageFromItsBeginningHoweverManyAttemptsFail) {
  OneGateway b("b");
  b.greeted("c").end(transport::CloseReason::kSilent, "silence");
  b.turn(1);
  const Instant down = b.now;
  EXPECT_EQ(b.peer("c").state_since, down);
  for (int i = 0; i < 3; ++i) {
    b.established("c").end(transport::CloseReason::kSilent, "silence");
    b.turn(1);
    EXPECT_EQ(b.peer("c").state_since, down);
  }
  b.greeted("c");
  EXPECT_EQ(b.peer("c").state_since, b.now);
}

// The session goes on for everything else, and ends to be sent again what had no room.
TEST(Links, AskAgainForWhatFoundNoStorageLessAndLessOften) {
  OneGateway b("b");
  b.declare("t", 10);
  b.store.limit(0);
  for (const int seconds : {1, 2, 4, 8, 16, 16}) {
    ScriptedSession& a = b.greeted("a");
    a.control(OneGateway::announcement("t", 10));
    b.turn(1);
    const Instant then = b.now;
    b.now = then + Duration::seconds(seconds) - Duration::ms(10);
    b.turn(1);
    EXPECT_FALSE(a.closed) << seconds;
    EXPECT_EQ(b.peer("a").state, PeerState::kUp);
    EXPECT_LE(b.gateway->deadline(), then + Duration::seconds(seconds));
    b.turn(8);
    EXPECT_TRUE(a.closed) << seconds;
    EXPECT_EQ(a.close_code, code(SessionCode::kNoStorage));
  }
  b.store.left = 8192;  // while nothing is free, nothing is asked for
  ScriptedSession& waits = b.greeted("a");
  waits.control(OneGateway::announcement("t", 10));
  for (int i = 0; i < 60; ++i) {
    b.now = b.now + Duration::seconds(1);
    b.turn(1);
  }
  EXPECT_FALSE(waits.closed);
  b.store.left = Store::kLowBytes;
  b.store.lift_limit();
  b.now = b.now + Duration::seconds(1);
  b.turn(1);
  EXPECT_TRUE(waits.closed);
  ScriptedSession& a = b.greeted("a");
  a.control(OneGateway::announcement("t", 10));
  b.turn();
  EXPECT_EQ(a.take(ControlMessage::kLaneOpen).lane_open().topic(), TopicId::of("t").value());
  b.now = b.now + Duration::seconds(60);
  b.turn();
  EXPECT_FALSE(a.closed);
}

TEST(Links, EndASessionThatSpeaksBeforeItsHello) {
  OneGateway b("b");
  ScriptedSession& a = b.established("a");
  a.control(OneGateway::announcement("t", 10));
  b.turn(1);
  EXPECT_TRUE(a.closed);
  EXPECT_EQ(a.close_code, code(SessionCode::kProtocolViolation));
  EXPECT_EQ(b.peer("a").closed_by_reason.at("protocol"), 1U);
}

TEST(Links, EndASessionWhoseBytesAreNoMessage) {
  OneGateway b("b");
  ScriptedSession& a = b.greeted("a");
  a.control("\x0a\xff\xff\xff\xff\xff");
  b.turn(1);
  EXPECT_TRUE(a.closed);
  EXPECT_TRUE(a.retired);
  EXPECT_EQ(b.peer("a").state, PeerState::kDown);
  EXPECT_EQ(b.peer("a").closed_by_reason, Ends({{"protocol", 1}}));
}

TEST(Links, EndASessionWhoseHelloNamesAnotherSiteThanItsCertificate) {
  OneGateway b("b");
  ScriptedSession& a = b.established("a");
  a.control(OneGateway::hello("c"));
  b.turn(1);
  EXPECT_TRUE(a.closed);
  EXPECT_NE(a.close_reason.find("the certificate names \"a\""), std::string::npos);
}

TEST(Links, SayThatThereIsNoCommonVersion) {
  OneGateway b("b");
  ScriptedSession& a = b.established("a");
  ControlMessage later = OneGateway::hello("a");
  later.mutable_hello()->set_version_min(2);
  later.mutable_hello()->set_version_max(9);
  a.control(later);
  b.turn(1);
  EXPECT_EQ(a.close_code, code(SessionCode::kNoCommonVersion));
  EXPECT_EQ(b.peer("a").closed_by_reason, Ends({{"local", 1}}));
  const ControlMessage said = a.take(ControlMessage::kGoodbye);
  EXPECT_EQ(said.goodbye().reason(), control::Goodbye::REASON_NO_COMMON_VERSION);
  EXPECT_NE(said.goodbye().text().find("2 to 9"), std::string::npos);
}

TEST(Links, TakeTheCommonVersionOfANewerPeer) {
  OneGateway b("b");
  ScriptedSession& a = b.established("a");
  ControlMessage newer = OneGateway::hello("a");
  newer.mutable_hello()->set_version_max(9);
  newer.mutable_hello()->add_capabilities("telepathy");
  a.control(newer);
  b.turn(1);
  EXPECT_EQ(b.peer("a").state, PeerState::kUp);
}

TEST(Links, NameWhatThisGatewayCan) {
  OneGateway b("b");
  const ControlMessage said = b.established("a").take(ControlMessage::kHello);
  const std::vector<std::string> names(said.hello().capabilities().begin(),
                                       said.hello().capabilities().end());
  EXPECT_EQ(names,
            (std::vector<std::string>{"codec.raw",
                                      "codec.bpc",
                                      "codec.sparse-list",
                                      "codec.row",
                                      "codec.q8",
                                      "codec.q4",
                                      "codec.bpc.steps",
                                      "records.short",
                                      "transfer.73728"}));
}

// How a Hello with these capabilities is met.
std::string refusal_of(const std::vector<std::string>& names) {
  OneGateway b("b");
  ScriptedSession& a = b.established("a");
  ControlMessage hello = OneGateway::hello("a");
  for (const std::string& name : names) {
    hello.mutable_hello()->add_capabilities(name);
  }
  a.control(hello);
  b.turn(1);
  EXPECT_EQ(a.closed, b.peer("a").state == PeerState::kDown);
  EXPECT_EQ(b.peer("a").closed_by_reason, a.closed ? Ends({{"protocol", 1}}) : Ends());
  EXPECT_EQ(a.closed ? a.close_code : 0, a.closed ? code(SessionCode::kProtocolViolation) : 0);
  const ControlMessage goodbye = a.take(ControlMessage::kGoodbye);
  EXPECT_EQ(goodbye.goodbye().text(), a.close_reason);
  return a.close_reason;
}

TEST(Links, EndASessionWhoseCapabilitiesAreOutOfBounds) {
  EXPECT_EQ(refusal_of(std::vector<std::string>(64, "x")), "");
  EXPECT_EQ(refusal_of({std::string(64, 'x')}), "");
  EXPECT_EQ(refusal_of(std::vector<std::string>(65, "x")), "Hello: 65 capabilities, at most 64");
  EXPECT_NE(refusal_of({"codec.raw", ""}).find("has 0 bytes"), std::string::npos);
  EXPECT_NE(refusal_of({std::string(65, 'x')}).find("has 65 bytes"), std::string::npos);
  EXPECT_NE(refusal_of({"a\nb"}).find("printable"), std::string::npos);
  EXPECT_NE(refusal_of({"transfer.16383"}).find("from 16384"), std::string::npos);
  EXPECT_EQ(refusal_of({"transfer.16384"}), "");
}

TEST(Links, EndASessionThatGreetsTwice) {
  OneGateway b("b");
  ScriptedSession& a = b.greeted("a");
  a.control(OneGateway::hello("a"));
  b.turn(1);
  EXPECT_TRUE(a.closed);
}

TEST(Links, IgnoreKindsOfMessagesThatANewerVersionKnows) {
  OneGateway b("b");
  ScriptedSession& a = b.greeted("a");
  a.control("\xfa\x01\x02\x08\x01");  // field 31
  b.turn(1);
  EXPECT_FALSE(a.closed);
  EXPECT_EQ(b.peer("a").state, PeerState::kUp);
}

TEST(Links, RefuseASiteThatIsNoPeer) {
  OneGateway b("b");
  b.endpoint.accept().establish("mallory");
  b.turn(1);
  EXPECT_EQ(b.gateway->links().strangers_refused(), 1U);
  EXPECT_EQ(b.gateway->links().last_stranger(), "\"mallory\" is no peer of this site");
  EXPECT_EQ(b.gateway->links().refusals().at(transport::CloseReason::kUnknownSite), 1U);
}

TEST(Links, CountCertificatesThatWereRefusedByReason) {
  OneGateway b("b");
  b.turn();
  b.endpoint.dialled("c")->end(transport::CloseReason::kCertificateExpired,
                               "expired certificate of site c");
  b.endpoint.accept().end(transport::CloseReason::kCertificateUntrusted, "untrusted issuer");
  b.turn(1);
  EXPECT_EQ(b.gateway->links().refusals().at(transport::CloseReason::kCertificateExpired), 1U);
  EXPECT_EQ(b.gateway->links().refusals().at(transport::CloseReason::kCertificateUntrusted), 1U);
  EXPECT_EQ(b.peer("c").closed_by_reason.at("certificate_expired"), 1U);
  EXPECT_EQ(b.peer("c").last_error, "expired certificate of site c");
}

// What b expects of c's round trip when it dials again after this session has ended.
Duration expected_after(OneGateway& b, ScriptedSession& session, Duration measured) {
  session.figures.rtt_min = measured;
  session.end(transport::CloseReason::kSilent, "nothing was heard");
  const std::size_t before = b.endpoint.dials();
  while (b.endpoint.dials() == before) {
    b.turn(1);
  }
  return b.endpoint.last_dialled.rtt_expected;
}

TEST(Links, DialWithTheRoundTripThatTheLastSessionMeasured) {
  OneGateway b("b", "[[links]]\nends = [\"b\", \"c\"]\nrtt = \"300ms\"\n");
  b.turn();
  EXPECT_EQ(b.endpoint.last_dialled.rtt_expected, Duration::ms(300));
  EXPECT_EQ(expected_after(b, b.greeted("c"), Duration::ms(41)), Duration::ms(41));
  EXPECT_EQ(expected_after(b, b.greeted("c"), Duration::seconds(9)), Duration::seconds(5));
  EXPECT_EQ(expected_after(b, b.greeted("c"), Duration::zero()), Duration::seconds(5));
  // A session that never was up has measured nothing of worth.
  EXPECT_EQ(expected_after(b, b.established("c"), Duration::ms(7)), Duration::seconds(5));
}

// Whether the path has become longer is the transport's to find out (late_answers.h).
TEST(Links, DialWithTheMeasuredRoundTripHoweverLongNobodyAnswers) {
  OneGateway b("b", "[[links]]\nends = [\"b\", \"c\"]\nrtt = \"600ms\"\n");
  EXPECT_EQ(expected_after(b, b.greeted("c"), Duration::ms(20)), Duration::ms(20));
  for (int silent = 1; silent <= 10; ++silent) {
    EXPECT_EQ(expected_after(b, *b.endpoint.dialled("c"), Duration::zero()), Duration::ms(20));
  }
}

TEST(Links, DialAgainForEverWithinASecond) {
  OneGateway b("b");
  for (std::size_t i = 1; i <= 20; ++i) {
    const Instant before = b.now;
    while (b.endpoint.dials() < i) {
      b.turn(1);
      ASSERT_LT(b.now - before, Duration::ms(1100));
    }
    b.endpoint.dialled("c")->end(transport::CloseReason::kHandshakeTimeout, "nothing was heard");
    b.turn(1);
  }
}

std::size_t count_of(std::string_view what, std::string_view text) {
  std::size_t count = 0;
  for (auto at = text.find(what); at != std::string_view::npos; at = text.find(what, at + 1)) {
    ++count;
  }
  return count;
}

// The next attempt to reach c ends so.
void fail_attempt(OneGateway& b, transport::CloseReason reason, const std::string& text) {
  const auto is_dialled = [&] {
    const ScriptedSession* c = b.endpoint.dialled("c");
    return c != nullptr && !c->retired;
  };
  for (int i = 0; i < 400 && !is_dialled(); ++i) {
    b.turn(1);
  }
  ASSERT_TRUE(is_dialled());
  b.endpoint.dialled("c")->end(reason, text);
  b.turn(1);
}

TEST(Links, TellOnceForEachReasonWhyThereIsNoSessionAndCountTheAttempts) {
  OneGateway b("b");
  fail_attempt(b, transport::CloseReason::kHandshakeTimeout, "nothing heard for 1000 ms");
  ::testing::internal::CaptureStderr();
  for (int i = 1; i < 30; ++i) {
    fail_attempt(
        b, transport::CloseReason::kHandshakeTimeout, fmt::format("nothing heard for {} ms", i));
  }
  fail_attempt(b, transport::CloseReason::kCertificateExpired, "expired certificate of site c");
  fail_attempt(b, transport::CloseReason::kHandshakeTimeout, "nothing heard for 7 ms");
  const std::string outage = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(count_of("no session with c", outage), 1U) << outage;
  EXPECT_EQ(count_of("expired certificate of site c (certificate_expired)", outage), 1U) << outage;
  EXPECT_EQ(b.peer("c").failed_attempts(), 32U);
  EXPECT_EQ(b.peer("c").last_error, "nothing heard for 7 ms");
  ::testing::internal::CaptureStderr();
  ScriptedSession& c = b.greeted("c");
  c.end(transport::CloseReason::kSilent, "cut");
  b.turn(1);
  fail_attempt(b, transport::CloseReason::kHandshakeTimeout, "nothing heard for 8 ms");
  const std::string next = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(count_of("link to c is up; attempts that failed: certificate_expired 1, "
                     "handshake_timeout 31",
                     next),
            1U)
      << next;
  EXPECT_EQ(count_of("no session with c: nothing heard for 8 ms", next), 1U) << next;
  EXPECT_EQ(b.peer("c").failed_attempts(), 1U);
}

TEST(Links, TellOfStrangersLessAndLessOften) {
  OneGateway b("b");
  ::testing::internal::CaptureStderr();
  for (int i = 0; i < 25; ++i) {
    b.endpoint.accept().end(transport::CloseReason::kHandshakeTimeout,
                            fmt::format("nothing heard for {} ms", i));
    b.turn(1);
  }
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(count_of("a connection was refused", said), 2U) << said;
  EXPECT_EQ(count_of("(handshake_timeout, 10 so far)", said), 1U) << said;
  EXPECT_EQ(b.gateway->links().strangers_refused(), 25U);
}

TEST(Links, SayGoodbyeWhenTheGatewayStops) {
  OneGateway b("b");
  ScriptedSession& a = b.greeted("a");
  b.gateway->stop(b.now);
  EXPECT_EQ(a.close_code, code(SessionCode::kStopping));
  EXPECT_EQ(a.take(ControlMessage::kGoodbye).goodbye().reason(), control::Goodbye::REASON_STOPPING);
}

}  // namespace
}  // namespace godwit::gateway

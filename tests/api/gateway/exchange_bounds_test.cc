// What a peer with a good certificate cannot do: make the memory or the log of a gateway grow.
#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/api/gateway/one_gateway.h"

namespace godwit::gateway {
namespace {

using control::ControlMessage;

// Whether a said it again and again, reading nothing, until its session was ended; and how often.
std::uint64_t asked_in_vain(OneGateway& b,
                            const std::function<ControlMessage(std::uint64_t)>& message,
                            std::string* log) {
  ScriptedSession& a = b.greeted("a");
  a.stop_reading();
  ::testing::internal::CaptureStderr();
  std::uint64_t said = 0;
  while (!a.closed && said < 200'000) {
    for (int i = 0; i < 64; ++i) {
      a.control(message(said++));
    }
    b.turn(1);
  }
  *log = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(a.close_code, code(SessionCode::kProtocolViolation));
  EXPECT_NE(a.close_reason.find("answers wait for a"), std::string::npos) << a.close_reason;
  EXPECT_EQ(b.peer("a").closed_by_reason.at("protocol"), 1U);
  EXPECT_LE(std::count(log->begin(), log->end(), '\n'), 50) << "lines of the log";
  return said;
}

TEST(ExchangeBounds, EndsASessionThatOffersForbiddenTopicsAndDoesNotRead) {
  OneGateway b("b", "[[policies]]\nmatch = \"private/**\"\nallowed = [\"b\", \"c\"]\n");
  std::string log;
  const auto said = asked_in_vain(
      b,
      [](std::uint64_t i) {
        return OneGateway::announcement("private/" + std::to_string(i) + std::string(200, 'x'), 1);
      },
      &log);
  EXPECT_LT(said, 40'000U);  // 8 MiB of some 400 bytes
  EXPECT_LE(b.peer("a").topics_refused_here.at("residency"), said);
}

TEST(ExchangeBounds, EndsASessionThatOpensUnknownLanesAndDoesNotRead) {
  OneGateway b("b");
  std::string log;
  asked_in_vain(
      b,
      [&b](std::uint64_t i) {
        ControlMessage open = b.lane_open("t");
        open.mutable_lane_open()->set_topic(i);
        return open;
      },
      &log);
}

TEST(ExchangeBounds, EndsASessionThatOffersOneTopicForEverAndDoesNotRead) {
  OneGateway b("b");
  b.declare("t", 10);
  std::string log;
  asked_in_vain(
      b, [](std::uint64_t /*i*/) { return OneGateway::announcement("t", 10); }, &log);
}

TEST(ExchangeBounds, EndsASessionWhoseAllowedSitesAreNoSites) {
  const std::vector<std::vector<std::string>> all = {
      std::vector<std::string>(65, "a"), {""}, {"a", "B"}, {"a\n"}, {std::string(64, 'a')}};
  for (const auto& sites : all) {
    OneGateway b("b");
    ScriptedSession& a = b.greeted("a");
    ControlMessage message = OneGateway::announcement("t", 10);
    for (const std::string& site : sites) {
      message.mutable_topic_announce()->add_allowed_sites(site);
    }
    a.control(message);
    b.turn(1);
    EXPECT_EQ(a.close_code, code(SessionCode::kProtocolViolation)) << sites.size();
    EXPECT_TRUE(b.peer("a").announced.empty());
  }
}

TEST(ExchangeBounds, KeepsOfAnAnnouncementOnlyWhatItUnderstands) {
  OneGateway b("b");
  ScriptedSession& a = b.greeted("a");
  ControlMessage message = OneGateway::announcement("t", 10);
  // Field 15 of a newer version, 60,000 bytes.
  auto* announce = message.mutable_topic_announce();
  announce->MergeFromString("\x7a\xe0\xd4\x03" + std::string(60'000, 'x'));
  a.control(message);
  b.turn(1);
  EXPECT_FALSE(a.closed) << a.close_reason;
  ASSERT_EQ(b.peer("a").announced.size(), 1U);
  EXPECT_LT(b.peer("a").announced.begin()->second.ByteSizeLong(), 100U);
}

}  // namespace
}  // namespace godwit::gateway

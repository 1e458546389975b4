#include "api/gateway/report.h"

#include <gtest/gtest.h>

#include "tests/api/gateway/one_gateway.h"

namespace godwit::gateway {
namespace {

constexpr const char* kCapped = "[[links]]\nends = [\"a\", \"b\"]\ncap = \"20Mbit/s\"\n";

admin::AdminResponse ask(OneGateway& b, const admin::AdminRequest& request) {
  Reporter reporter(*b.gateway, b.now);
  admin::AdminResponse response;
  response.ParseFromString(reporter.answer(b.now, as_bytes(request.SerializeAsString())));
  return response;
}

admin::StatusReport status_of(OneGateway& b) {
  admin::AdminRequest request;
  request.mutable_status();
  return ask(b, request).status();
}

admin::LinkReport link_to(OneGateway& b, const std::string& site) {
  admin::AdminRequest request;
  request.mutable_links()->set_peer(site);
  return ask(b, request).links().links(0);
}

TEST(Report, TellsWhatALinkCarriedInTheLastSecondBesideWhatIsPlannedForIt) {
  OneGateway b("b", kCapped);
  ScriptedSession& a = b.greeted("a");
  for (int i = 0; i < 500; ++i) {  // of 3 ms: 100 bytes in a packet of 128 sent, 2 × 222 received
    a.figures.bytes_sent += 100;
    a.figures.packets_sent += 1;
    a.figures.bytes_received += 2 * 222;
    a.figures.packets_received += 2;
    b.turn(1);
  }
  const auto busy = link_to(b, "a");
  EXPECT_NEAR(static_cast<double>(busy.rate_bps()), 128 * 8 / 0.003, 5000);
  EXPECT_NEAR(static_cast<double>(busy.received_bps()), 500 * 8 / 0.003, 20000);
  EXPECT_EQ(busy.planned_bps(), 19'400'000U);  // 97 % of the cap
  EXPECT_EQ(busy.cap_bps(), 20'000'000U);
  b.turn(400);
  EXPECT_EQ(link_to(b, "a").rate_bps(), 0U);
  EXPECT_EQ(link_to(b, "a").planned_bps(), 19'400'000U);
}

TEST(Report, TellsTheHashOfTheRulesThatAllSitesShare) {
  OneGateway a("a", kCapped);
  OneGateway b("b", kCapped);
  OneGateway other("b");
  EXPECT_NE(status_of(a).config_hash(), 0U);
  EXPECT_EQ(status_of(a).config_hash(), status_of(b).config_hash());
  EXPECT_NE(status_of(a).config_hash(), status_of(other).config_hash());
}

TEST(Report, CountsLayer3BytesOverAllSessions) {
  OneGateway b("b", kCapped);
  ScriptedSession& first = b.greeted("a");
  first.figures.bytes_sent = 1000;
  first.figures.packets_sent = 10;
  b.turn(1);
  ScriptedSession& second = b.greeted("a");
  EXPECT_EQ(link_to(b, "a").sent_bytes(), 1280U);
  second.figures.bytes_sent = 1;
  second.figures.packets_sent = 1;
  EXPECT_EQ(link_to(b, "a").sent_bytes(), 1309U);
}

}  // namespace
}  // namespace godwit::gateway

#include <gtest/gtest.h>

#include "tests/api/gateway/one_gateway.h"

namespace godwit::gateway {
namespace {

constexpr std::uint64_t kMillion = std::uint64_t{1} << 20U;
// P and R, lanes to the two other sites and one subscriber, what one publisher stages.
constexpr std::uint64_t kArraysAtLeast = 2 + 2 + 1 + 1;

// An unnamed client publishes once and leaves.
void publish_and_leave(OneGateway& b, std::uint64_t id) {
  local::MemoryLink link;
  const auto say = [&](const auto& record) { ASSERT_TRUE(local::send(link.client_end(), record)); };
  b.gateway->attach_client(id, link.gateway_end(), OneGateway::kRingBytes);
  say(local::Hello{.publisher = PublisherId(id), .incarnation = {1, 1}});
  say(local::Declare{.handle = local::TopicHandle{}, .topic = "t", .element_count = kMillion});
  say(local::PublishBegin{.topic = local::TopicHandle{}, .number = 1, .first = 0, .count = 1});
  const std::vector<std::int64_t> values = {1};
  say(local::PublishData{.topic = local::TopicHandle{}, .number = 1, .first = 0, .fixed = values});
  say(local::PublishCommit{.topic = local::TopicHandle{}, .number = 1});
  b.turn();
  b.gateway->detach_client(id);
  b.turn();
}

TEST(MemoryBudget, AnswersWhatTheTopicMayComeToUseWithAllItsPeers) {
  OneGateway b("b");
  b.declare("t", kMillion);
  EXPECT_GE(b.declared.memory_bound, kArraysAtLeast * 8 * kMillion);
  const std::uint64_t before = b.declared.memory_bound;
  ScriptedSession& a = b.greeted("a");
  a.control(OneGateway::announcement("t", kMillion));
  a.control(b.lane_open("t"));
  b.turn();
  ASSERT_TRUE(b.topic("t").peers().at(SiteId::of("a")).outgoing.has_value());
  EXPECT_EQ(b.topic("t").memory_bound(), before);
}

TEST(MemoryBudget, HoldsASmallTopicWhenItIsTheLeastThatAFileMaySay) {
  OneGateway b("b");
  b.config.memory = Bytes::mib(16);
  b.declare("t", 1);
  EXPECT_TRUE(b.knows("t")) << b.declared.error;
}

TEST(MemoryBudget, RefusesATopicThatDoesNotFitBesideWhatTheOthersMayUse) {
  OneGateway b("b");
  b.declare("first", kMillion);
  const std::uint64_t bound = b.declared.memory_bound;
  b.config.memory = Bytes((2 * bound) - 1);
  b.declare("second", kMillion);
  EXPECT_EQ(b.declared.code, Code::kFull);
  EXPECT_NE(b.declared.error.find("[self] memory"), std::string::npos) << b.declared.error;
  EXPECT_FALSE(b.knows("second"));
  b.config.memory = Bytes(2 * bound);
  b.declare("second", kMillion);
  EXPECT_TRUE(b.knows("second"));
  b.config.memory = Bytes(1);  // lowered since: what is open stays, nothing wraps round
  b.declare("third", 1);
  EXPECT_EQ(b.declared.code, Code::kFull);
  b.declare("first", kMillion);
  EXPECT_TRUE(b.declared.error.empty());
}

TEST(MemoryBudget, DoesNotCountPublishersThatHaveGone) {
  OneGateway b("b");
  const auto handle = b.declare("t", kMillion);
  b.publish(handle, 0, {1});
  const std::uint64_t before = b.topic("t").memory_bound();
  for (std::uint64_t id = 2; id < 8; ++id) {
    publish_and_leave(b, id);
  }
  EXPECT_EQ(b.sum("t").front(), 7);
  EXPECT_EQ(b.topic("t").memory_bound(), before);
}

}  // namespace
}  // namespace godwit::gateway

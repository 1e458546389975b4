// What a client may declare.
#include "api/gateway/topic.h"

#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "tests/api/gateway/one_gateway.h"

namespace godwit::gateway {
namespace {

local::Declare with_class(std::string name) {
  local::Declare declare;
  declare.topic = "t";
  declare.element_count = 8;
  declare.fraction_bits = 40;
  declare.service_class = std::move(name);
  return declare;
}

TEST(Topic, TakesTheClassThatIsDeclaredElseThePolicys) {
  const Config config = config_of("a", "[[policies]]\nmatch = \"**\"\nclass = \"bulk\"\n");
  EXPECT_EQ(make_spec(with_class("urgent"), config)->traffic_class, scheduler::Class::kUrgent);
  EXPECT_EQ(make_spec(with_class("normal"), config)->traffic_class, scheduler::Class::kNormal);
  EXPECT_EQ(make_spec(with_class(""), config)->traffic_class, scheduler::Class::kBulk);
}

// What a client that asks nobody may send: the gateway has its own eyes.
TEST(Topic, RefusesASeedThatNoTopicCanStartFrom) {
  OneGateway b("b");
  const auto handle = static_cast<local::TopicHandle>(0);
  b.say(local::Declare{.handle = handle,
                       .topic = "seeded",
                       .element_count = 4,
                       .fraction_bits = 60,
                       .has_seed = true,
                       .seed_hash = 7});
  b.turn();
  const std::vector<float> good = {1.0F, -3.5F};  // the range is 2^(62 - 60)
  b.say(local::SeedChunk{.topic = handle, .first = 0, .values = good});
  b.turn();
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity(), 4.0F, -4.0F}) {
    const std::vector<float> values = {0.0F, bad};
    const auto written = b.topic("seeded").write_seed(b.store, 2, values);
    ASSERT_FALSE(written) << bad;
    EXPECT_EQ(written.error().code, Code::kInvalid);
    EXPECT_NE(written.error().message.find("topic seeded: element 3 of the seed is "),
              std::string::npos);
  }
  EXPECT_FALSE(b.topic("seeded").seed_complete());
  const std::vector<float> bad = {0.0F, std::nanf("")};
  b.say(local::SeedChunk{.topic = handle, .first = 2, .values = bad});
  b.turn();
  EXPECT_FALSE(b.topic("seeded").seed_complete());
  EXPECT_EQ(b.gateway->core().counters.clients_refused.at(
                static_cast<std::size_t>(ClientRefusal::kProtocol)),
            1U)
      << "its connection is closed";
}

TEST(Topic, RefusesAClassThatThereIsNot) {
  const auto spec = make_spec(with_class("fast"), config_of("a"));
  ASSERT_FALSE(spec);
  EXPECT_EQ(spec.error().code, Code::kInvalid);
  EXPECT_NE(spec.error().message.find("\"fast\" is none of urgent, normal, bulk"),
            std::string::npos);
}

}  // namespace
}  // namespace godwit::gateway

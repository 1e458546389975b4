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

constexpr const char* kRules =
    "[[policies]]\nmatch = \"t\"\nclass = \"bulk\"\ndeadline = \"5s\"\n"
    "significance = { filter = \"relative\", threshold = 0.02, decay = \"none\" }\n";

TEST(Topic, OfAnEarlierProcessFollowsThePolicyOfToday) {
  OneGateway b("b");
  b.publish(b.declare("t", 10), 0, {5});
  EXPECT_EQ(b.topic("t").spec().traffic_class, scheduler::Class::kNormal);
  b.config = config_of("b", kRules);
  b.open();
  const Instant start = b.now - Duration::ms(8 * 3);  // before the turns of open()
  Topic& topic = b.topic("t");
  EXPECT_EQ(topic.spec().traffic_class, scheduler::Class::kBulk);
  EXPECT_EQ(topic.spec().deadline, Duration::seconds(5));
  EXPECT_EQ(topic.deadlines().due(b.now, Duration::zero()), b.now + Duration::seconds(5));
  EXPECT_EQ(topic.deadlines().of_tile(0), start + Duration::seconds(5)) << "what was pending";
  EXPECT_EQ(topic.threshold().relative(), 0.02);
  b.declare("t", 10);
  EXPECT_EQ(b.declared.code, Code::kOk) << b.declared.error;
  // A rule that is taken back leaves the topic as it was made.
  b.config = config_of("b", "[[policies]]\nmatch = \"t\"\nclass = \"urgent\"\n");
  b.open();
  EXPECT_EQ(b.topic("t").spec().traffic_class, scheduler::Class::kUrgent);
  EXPECT_EQ(b.topic("t").spec().deadline, Duration::zero());
  EXPECT_EQ(b.topic("t").threshold().relative(), 0);
}

local::Declare of_ten(std::string service_class = {}, Duration deadline = Duration::zero()) {
  return {.topic = "t",
          .element_count = 10,
          .service_class = std::move(service_class),
          .deadline = deadline};
}

local::Declare with_threshold(double threshold) {
  local::Declare declare = of_ten();
  declare.significance.kind = local::SignificanceFilter::Kind::kRelative;
  declare.significance.threshold = threshold;
  return declare;
}

TEST(Topic, IsSentAsTheFirstWhoNamesItSays) {
  OneGateway b("b");
  b.declare(of_ten());  // a subscriber's
  b.declare(of_ten("urgent", Duration::seconds(3)));
  b.declare(with_threshold(0.5));
  EXPECT_EQ(b.declared.code, Code::kOk) << b.declared.error;
  const auto check = [&] {
    EXPECT_EQ(b.topic("t").spec().traffic_class, scheduler::Class::kUrgent);
    EXPECT_EQ(b.topic("t").deadlines().due(b.now, Duration::zero()), b.now + Duration::seconds(3));
    EXPECT_EQ(b.topic("t").threshold().relative(), 0.5);
  };
  check();
  b.declare(of_ten());
  EXPECT_EQ(b.declared.code, Code::kOk) << b.declared.error;
  const auto refused = [&](const local::Declare& declare, const std::string& what) {
    b.declare(declare);
    EXPECT_EQ(b.declared.code, Code::kInvalid) << what;
    EXPECT_NE(b.declared.error.find("topic t: " + what + " differs"), std::string::npos)
        << b.declared.error;
  };
  refused(of_ten("bulk"), "the class");
  refused(of_ten("", Duration::seconds(4)), "the deadline");
  refused(with_threshold(0.25), "the significance filter");
  local::Declare other = of_ten();
  other.tenant = "somebody";
  refused(other, "the tenant");
  check();
  b.open();
  check();  // it is remembered, until somebody names another
  b.declare(of_ten("bulk"));
  EXPECT_EQ(b.declared.code, Code::kOk) << b.declared.error;
  EXPECT_EQ(b.topic("t").spec().traffic_class, scheduler::Class::kBulk);
  refused(of_ten("urgent"), "the class");
  // But a process that published before is not sent away because another one was faster.
  local::Declare back = of_ten("urgent", Duration::seconds(4));
  back.replaces = Incarnation{};
  b.declare(back);
  EXPECT_EQ(b.declared.code, Code::kOk) << b.declared.error;
  EXPECT_EQ(b.topic("t").spec().traffic_class, scheduler::Class::kBulk);
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

TEST(Topic, TakesOneSeedFromSeveralClientsAtOnce) {
  OneGateway b("b");
  b.declare(local::Declare{.topic = "seeded",
                           .element_count = 4,
                           .fraction_bits = 40,
                           .has_seed = true,
                           .seed_hash = 7});
  Topic& topic = b.topic("seeded");
  const std::vector<float> seed = {1, 2, 3, 4};
  const auto write = [&](std::uint64_t first, std::size_t count) {
    return topic.write_seed(b.store, first, std::span(seed).subspan(first, count)).has_value();
  };
  EXPECT_TRUE(write(0, 2));
  EXPECT_TRUE(write(0, 1)) << "of another client";
  EXPECT_FALSE(write(3, 1)) << "a gap";
  EXPECT_TRUE(write(1, 2));
  EXPECT_TRUE(write(2, 2));
  EXPECT_TRUE(topic.seed_complete());
  const std::vector<float> bad = {std::nanf("")};
  EXPECT_FALSE(topic.write_seed(b.store, 0, bad)) << "whether it is wanted or not";
  EXPECT_TRUE(write(0, 4)) << "late";
  std::vector<float> kept(ledger::kTileElements);
  ASSERT_TRUE(topic.ledger().read_seed(0, kept));
  EXPECT_EQ(std::vector<float>(kept.begin(), kept.begin() + 4), seed);
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

// What a client refuses by itself, before its gateway hears of it.
#include <cmath>
#include <limits>
#include <string>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "api/client/core.h"
#include "api/local/memory_channel.h"

namespace godwit::client {
namespace {

class CoreDeclare : public ::testing::Test {
 protected:
  // The topics of which the gateway hears.
  std::vector<std::string> told() {
    const Instant now = Instant::from_ns(1);
    core_.on_connected(now, link_.client_end());
    local::Channel& gateway = link_.gateway_end();
    std::vector<std::string> topics;
    const auto hear = [&] {
      while (const auto view = gateway.receive()) {
        const auto record = local::decode_client_record(*view);
        EXPECT_TRUE(record.has_value());
        if (record && std::holds_alternative<local::Declare>(*record)) {
          topics.push_back(std::get<local::Declare>(*record).topic);
        }
      }
    };
    hear();
    EXPECT_TRUE(local::send(gateway, local::Welcome{.site = "fra", .sites = {"fra", "iad"}}));
    while (core_.receive(now)) {
    }
    core_.pump(now);
    hear();
    return topics;
  }

  local::MemoryLink link_;
  Core core_{{.name = "test", .publisher = PublisherId(11), .incarnation = {5, 6}, .seed = 1}};
};

TEST_F(CoreDeclare, RefusesANameThatNoPolicyWouldMatch) {
  for (const std::string bad : {"", "/t", "a//t", "a/../t", "a/*"}) {
    const auto topic = core_.declare({.name = bad, .element_count = 4});
    ASSERT_FALSE(topic) << bad;
    EXPECT_EQ(topic.error().code, Code::kInvalid);
    EXPECT_NE(topic.error().message.find("is no topic's name"), std::string::npos);
  }
  EXPECT_TRUE(core_.declare({.name = "a/t", .element_count = 4}));
  EXPECT_EQ(told(), std::vector<std::string>{"a/t"});
}

TEST_F(CoreDeclare, RefusesASeedThatNoTopicCanStartFrom) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kRange = 4'194'304.0F;  // 2^(62 - 40)
  for (const float bad : {std::nanf(""), kInfinity, -kInfinity, kRange, -kRange}) {
    const std::vector<float> seed = {0.0F, 1.0F, bad, 2.0F};
    const auto topic = core_.declare({.name = "bad", .element_count = 4, .seed = seed});
    ASSERT_FALSE(topic) << bad;
    EXPECT_EQ(topic.error().code, Code::kInvalid);
    EXPECT_NE(topic.error().message.find("topic bad: element 2 of the seed is "), std::string::npos)
        << topic.error().message;
  }
  const std::vector<float> largest = {std::nextafter(kRange, 0.0F), -std::nextafter(kRange, 0.0F)};
  EXPECT_TRUE(core_.declare({.name = "good", .element_count = 2, .seed = largest}));
  EXPECT_EQ(told(), std::vector<std::string>{"good"});
}

TEST_F(CoreDeclare, RefusesADeadlineThatNoUpdateCanHave) {
  const Duration longest = Duration::seconds(100.0 * 86400.0);
  for (const Duration bad : {Duration::ns(-1), Duration::seconds(-5), longest + Duration::ns(1)}) {
    const auto topic = core_.declare({.name = "bad", .element_count = 4, .update_deadline = bad});
    ASSERT_FALSE(topic) << bad.count_ns();
    EXPECT_EQ(topic.error().code, Code::kInvalid);
    EXPECT_NE(topic.error().message.find("update_deadline is "), std::string::npos);
  }
  EXPECT_TRUE(core_.declare({.name = "good", .element_count = 4, .update_deadline = longest}));
  EXPECT_EQ(told(), std::vector<std::string>{"good"});
}

}  // namespace
}  // namespace godwit::client

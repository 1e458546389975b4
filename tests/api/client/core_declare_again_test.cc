// A topic that is declared again: while it is open, and after the gateway has refused it.
#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/api/client/core_fixture.h"

namespace godwit::client {
namespace {

using ::testing::HasSubstr;

class CoreDeclareAgain : public CoreTest {
 protected:
  // A topic with a sum that has received `value` in every element, of another publisher.
  std::uint32_t subscribed(std::size_t elements, std::int64_t value) {
    connect();
    const auto topic = declare(elements);
    EXPECT_TRUE(core_.subscribe(topic, Core::Subscription::kPolled, true));
    settle();
    others_publish(value);
    deliver();
    return topic;
  }
  // Another client publishes to every element.
  void others_publish(std::int64_t value) {
    ToyTopic& topic = state_.topics["model"];
    for (auto& sum : topic.sum) {
      sum += value;
    }
    ++topic.accepted;
  }
  void deliver() {
    gateway_->deliver();
    settle();
  }
  // Another connection, on which the gateway does not take the topic.
  void refuse(std::uint32_t topic) {
    disconnect();
    connect();
    gateway_->refuse_declare = "no memory";
    settle();
    EXPECT_TRUE(core_.is_failed(topic));
    gateway_->refuse_declare.reset();
  }
  std::vector<std::int64_t> sum(std::uint32_t topic) {
    std::vector<std::int64_t> whole(core_.topic_options(topic).element_count);
    core_.sum(topic)->copy(0, whole);
    return whole;
  }
};

TEST_F(CoreDeclareAgain, EveryOptionIsTheSameWhileTheTopicIsOpen) {
  const std::vector<float> seed(8, 1.0F);
  const std::vector<float> other_seed(8, 2.0F);
  const TopicOptions first{.name = "t",
                           .element_count = 8,
                           .tolerance = 0.5,
                           .tenant = "ads",
                           .service_class = "urgent",
                           .allowed_sites = {"fra", "iad"},
                           .update_deadline = Duration::seconds(1),
                           .significance = {.threshold = 0.01},
                           .seed = seed};
  const auto topic = core_.declare(first);
  ASSERT_TRUE(topic);
  using Change = std::function<void(TopicOptions&)>;
  const std::vector<std::pair<std::string, Change>> changes = {
      {"element_count", [](auto& o) { o.element_count = 9, o.seed = {}; }},
      {"fraction_bits", [](auto& o) { o.fraction_bits = 39; }},
      {"tolerance", [](auto& o) { o.tolerance = 0.0; }},
      {"tenant", [](auto& o) { o.tenant = "search"; }},
      {"service_class", [](auto& o) { o.service_class = "bulk"; }},
      {"allowed_sites", [](auto& o) { o.allowed_sites = {"fra"}; }},
      {"allowed_sites", [](auto& o) { o.allowed_sites = {}; }},
      {"update_deadline", [](auto& o) { o.update_deadline = Duration::seconds(2); }},
      {"significance", [](auto& o) { o.significance.threshold = 0.02; }},
      {"significance", [](auto& o) { o.significance.decays_with_clock = true; }},
      {"the seed", [&](auto& o) { o.seed = other_seed; }},
  };
  for (const auto& [what, change] : changes) {
    TopicOptions other = first;
    change(other);
    const auto refused = core_.declare(other);
    ASSERT_FALSE(refused) << what;
    EXPECT_EQ(refused.error().code, Code::kInvalid);
    EXPECT_THAT(refused.error().message, HasSubstr("topic t: " + what + " differs"));
  }
  TopicOptions same = first;
  std::reverse(same.allowed_sites.begin(), same.allowed_sites.end());
  EXPECT_EQ(*core_.declare(same), *topic) << "a set";
  const TopicOptions takes_what_there_is{
      .name = "t", .element_count = 8, .tolerance = 0.5, .allowed_sites = {"fra", "iad"}};
  EXPECT_EQ(*core_.declare(takes_what_there_is), *topic);
}

TEST_F(CoreDeclareAgain, ASubscriptionGoesOnWhereItStood) {
  const auto topic = subscribed(100, 7);
  refuse(topic);
  others_publish(10);
  ASSERT_EQ(declare(100), topic);
  core_.pump(now_);
  settle();
  deliver();
  EXPECT_EQ(core_.topic_state(topic), TopicState::kOpen);
  EXPECT_EQ(sum(topic), std::vector<std::int64_t>(100, 17));
  EXPECT_FALSE(core_.take_restart(topic));
  EXPECT_EQ(core_.stats().transfers_skipped, 0U);
  EXPECT_FALSE(core_.subscribe(topic, Core::Subscription::kPolled, true)) << "it has one";
}

TEST_F(CoreDeclareAgain, ASubscriptionBeginsAgainWhenItsStateIsLost) {
  const auto topic = subscribed(100, 7);
  state_.topics["model"].lanes.clear();
  refuse(topic);
  ASSERT_EQ(declare(100), topic);
  core_.pump(now_);
  settle();
  EXPECT_TRUE(core_.take_restart(topic));
  core_.pump(now_);
  settle();
  deliver();
  EXPECT_EQ(sum(topic), std::vector<std::int64_t>(100, 7));
}

TEST_F(CoreDeclareAgain, WithOtherOptionsTheGatewayHearsOfThem) {
  const auto topic = subscribed(100, 7);
  refuse(topic);
  const auto again = core_.declare({.name = "model",
                                    .element_count = 100,
                                    .fraction_bits = 10,
                                    .tolerance = 0.25,
                                    .allowed_sites = {"fra"}});
  ASSERT_EQ(again.value_or(topic + 1), topic);
  core_.pump(now_);
  settle();
  EXPECT_EQ(state_.topics["model"].declared.tolerance, 0.25);
  EXPECT_EQ(state_.topics["model"].declared.allowed_sites, std::vector<std::string>{"fra"});
  others_publish(10);
  deliver();
  EXPECT_EQ(sum(topic), std::vector<std::int64_t>(100, 17));
}

TEST_F(CoreDeclareAgain, WithAnotherSeedTheGatewayIsSentThatOne) {
  connect();
  gateway_->refuse_declare = "the seed differs";
  const std::vector<float> wrong(40, 1.0F);
  const std::vector<float> right(40, 2.0F);
  const auto topic = core_.declare({.name = "model", .element_count = 40, .seed = wrong});
  settle();
  gateway_->refuse_declare.reset();
  ASSERT_EQ(core_.declare({.name = "model", .element_count = 40, .seed = right}).value_or(9),
            topic.value_or(0));
  core_.pump(now_);
  settle();
  EXPECT_EQ(state_.topics["model"].seed, right);
}

TEST_F(CoreDeclareAgain, WithAnotherShapeItIsAnotherTopicWithoutASubscription) {
  const auto topic = subscribed(100, 7);
  const auto number = publish(topic, std::vector<float>(100, 1.0F));
  settle();
  refuse(topic);
  const Incarnation before = gateway_->last_subscribe->incarnation;
  state_.lose("model");
  ASSERT_EQ(declare(50), topic);
  core_.pump(now_);
  settle();
  EXPECT_EQ(core_.topic_state(topic), TopicState::kOpen);
  EXPECT_EQ(safe(topic, number), Outcome::kReached) << "its tickets stay";
  EXPECT_EQ(core_.sum(topic), nullptr);
  ASSERT_TRUE(core_.subscribe(topic, Core::Subscription::kPolled, true));
  core_.pump(now_);
  settle();
  EXPECT_NE(gateway_->last_subscribe->incarnation, before);
  others_publish(3);
  deliver();
  EXPECT_EQ(sum(topic), std::vector<std::int64_t>(50, 3));
}

TEST_F(CoreDeclareAgain, TheNextConnectionTriesATopicThatWasOpenOnce) {
  const auto topic = subscribed(100, 7);
  refuse(topic);
  const auto request = core_.start_wait(topic, 3, now_ + Duration::seconds(8));
  core_.pump(now_);
  settle();
  EXPECT_FALSE(core_.take_wait(request));
  others_publish(10);
  disconnect();
  connect();
  settle();
  EXPECT_EQ(core_.topic_state(topic), TopicState::kOpen);
  EXPECT_TRUE(core_.take_wait(request));
  deliver();
  EXPECT_EQ(sum(topic), std::vector<std::int64_t>(100, 17));
  EXPECT_FALSE(core_.take_restart(topic));
}

TEST_F(CoreDeclareAgain, OneThatIsRefusedAgainDisturbsNobody) {
  const auto topic = subscribed(100, 7);
  refuse(topic);
  core_.start_wait(topic, 3, now_ + Duration::seconds(8));
  refuse(topic);
  EXPECT_EQ(core_.failure(now_), "");
  EXPECT_FALSE(link_->gateway_end().broken());
}

TEST_F(CoreDeclareAgain, OneThatWasNeverOpenWaitsForTheApplication) {
  connect();
  gateway_->refuse_declare = "another shape";
  const auto topic = declare(100);
  settle();
  disconnect();
  connect();
  core_.start_wait(topic, 3, now_ + Duration::seconds(8));
  core_.pump(now_);
  settle();
  EXPECT_TRUE(core_.is_failed(topic));
  EXPECT_FALSE(link_->gateway_end().broken());
  EXPECT_EQ(state_.topics.count("model"), 0U);
}

TEST_F(CoreDeclareAgain, WithoutRoomAtTheGatewayWhatIsNotSafeWaits) {
  const auto topic = subscribed(100, 7);
  const auto lost = unanswered_publish(topic);
  disconnect();
  connect();
  gateway_->refuse_declare = "no storage for 32768 more bytes";
  gateway_->refuse_code = Code::kFull;
  const auto kept = publish(topic, {5.0F});
  settle();
  EXPECT_EQ(core_.topic_state(topic), TopicState::kOpening);
  EXPECT_EQ(safe(topic, kept), std::nullopt);
  gateway_->refuse_declare.reset();
  settle();
  EXPECT_EQ(core_.topic_state(topic), TopicState::kOpening) << "it is not asked at once";
  EXPECT_EQ(core_.next_wakeup(), now_ + Duration::seconds(1));
  now_ = core_.next_wakeup();
  core_.pump(now_);
  settle();
  EXPECT_EQ(core_.topic_state(topic), TopicState::kOpen);
  EXPECT_EQ(core_.next_wakeup(), Instant::never());
  EXPECT_EQ(safe(topic, lost), Outcome::kReached);
  EXPECT_EQ(safe(topic, kept), Outcome::kReached);
  EXPECT_EQ(accepted(topic), 3U);
  others_publish(10);
  deliver();
  EXPECT_EQ(core_.stats().publishes_refused, 0U);
  EXPECT_FALSE(core_.take_restart(topic));
}

TEST_F(CoreDeclareAgain, AClockWaitIsAskedAgain) {
  const auto topic = subscribed(100, 7);
  gateway_->answer_waits = false;
  const auto request = core_.start_wait(topic, 3, now_ + Duration::seconds(8));
  core_.pump(now_);
  settle();
  refuse(topic);
  ASSERT_EQ(declare(100), topic);
  core_.pump(now_);
  settle();
  EXPECT_TRUE(core_.take_wait(request));
}

}  // namespace
}  // namespace godwit::client

// What became of a publish: refused, safe, applied at which sites, and in which life of its topic.
#include <gtest/gtest.h>

#include "tests/api/client/core_fixture.h"

namespace godwit::client {
namespace {

TEST_F(CoreTest, AppliedAndStableFollowCoverage) {
  connect();
  const auto topic = declare(10);
  const auto number = publish(topic, {1.0F});
  settle();
  EXPECT_FALSE(gateway_->watched);
  EXPECT_FALSE(core_.outcome(topic, number, Level::kApplied, "iad"));
  core_.pump(now_);
  settle();
  EXPECT_TRUE(gateway_->watched) << "coverage is asked for when somebody waits for it";
  gateway_->say(local::Covered{local::TopicHandle{topic}, SiteId::of("iad"), 1});
  settle();
  EXPECT_EQ(core_.outcome(topic, number, Level::kApplied, "iad"), Outcome::kReached);
  EXPECT_EQ(core_.outcome(topic, number, Level::kApplied, {}), Outcome::kReached);
  EXPECT_FALSE(core_.outcome(topic, number, Level::kApplied, "sin"));
  EXPECT_FALSE(core_.outcome(topic, number, Level::kStable, {}));
  gateway_->say(local::Covered{local::TopicHandle{topic}, SiteId::of("sin"), 1});
  settle();
  EXPECT_EQ(core_.outcome(topic, number, Level::kStable, {}), Outcome::kReached);
}

TEST_F(CoreTest, PublishesNothingBeforeItKnowsWhoPublishedLastAndSaysSoWhenItComesBack) {
  state_.publisher_before = {3, 3};
  connect();
  const auto topic = declare(10);
  publish(topic, {1.0F});
  core_.pump(now_);
  EXPECT_EQ(gateway_->publishes_begun, 0U);
  settle();
  EXPECT_EQ(gateway_->publishes_begun, 1U);
  EXPECT_FALSE(state_.topics["model"].declared.replaces);
  state_.publisher_before = {5, 6};
  disconnect();
  connect();
  settle();
  EXPECT_EQ(state_.topics["model"].declared.replaces, (Incarnation{3, 3}));
}

TEST_F(CoreTest, TellsWhatItWasNotAnsweredInTheLifeOfTheTopicThatItWentTo) {
  const auto told = [&] { return state_.topics["model"].declared.unanswered; };
  const auto reconnect = [&](bool answers) {
    disconnect();
    connect();
    gateway_->skip_safe = !answers;
    settle();
  };
  state_.publishers_forgotten = 5;
  connect();
  const auto topic = declare(10);
  publish(topic, {1.0F});
  settle();
  unanswered_publish(topic);
  unanswered_publish(topic);
  EXPECT_FALSE(told());
  state_.publishers_forgotten = 6;
  for (int time = 0; time < 2; ++time) {  // what it was told first holds until it is answered
    reconnect(false);
    EXPECT_EQ(told(),
              (local::Unanswered{
                  .until = 3, .incarnation = state_.incarnation, .publishers_forgotten = 5}));
  }
  // The topic is lost; what is sent again goes to its next life, before Declared is there.
  const Incarnation before = gateway_->life();
  state_.topics.clear();
  state_.topics_lost = 1;
  reconnect(false);
  EXPECT_EQ(told(),
            (local::Unanswered{.until = 3, .incarnation = before, .publishers_forgotten = 5}));
  reconnect(true);
  EXPECT_EQ(
      told(),
      (local::Unanswered{.until = 3, .incarnation = gateway_->life(), .publishers_forgotten = 6}));
  EXPECT_NE(gateway_->life(), before);
  EXPECT_EQ(safe(topic, 3), Outcome::kReached);
  reconnect(true);
  EXPECT_FALSE(told());
}

TEST_F(CoreTest, WhatMayBeMergedIsNotCalledRefusedWhenItsTopicIsRefusedLater) {
  connect();
  const auto topic = declare(10);
  const auto sent = unanswered_publish(topic);
  disconnect();
  const auto unsent = publish(topic, {1.0F});
  connect();
  gateway_->refuse_declare = "the policy was narrowed";
  settle();
  EXPECT_EQ(safe(topic, sent), Outcome::kUnknown);
  EXPECT_EQ(safe(topic, unsent), Outcome::kRefused);
  EXPECT_EQ(core_.stats().unsafe_bytes, 0U);
}

TEST_F(CoreTest, SaysThatAnOutcomeIsUnknownWhenTheGatewayCannotTell) {
  connect();
  const auto topic = declare(10);
  const auto number = unanswered_publish(topic);
  gateway_->say(local::Refused{.topic = local::TopicHandle{topic},
                               .number = number,
                               .code = Code::kNotFound,
                               .text = "away for long"});
  settle();
  EXPECT_EQ(safe(topic, number), Outcome::kUnknown);
  EXPECT_EQ(core_.detail(topic, number), "away for long");
  EXPECT_EQ(core_.stats().unsafe_bytes, 0U);
}

TEST_F(CoreTest, CoverageOfATopicThatWasLostSaysNothingOfItsNextLife) {
  connect();
  const auto topic = declare(10);
  publish(topic, {1.0F});
  settle();
  gateway_->say(local::Covered{local::TopicHandle{topic}, SiteId::of("iad"), 1});
  settle();
  disconnect();
  state_.topics.clear();
  state_.topics_lost = 1;
  connect();
  settle();
  const auto number = publish(topic, {1.0F});
  settle();
  ASSERT_EQ(safe(topic, number), Outcome::kReached);
  EXPECT_FALSE(core_.outcome(topic, number, Level::kApplied, "iad"))
      << "the first publish of the new life was taken for the one of the old";
  gateway_->say(local::Covered{local::TopicHandle{topic}, SiteId::of("iad"), 1});
  settle();
  EXPECT_EQ(core_.outcome(topic, number, Level::kApplied, "iad"), Outcome::kReached);
}

TEST_F(CoreTest, StableWaitsForNoSiteThatMayNotHoldTheTopic) {
  connect();
  gateway_->holders = {"fra", "iad"};
  const auto topic = declare(10);
  const auto number = publish(topic, {1.0F});
  settle();
  EXPECT_FALSE(core_.outcome(topic, number, Level::kStable, {}));
  gateway_->say(local::Covered{local::TopicHandle{topic}, SiteId::of("iad"), 1});
  settle();
  EXPECT_EQ(core_.outcome(topic, number, Level::kStable, {}), Outcome::kReached);
}

TEST_F(CoreTest, ARefusedTopicRefusesItsPublishes) {
  connect();
  gateway_->refuse_declare = "shape differs from site iad";
  const auto topic = declare(10);
  const auto number = publish(topic, {1.0F});
  settle();
  EXPECT_EQ(core_.topic_state(topic), TopicState::kFailed);
  EXPECT_EQ(core_.topic_error(topic).message, "shape differs from site iad");
  EXPECT_EQ(safe(topic, number), Outcome::kRefused);
  EXPECT_EQ(core_.stats().unsafe_bytes, 0U);
  gateway_->refuse_declare.reset();
  EXPECT_EQ(declare(10), topic) << "another attempt takes the same place";
  core_.pump(now_);
  settle();
  EXPECT_EQ(core_.topic_state(topic), TopicState::kOpen);
}

TEST_F(CoreTest, OldOutcomesExpire) {
  connect();
  const auto topic = declare(10);
  settle();
  for (std::size_t i = 0; i < kFinishedRemembered + 10; ++i) {
    publish(topic, {1.0F});
    settle();
  }
  EXPECT_EQ(safe(topic, 1), Outcome::kExpired);
  EXPECT_EQ(safe(topic, kFinishedRemembered + 10), Outcome::kReached);
}

}  // namespace
}  // namespace godwit::client

// A subscription for which the gateway has no place.
#include <vector>

#include <gtest/gtest.h>

#include "tests/api/client/core_fixture.h"

namespace godwit::client {
namespace {

class CorePlace : public CoreTest {
 protected:
  // A subscribed topic whose subscription the gateway does not take.
  std::uint32_t refused(bool keep_sum = false) {
    connect();
    gateway_->refuse_subscribe = "all 24 places are taken";
    const auto topic = declare(4);
    EXPECT_TRUE(core_.subscribe(topic, Core::Subscription::kPolled, keep_sum));
    settle();
    EXPECT_TRUE(core_.lacks_place(topic));
    return topic;
  }
  void after(Duration passed) {
    now_ = now_ + passed;
    core_.pump(now_);
    settle();
  }
};

TEST_F(CorePlace, IsAskedForOnceASecondAndTheTopicGoesOn) {
  const auto topic = refused();
  EXPECT_EQ(core_.take_error(), "all 24 places are taken");
  EXPECT_EQ(core_.take_error(), "");
  EXPECT_EQ(safe(topic, publish(topic, {1.0F})), std::nullopt);
  settle();
  EXPECT_EQ(safe(topic, 1), Outcome::kReached);
  EXPECT_EQ(gateway_->subscribes, 1U);
  EXPECT_EQ(core_.next_wakeup(), now_ + Duration::seconds(1));
  after(Duration::ms(999));
  EXPECT_EQ(gateway_->subscribes, 1U);
  after(Duration::ms(1));
  EXPECT_EQ(gateway_->subscribes, 2U);
  EXPECT_EQ(core_.stats().connections, 1U);
}

TEST_F(CorePlace, EverythingComesOnceThereIsOne) {
  const auto topic = refused(true);
  gateway_->refuse_subscribe.reset();
  state_.topics["model"].sum = {7, 7, 7, 7};
  state_.topics["model"].accepted = 1;
  after(Duration::seconds(1));
  EXPECT_FALSE(core_.lacks_place(topic));
  EXPECT_EQ(core_.next_wakeup(), Instant::never());
  gateway_->deliver();
  settle();
  std::vector<std::int64_t> sum(4);
  core_.sum(topic)->copy(0, sum);
  EXPECT_EQ(sum, (std::vector<std::int64_t>{7, 7, 7, 7}));
  EXPECT_FALSE(core_.take_restart(topic));
}

// They are in the sums that come, and the application has them already.
TEST_F(CorePlace, WhatItPublishedMeanwhileComesWithARestart) {
  const auto topic = refused(true);
  publish(topic, {1.0F});
  settle();
  gateway_->refuse_subscribe.reset();
  after(Duration::seconds(1));
  EXPECT_TRUE(core_.take_restart(topic));
  core_.pump(now_);
  settle();
  gateway_->deliver();
  settle();
  std::vector<std::int64_t> sum(4);
  core_.sum(topic)->copy(0, sum);
  EXPECT_EQ(sum[0], 1024);
}

TEST_F(CorePlace, WhatItPublishedMeanwhileComesWithARestartOfCallbacks) {
  connect();
  gateway_->refuse_subscribe = "no room";
  const auto topic = declare(4);
  ASSERT_TRUE(core_.subscribe(topic, Core::Subscription::kCallback, false));
  settle();
  publish(topic, {1.0F});
  settle();
  gateway_->refuse_subscribe.reset();
  after(Duration::seconds(1));
  ASSERT_EQ(events_.size(), 1U);
  EXPECT_TRUE(std::holds_alternative<Restart>(events_[0]));
  core_.restart_told(topic);
  core_.pump(now_);
  settle();
  gateway_->deliver();
  settle();
  std::vector<std::int64_t> got(1);
  received_.copy(0, got);
  EXPECT_EQ(got[0], 1024);
}

// The gateway answers a wait that it had been sent behind the subscription; nothing was delivered.
TEST_F(CorePlace, NoClockIsReachedWithoutOne) {
  connect();
  gateway_->refuse_subscribe = "no room";
  const auto topic = declare(4);
  ASSERT_TRUE(core_.subscribe(topic, Core::Subscription::kPolled, false));
  const auto wait = core_.start_wait(topic, 1, now_ + Duration::seconds(60));
  settle();
  ASSERT_EQ(gateway_->waits.size(), 1U);
  EXPECT_FALSE(core_.take_wait(wait)) << "its changes are not here";
  after(Duration::seconds(1));
  EXPECT_FALSE(core_.take_wait(wait));
  gateway_->refuse_subscribe.reset();
  after(Duration::seconds(1));
  const auto outcome = core_.take_wait(wait);
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->kind, ClockOutcome::Kind::kOk);
}

// It had one, and the gateway's new state has not.
TEST_F(CorePlace, IsLostWithTheStateAndRestartsWithTheNextOne) {
  const auto topic = subscribed_publisher(4);
  disconnect();
  state_ = {.incarnation = {2, 9}, .topics = {}};
  connect();
  gateway_->refuse_subscribe = "no room";
  settle();
  EXPECT_TRUE(core_.lacks_place(topic));
  EXPECT_FALSE(core_.take_restart(topic)) << "what it has is what it had";
  gateway_->refuse_subscribe.reset();
  after(Duration::seconds(1));
  EXPECT_TRUE(core_.take_restart(topic));
  EXPECT_FALSE(core_.lacks_place(topic));
}

TEST_F(CorePlace, IsAskedForAtOnceOnAnotherConnection) {
  const auto topic = refused();
  disconnect();
  connect();
  settle();
  EXPECT_FALSE(core_.lacks_place(topic));
  EXPECT_EQ(gateway_->subscribes, 1U) << "over this connection";
}

}  // namespace
}  // namespace godwit::client

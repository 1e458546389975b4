// When a subscription begins, and when it begins again.
#include <vector>

#include <gtest/gtest.h>

#include "tests/api/client/core_fixture.h"

namespace godwit::client {
namespace {

class CoreRestart : public CoreTest {
 protected:
  // The connection ends, and all that the gateway knew is gone.
  void lose_state() {
    disconnect();
    state_ = {.incarnation = {2, 9}, .topics = {}};
  }
  // The connection ends, the gateway closes the lanes with it, and there is another one.
  void reconnect_without_lane() {
    disconnect();
    state_.topics["model"].lanes.clear();
    connect();
    settle();
  }
  // A poll says that the topic has restarted, and nothing else.
  void expect_restart(std::uint32_t topic) {
    bool restarted = false;
    EXPECT_TRUE(core_.has_pending(topic));
    EXPECT_TRUE(polled(topic, restarted).empty());
    EXPECT_TRUE(restarted);
  }
  // Whether a poll hands out changes; it says nothing of a restart.
  bool has_changes(std::uint32_t topic) {
    bool restarted = true;
    const bool any = !polled(topic, restarted).empty();
    EXPECT_FALSE(restarted);
    return any;
  }
};

TEST_F(CoreRestart, StartsAgainFromZeroWhenTheGatewayLostItsState) {
  const auto topic = subscribed_publisher(100);
  gateway_->deliver();
  settle();
  lose_state();
  connect();
  settle();
  std::vector<std::int64_t> sum(100, -1);
  core_.sum(topic)->copy(0, sum);
  EXPECT_EQ(sum, std::vector<std::int64_t>(100, 0));
  expect_restart(topic);
  // The new life counts its transfers from 1 again.
  publish(topic, std::vector<float>(100, 2.0F));
  settle();
  gateway_->deliver();
  settle();
  core_.sum(topic)->copy(0, sum);
  EXPECT_EQ(sum, std::vector<std::int64_t>(100, 2048));
}

// The gateway closed its lane while it was away: the new one brings its own changes as well.
TEST_F(CoreRestart, StartsAgainFromZeroWhenItHadOnlyPublishedAndItsLaneIsGone) {
  const auto topic = subscribed_publisher(100);
  EXPECT_FALSE(core_.has_pending(topic));
  reconnect_without_lane();
  expect_restart(topic);
}

// The connection ended before the answer came, and the gateway closed the lane with it: the new one
// brings its own publish.
TEST_F(CoreRestart, StartsAgainFromZeroWhenItNeverHeardOfALaneThatIsGone) {
  connect();
  const auto topic = declare(10);
  settle();
  ASSERT_TRUE(core_.subscribe(topic, Core::Subscription::kPolled, false));
  publish(topic, {1.0F});
  gateway_->serve();
  reconnect_without_lane();
  expect_restart(topic);
}

// The application cannot tell what of its own is in the sums that come again: all that it published
// before it knew of the restart, and nothing that it published later.
TEST_F(CoreRestart, BeginsAgainBehindWhatWasPublishedBeforeTheRestartWasKnown) {
  const auto topic = subscribed_publisher(100);
  lose_state();
  publish(topic, {1.0F});
  connect();
  gateway_->skip_safe = true;
  settle();
  publish(topic, {1.0F});
  core_.tick(topic, 7);
  const std::uint64_t request = core_.start_wait(topic, 7, now_ + Duration::seconds(8));
  gateway_->deliver();
  settle();
  EXPECT_EQ(accepted(topic), 1U) << "the later one waits until the first is answered";
  EXPECT_TRUE(gateway_->waits.empty()) << "its changes come again";
  disconnect();
  connect();
  settle();
  EXPECT_EQ(gateway_->accepted_at_subscribe, 1U);
  EXPECT_EQ(gateway_->accepted_at_tick, 2U);
  EXPECT_TRUE(core_.take_wait(request)) << "though nobody has polled";
  gateway_->deliver();
  settle();
  // Only now does the application know, and it has published meanwhile.
  const Incarnation before = gateway_->last_subscribe->incarnation;
  expect_restart(topic);
  const std::uint64_t later = publish(topic, {1.0F});
  settle();
  EXPECT_NE(gateway_->last_subscribe->incarnation, before);
  EXPECT_EQ(gateway_->last_subscribe->from, Incarnation{});
  EXPECT_EQ(gateway_->accepted_at_subscribe, 2U);
  EXPECT_EQ(safe(topic, later), Outcome::kReached);
  gateway_->deliver();
  settle();
  EXPECT_TRUE(has_changes(topic));
}

TEST_F(CoreRestart, BeginsAgainOnceWhenNothingWasPublishedBeforeThePoll) {
  const auto topic = subscribed_publisher(100);
  lose_state();
  publish(topic, {1.0F});
  connect();
  settle();
  gateway_->deliver();
  settle();
  expect_restart(topic);
  settle();
  EXPECT_TRUE(has_changes(topic)) << "what came again is there already";
}

// What the gateway said of the former one is on its way.
TEST_F(CoreRestart, TakesNothingOfASubscriptionThatItHasGivenUp) {
  const auto topic = subscribed_publisher(100);
  lose_state();
  connect();
  settle();
  publish(topic, std::vector<float>(100, 1.0F));
  settle();
  gateway_->deliver();
  expect_restart(topic);
  core_.pump(now_);  // asks again, and then reads what was sent before that
  settle();
  EXPECT_FALSE(has_changes(topic));
  gateway_->deliver();
  settle();
  std::vector<std::int64_t> sum(100);
  core_.sum(topic)->copy(0, sum);
  EXPECT_EQ(sum, std::vector<std::int64_t>(100, 1024));
}

TEST_F(CoreRestart, SubscribesBehindWhatItHasPublished) {
  connect();
  const auto topic = declare(10);
  publish(topic, {1.0F});  // waits until the topic is open
  ASSERT_TRUE(core_.subscribe(topic, Core::Subscription::kPolled, false));
  publish(topic, {1.0F});
  settle();
  ASSERT_TRUE(gateway_->last_subscribe);
  EXPECT_EQ(gateway_->accepted_at_subscribe, 1U);
  EXPECT_EQ(accepted(topic), 2U);
}

}  // namespace
}  // namespace godwit::client

// What a topic of several shards keeps over lost connections, lost shards and other workers.
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/api/client/spread_fixture.h"

namespace godwit::client {
namespace {

class SpreadMoves : public SpreadTest {
 protected:
  // Four shards over `workers`, subscribed with a callback and a sum, one publish merged, received.
  std::uint32_t subscribed(std::uint32_t workers) {
    const auto topic = four_shards(workers);
    EXPECT_TRUE(spread_.subscribe(topic, Subscription::kCallback, true));
    publish_ramp(topic, 0, 8 * kTile);
    settle_delivered();
    EXPECT_EQ(received(topic), gateway_sum(topic));
    return topic;
  }
  void settle_delivered() {
    settle();
    workers_.deliver();
    settle();
  }
  std::vector<std::int64_t> kept_sum(std::uint32_t topic) {
    std::vector<std::int64_t> whole(spread_.sharding(topic).element_count);
    EXPECT_TRUE(spread_.copy_sum(topic, 0, whole));
    return whole;
  }
  // Polls: the changes as a whole topic, and whether everything starts again.
  std::vector<std::int64_t> polled(std::uint32_t topic, bool& restarted) {
    SumBlocks blocks = spread_.take_pending(topic, restarted);
    BlockSums sums;
    for (const auto& [number, block] : blocks) {
      sums.add(number * kBlockElements + block->low, block->touched());
    }
    spread_.recycle(topic, std::move(blocks));
    std::vector<std::int64_t> whole(spread_.sharding(topic).element_count);
    sums.copy(0, whole);
    return whole;
  }
  // The worker of a shard dies and has lost the shard's state when it is back.
  void lose_shard(std::uint32_t shard) {
    workers_.disconnect(now_, worker_of(TopicId::of("model"), shard, workers_.count));
    state_.lose(fmt::format("model.{}", shard));
  }
};

TEST_F(SpreadMoves, APollGivesTheChangesOfAllShardsAndGivesEachOnce) {
  const auto topic = four_shards(2);
  ASSERT_TRUE(spread_.subscribe(topic, Subscription::kPolled, true));
  EXPECT_FALSE(spread_.subscribe(topic, Subscription::kPolled, true));
  EXPECT_FALSE(spread_.has_pending(topic));
  std::vector<std::int64_t> before(spread_.sharding(topic).element_count);
  for (std::uint64_t round = 0; round < 3; ++round) {  // later rounds have recycled blocks
    publish_ramp(topic, kTile - 50 + round * 4096, 4 * kTile);
    settle_delivered();
    ASSERT_TRUE(spread_.has_pending(topic));
    bool restarted = true;
    auto now = polled(topic, restarted);
    for (std::size_t i = 0; i < now.size(); ++i) {
      now[i] += before[i];
    }
    ASSERT_EQ(now, gateway_sum(topic)) << round;
    EXPECT_EQ(kept_sum(topic), now);
    EXPECT_FALSE(restarted);
    EXPECT_FALSE(spread_.has_pending(topic));
    before = now;
  }
  std::vector<std::int64_t> some(3 * kTile);
  ASSERT_TRUE(spread_.copy_sum(topic, kTile + 5, some));
  EXPECT_EQ(some,
            std::vector<std::int64_t>(before.begin() + kTile + 5, before.begin() + 4 * kTile + 5));
}

TEST_F(SpreadMoves, OneConnectionThatEndsStopsNothingOnTheOthers) {
  const auto topic = subscribed(4);
  const std::uint32_t cut = worker_of(TopicId::of("model"), 2, 4);
  workers_.disconnect(now_, cut);
  EXPECT_FALSE(spread_.is_ready());
  const auto number = publish_ramp(topic, 0, 8 * kTile);
  const auto elsewhere = publish_ramp(topic, 0, 2 * kTile);
  for (int turn = 0; turn < 10; ++turn) {  // nobody dials
    workers_.serve();
    workers_.receive(now_);
    spread_.pump(now_);
  }
  EXPECT_EQ(safe(topic, elsewhere), Outcome::kReached);
  EXPECT_EQ(safe(topic, number), std::nullopt);
  settle_delivered();
  EXPECT_EQ(safe(topic, number), Outcome::kReached);
  EXPECT_EQ(spread_.stats().connections, 5U);
  EXPECT_EQ(received(topic), gateway_sum(topic));
  EXPECT_EQ(gateway_sum(topic)[2 * kTile], 2 * static_cast<std::int64_t>(2 * kTile + 1));
  EXPECT_EQ(workers_.restarts, 0);
}

TEST_F(SpreadMoves, PartsMoveToOtherWorkersWithAllThatTheyHold) {
  const auto topic = subscribed(4);
  for (const std::uint32_t workers : {2U, 1U, 8U, 4U}) {
    SCOPED_TRACE(workers);
    workers_.skip_safe = true;  // merged, and the answer is lost
    workers_.disconnect_all(now_);
    settle();
    const auto merged = publish_ramp(topic, kTile, 4 * kTile);
    settle();
    EXPECT_EQ(safe(topic, merged), std::nullopt);
    workers_.skip_safe = false;
    workers_.disconnect_all(now_);
    workers_.count = workers;
    const auto waiting = publish_ramp(topic, 7, 3 * kTile);
    settle_delivered();
    EXPECT_EQ(spread_.workers(), workers);
    EXPECT_TRUE(spread_.is_ready());
    EXPECT_EQ(safe(topic, merged), Outcome::kReached);
    EXPECT_EQ(safe(topic, waiting), Outcome::kReached);
    EXPECT_EQ(spread_.stats().unsafe_bytes, 0U);
    EXPECT_EQ(received(topic), gateway_sum(topic));
    EXPECT_EQ(kept_sum(topic), gateway_sum(topic));
    EXPECT_EQ(spread_.topic_state(topic), TopicState::kOpen);
  }
  EXPECT_EQ(workers_.restarts, 0) << "frontiers are kept";
  const auto sum = gateway_sum(topic);
  const auto at = [](std::uint64_t element, int times) {
    return times * static_cast<std::int64_t>(element + 1);
  };
  EXPECT_EQ(sum[7], at(7, 5));
  EXPECT_EQ(sum[2 * kTile], at(2 * kTile, 9));
  EXPECT_EQ(sum[4 * kTile], at(4 * kTile, 5));
  EXPECT_EQ(spread_.stats().publishes, 9U);
  EXPECT_EQ(spread_.stats().publishes_safe, 9 * 4U) << "by shard, of Cores that are gone too";
}

TEST_F(SpreadMoves, AWaitForAClockMovesWithItsTopic) {
  const auto topic = four_shards(4);
  for (std::uint32_t worker = 1; worker < 4; ++worker) {
    workers_.gateway(worker).answer_waits = false;
  }
  const auto request = spread_.start_wait(topic, 5, now_ + Duration::seconds(1000));
  const auto cancelled = spread_.start_wait(topic, 6, now_ + Duration::seconds(1000));
  settle();
  EXPECT_FALSE(spread_.take_wait(request));
  spread_.cancel_wait(cancelled);
  workers_.disconnect_all(now_);
  workers_.count = 2;
  settle();
  const auto outcome = spread_.take_wait(request);
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->kind, ClockOutcome::Kind::kOk);
  const auto asked = workers_.gateway(0).waits.size() + workers_.gateway(1).waits.size();
  EXPECT_EQ(asked, 3U) << "one shard had answered";
}

TEST_F(SpreadMoves, WhoComesBackFirstWithAnotherNumberOfWorkersIsBelieved) {
  const auto topic = four_shards(4);
  workers_.disconnect(now_, 1);
  workers_.count = 2;  // the others have not noticed yet
  workers_.connect(now_, 1);
  workers_.serve();
  workers_.receive(now_);
  workers_.serve();
  EXPECT_EQ(workers_.gateway(1).records, 1U) << "Hello; nothing is declared to the wrong worker";
  EXPECT_EQ(spread_.next_dial(1), Instant::never()) << "nobody dials while parts move";
  for (const std::uint32_t worker : {0U, 1U, 2U, 3U}) {
    EXPECT_NE(spread_.failure(now_, worker), "") << worker;
    EXPECT_LE(spread_.next_wakeup(worker), now_) << "its owner must not sleep";
  }
  settle();
  EXPECT_EQ(spread_.workers(), 2U);
  publish_ramp(topic, 0, 8 * kTile);
  settle();
  EXPECT_EQ(spread_.unsafe_count(), 0U);
}

// Shard 3 has two of the topic's eight and a half tiles.
TEST_F(SpreadMoves, ATransferBeyondTheEndOfTheShardEndsItsConnection) {
  const auto topic = four_shards(4);
  ASSERT_TRUE(spread_.subscribe(topic, Subscription::kCallback, true));
  settle();
  const std::uint32_t worker = worker_of(TopicId::of("model"), 3, 4);
  const auto send = [&](std::uint64_t first, std::uint64_t k) {
    std::vector<std::uint64_t> words(16);
    local::TransferWriter writer(
        std::as_writable_bytes(std::span(words)), local::TopicHandle{0}, 0, k);
    EXPECT_TRUE(writer.add(first, std::vector<std::int64_t>{5}));
    EXPECT_TRUE(local::send_transfer(workers_.channel(worker), writer.finish()));
    workers_.receive(now_);
  };
  send(2 * kTile - 1, 1);
  EXPECT_EQ(spread_.failure(now_, worker), "");
  EXPECT_EQ(kept_sum(topic)[8 * kTile - 1], 5);
  send(2 * kTile, 2);
  EXPECT_THAT(spread_.failure(now_, worker), ::testing::HasSubstr("beyond the end of the topic"));
}

// ---- a shard whose state was lost -------------------------------------------------------------

TEST_F(SpreadMoves, OneShardThatStartsAgainIsOneRestartOfTheWholeTopic) {
  const auto topic = subscribed(4);
  int restarts = 0;
  for (const std::uint32_t workers : {1U, 2U, 4U}) {
    SCOPED_TRACE(workers);
    workers_.disconnect_all(now_);
    workers_.count = workers;
    settle();
    publish_ramp(topic, 0, 8 * kTile);
    settle_delivered();
    lose_shard(2);
    settle_delivered();
    EXPECT_EQ(workers_.restarts, ++restarts);
    EXPECT_EQ(gateway_sum(topic)[2 * kTile], 0);
    EXPECT_EQ(gateway_sum(topic)[kTile], (restarts + 1) * static_cast<std::int64_t>(kTile + 1));
    EXPECT_EQ(received(topic), gateway_sum(topic));
    EXPECT_EQ(kept_sum(topic), gateway_sum(topic));
  }
}

TEST_F(SpreadMoves, AShardThatWasRefusedGoesOnWithTheOthersWhenItIsDeclaredAgain) {
  const auto topic = subscribed(2);
  for (const std::uint32_t refused : {0U, 2U}) {
    SCOPED_TRACE(refused);
    workers_.disconnect_all(now_);
    for (const std::uint32_t worker : {0U, 1U}) {
      workers_.connect(now_, worker);
    }
    workers_.gateway_of("model", refused).refuse_declare = "no memory";
    settle();
    EXPECT_TRUE(spread_.is_failed(topic));
    workers_.gateway_of("model", refused).refuse_declare.reset();
    ASSERT_EQ(declare(4, 8 * kTile + kTile / 2), topic);
    publish_ramp(topic, 0, 8 * kTile);
    settle_delivered();
    EXPECT_EQ(received(topic), kept_sum(topic));
    EXPECT_EQ(received(topic), gateway_sum(topic));
    EXPECT_EQ(workers_.restarts, 0);
    EXPECT_TRUE(workers_.failures.empty());
    EXPECT_FALSE(spread_.subscribe(topic, Subscription::kCallback, true));
  }
}

TEST_F(SpreadMoves, AllShardsThatStartAgainTogetherAreOneRestart) {
  const auto topic = subscribed(2);
  workers_.disconnect_all(now_);
  for (const std::uint32_t shard : {0U, 1U, 2U, 3U}) {
    state_.lose(fmt::format("model.{}", shard));
  }
  settle_delivered();
  EXPECT_EQ(workers_.restarts, 1);
  EXPECT_EQ(received(topic), gateway_sum(topic));
}

// All places may be contested then.
TEST_F(SpreadMoves, WhatStartsAgainTakesItsPlaceInTheFirstShardBeforeItAsksForTheOthers) {
  const auto topic = subscribed(2);
  workers_.disconnect_all(now_);
  for (const std::uint32_t shard : {0U, 1U, 2U, 3U}) {
    state_.lose(fmt::format("model.{}", shard));
  }
  for (const std::uint32_t worker : {0U, 1U}) {
    workers_.connect(now_, worker);
  }
  workers_.gateway_of("model", 0).refuse_subscribe = "all 24 places are taken";
  for (int turn = 0; turn < 10; ++turn) {  // half a second, in which nobody asks again
    workers_.serve();
    workers_.receive(now_);
    spread_.pump(now_);
    now_ += Duration::ms(50);
  }
  EXPECT_EQ(workers_.restarts, 1);
  EXPECT_EQ(workers_.gateway(0).subscribes + workers_.gateway(1).subscribes, 5U)
      << "all four of the old life, and the first again";
  workers_.gateway_of("model", 0).refuse_subscribe.reset();
  settle_delivered();
  EXPECT_EQ(received(topic), gateway_sum(topic));
}

TEST_F(SpreadMoves, APollSaysOnceThatATopicStartsAgainAndThenGivesEverything) {
  const auto topic = four_shards(2);
  ASSERT_TRUE(spread_.subscribe(topic, Subscription::kPolled, false));
  publish_ramp(topic, 0, 8 * kTile);
  settle_delivered();
  bool restarted = true;
  EXPECT_EQ(polled(topic, restarted), gateway_sum(topic));
  EXPECT_FALSE(restarted);
  publish_ramp(topic, 0, 4 * kTile);  // is in `pending` when the shard is lost
  settle_delivered();
  lose_shard(1);
  workers_.connect(now_, worker_of(TopicId::of("model"), 1, 2));
  workers_.serve();
  workers_.receive(now_);
  workers_.serve();
  workers_.receive(now_);
  EXPECT_EQ(polled(topic, restarted), std::vector<std::int64_t>(8 * kTile + kTile / 2))
      << "what comes again is not given before";
  EXPECT_TRUE(restarted);
  settle_delivered();
  EXPECT_EQ(polled(topic, restarted), gateway_sum(topic));
  EXPECT_FALSE(restarted);
  publish_ramp(topic, 0, 10);
  settle_delivered();
  EXPECT_EQ(polled(topic, restarted)[9], 10);
  EXPECT_FALSE(restarted);
}

// No change of the old life of shard 1 may follow the restart that shard 0 told: they come again.
TEST_F(SpreadMoves, AfterARestartNothingComesThatWasOnItsWay) {
  const auto topic = subscribed(2);
  publish_ramp(topic, kTile, kTile);
  settle();
  lose_shard(0);
  workers_.deliver();  // shard 1's change lies in the ring of the other worker
  workers_.connect(now_, worker_of(TopicId::of("model"), 0, 2));
  workers_.serve();
  for (int turn = 0; turn < 3; ++turn) {
    workers_.receive(now_);
    spread_.pump(now_);
    workers_.serve();
  }
  EXPECT_EQ(workers_.restarts, 1);
  settle_delivered();
  EXPECT_EQ(workers_.restarts, 1);
  EXPECT_EQ(received(topic), gateway_sum(topic));
  EXPECT_EQ(kept_sum(topic), gateway_sum(topic));
}

// What one shard has answered is true no longer when its changes come again.
TEST_F(SpreadMoves, AClockIsAskedForAgainOfAllShardsAfterARestart) {
  const auto topic = subscribed(2);
  publish_ramp(topic, 0, 8 * kTile);
  settle_delivered();
  const std::uint32_t other = 1 - worker_of(TopicId::of("model"), 0, 2);
  workers_.gateway(other).answer_waits = false;
  const auto request = spread_.start_wait(topic, 7, now_ + Duration::seconds(100));
  settle();
  EXPECT_FALSE(spread_.take_wait(request));
  const auto& asked = workers_.gateway(1 - other).waits;
  const std::size_t before = asked.size();
  lose_shard(1);
  settle();
  EXPECT_EQ(workers_.restarts, 1);
  EXPECT_EQ(asked.size(), 2 * before);
  EXPECT_TRUE(spread_.take_wait(request));
}

TEST_F(SpreadMoves, ARestartNeedsNoConnectionOfItsOwn) {
  const auto topic = four_shards(4);
  ASSERT_TRUE(spread_.subscribe(topic, Subscription::kCallback, false));
  publish_ramp(topic, 2 * kTile, 10);  // of shard 2 alone
  settle_delivered();
  const auto connections = spread_.stats().connections;
  lose_shard(2);
  settle_delivered();
  EXPECT_EQ(workers_.restarts, 1);
  EXPECT_EQ(spread_.stats().connections, connections + 1) << "of the worker that lost it";
}

}  // namespace
}  // namespace godwit::client

#include "api/client/core.h"

#include <cmath>
#include <limits>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/api/client/core_fixture.h"

namespace godwit::client {
namespace {

TEST_F(CoreTest, APublishBecomesSafeAndIsMergedOnce) {
  connect();
  const auto topic = declare(1000);
  settle();
  EXPECT_EQ(core_.topic_state(topic), TopicState::kOpen);
  EXPECT_EQ(core_.memory_bound(topic), 123U);
  const auto number = publish(topic, {1.0F, 2.5F}, 10);
  EXPECT_EQ(core_.outcome(topic, number, Level::kAccepted, {}), Outcome::kReached);
  EXPECT_FALSE(safe(topic, number));
  settle();
  EXPECT_EQ(safe(topic, number), Outcome::kReached);
  const auto& sum = state_.topics["model"].sum;
  EXPECT_EQ(sum[10], 1024);
  EXPECT_EQ(sum[11], 2560);
  EXPECT_EQ(std::accumulate(sum.begin(), sum.end(), std::int64_t{0}), 1024 + 2560);
  EXPECT_EQ(core_.stats().unsafe_bytes, 0U);
}

TEST_F(CoreTest, APublishLargerThanTheRingGoesThroughInPieces) {
  connect({.to_gateway_bytes = 4096});
  const auto topic = declare(50'000);
  settle();
  std::vector<float> values(50'000);
  std::iota(values.begin(), values.end(), 0.0F);
  const auto number = publish(topic, values);
  settle();
  EXPECT_EQ(safe(topic, number), Outcome::kReached);
  for (std::size_t i = 0; i < values.size(); ++i) {
    ASSERT_EQ(state_.topics["model"].sum[i], static_cast<std::int64_t>(i) * 1024);
  }
}

TEST_F(CoreTest, ResendsWhatIsNotSafeUnderTheSameNumber) {
  connect();
  const auto topic = declare(10);
  settle();
  gateway_->skip_safe = true;  // merged, but the answer is lost with the gateway
  const auto number = publish(topic, {1.0F});
  settle();
  EXPECT_FALSE(safe(topic, number));
  disconnect();
  connect();
  settle();
  EXPECT_EQ(safe(topic, number), Outcome::kReached);
  EXPECT_EQ(state_.topics["model"].sum[0], 1024) << "merged twice or never";
  EXPECT_EQ(core_.stats().publishes_resent, 1U);
}

// The gateway dies after every possible number of records; the sum is right every time.
TEST_F(CoreTest, AConnectionMayEndAfterAnyRecord) {
  for (int cut = 0; cut < 40; ++cut) {
    ToyState state;
    Core core{{.name = "t", .publisher = PublisherId(1), .incarnation = {1, 1}, .seed = 1}};
    const auto topic = *core.declare({.name = "model", .element_count = 2000, .fraction_bits = 0});
    for (std::uint64_t i = 0; i < 3; ++i) {
      const std::vector<float> values(2000, static_cast<float>(i + 1));
      Publish publish{.count = values.size()};
      const auto bytes = std::as_bytes(std::span(values));
      publish.values.assign(bytes.begin(), bytes.end());
      core.reserve(publish.cost());
      core.publish(topic, std::move(publish));
    }
    for (int life = 0; life < 2; ++life) {
      local::MemoryLink link({.to_gateway_bytes = 4096});
      ToyGateway gateway(state, link.gateway_end());
      core.on_connected(now_, link.client_end());
      for (int budget = life == 0 ? cut : 10'000; budget > 0;) {
        const int taken = gateway.serve(1);
        budget = taken == 0 ? 0 : budget - 1;
        while (core.receive(now_)) {
        }
        core.pump(now_);
      }
      core.on_disconnected(now_, "cut");
    }
    EXPECT_EQ(core.unsafe_count(), 0U) << "cut after " << cut;
    for (const std::int64_t sum : state.topics["model"].sum) {
      ASSERT_EQ(sum, 1 + 2 + 3) << "cut after " << cut;
    }
  }
}

TEST_F(CoreTest, ARepeatedStepIsADuplicate) {
  connect();
  const auto topic = declare(10);
  const auto first = publish(topic, {1.0F}, 0, 7);
  const auto second = publish(topic, {1.0F}, 0, 7);
  settle();
  EXPECT_EQ(safe(topic, first), Outcome::kReached);
  EXPECT_EQ(safe(topic, second), Outcome::kDuplicate);
  EXPECT_EQ(state_.topics["model"].sum[0], 1024);
}

TEST_F(CoreTest, ANanIsRefusedWithItsIndexAndValue) {
  connect();
  const auto topic = declare(10);
  const auto number = publish(topic, {1.0F, std::numeric_limits<float>::quiet_NaN()}, 4);
  settle();
  EXPECT_EQ(safe(topic, number), Outcome::kRefused);
  EXPECT_EQ(core_.detail(topic, number), "element 5: nan");
  EXPECT_EQ(core_.stats().unsafe_bytes, 0U);
  EXPECT_EQ(state_.topics["model"].sum[4], 0);
}

TEST_F(CoreTest, ATickFollowsThePublishesMadeBeforeItAlsoAfterAReconnection) {
  connect();
  const auto topic = declare(10);
  settle();
  gateway_->skip_safe = true;
  publish(topic, {1.0F});
  core_.tick(topic, 1);
  publish(topic, {1.0F});
  core_.tick(topic, 2);
  disconnect();
  connect({.to_gateway_bytes = 1024});
  settle();
  EXPECT_EQ(state_.topics["model"].clock, 2U);
  EXPECT_EQ(state_.topics["model"].sum[0], 2048);
  EXPECT_EQ(gateway_->ticks, 1U) << "only the last clock matters";
}

TEST_F(CoreTest, ASubscriberReceivesEachTransferOnceAndAnswersWithReceipts) {
  connect();
  const auto topic = declare(500);
  ASSERT_TRUE(core_.subscribe(topic, Core::Subscription::kCallback, true));
  settle();
  publish(topic, std::vector<float>(500, 1.0F));
  settle();
  gateway_->deliver();
  settle();
  EXPECT_EQ(events_.size(), 5U);
  EXPECT_EQ(gateway_->receipts[0], 5U);
  std::vector<std::int64_t> sum(500);
  core_.sum(topic)->copy(0, sum);
  EXPECT_EQ(sum, std::vector<std::int64_t>(500, 1024));
}

TEST_F(CoreTest, ResumesItsLaneAndSkipsWhatItHas) {
  connect();
  const auto topic = declare(500);
  ASSERT_TRUE(core_.subscribe(topic, Core::Subscription::kPolled, true));
  settle();
  gateway_->resend_all = true;
  publish(topic, std::vector<float>(500, 1.0F));
  settle();
  gateway_->deliver();
  settle();
  disconnect();
  connect();
  gateway_->resend_all = true;
  settle();
  ASSERT_TRUE(gateway_->last_subscribe);
  EXPECT_EQ(gateway_->last_subscribe->from, state_.incarnation);
  ASSERT_EQ(gateway_->last_subscribe->resume.size(), 1U);
  EXPECT_EQ(gateway_->last_subscribe->resume[0].frontier, 5U);
  EXPECT_EQ(core_.stats().transfers_skipped, 5U);
  EXPECT_EQ(gateway_->receipts[0], 5U) << "what is skipped is receipted again";
  bool restarted = true;
  const SumBlocks blocks = polled(topic, restarted);
  EXPECT_FALSE(restarted);
  ASSERT_EQ(blocks.size(), 1U);
  EXPECT_EQ(blocks.begin()->second->touched().size(), 500U);
  for (const std::int64_t delta : blocks.begin()->second->touched()) {
    ASSERT_EQ(delta, 1024) << "delivered twice";
  }
}

// The gateway knows the lane again in the client's next process, whatever that declares before it.
TEST_F(CoreTest, NumbersASubscriptionWithoutTheTopicsPlace) {
  connect();
  ASSERT_TRUE(core_.subscribe(declare(10, "first"), Core::Subscription::kPolled, false));
  settle();
  const SubscriberId first = gateway_->last_subscribe->subscriber;
  ASSERT_TRUE(core_.subscribe(declare(10, "second"), Core::Subscription::kPolled, false));
  settle();
  EXPECT_EQ(gateway_->last_subscribe->topic, local::TopicHandle{1});
  EXPECT_EQ(gateway_->last_subscribe->subscriber, first);
}

TEST_F(CoreTest, WaitsForNoMoreClocksAtOnceThanTheGatewayTakes) {
  connect();
  const auto topic = declare(10);
  settle();
  gateway_->answer_waits = false;
  std::vector<std::uint64_t> requests;
  for (std::size_t i = 0; i < local::kWaitsMax + 5; ++i) {
    requests.push_back(core_.start_wait(topic, 3, now_ + Duration::seconds(8)));
  }
  settle();
  EXPECT_EQ(gateway_->waits.size(), local::kWaitsMax);
  for (std::size_t i = 0; i < 2; ++i) {
    gateway_->say(local::ClockReached{.request = gateway_->waits[i].request});
  }
  settle();
  EXPECT_EQ(gateway_->waits.size(), local::kWaitsMax + 2);
}

TEST_F(CoreTest, ATickWaitsBehindPublishesThatFillTheRing) {
  connect({.to_gateway_bytes = 2048});
  const auto topic = declare(5000);
  settle();
  publish(topic, std::vector<float>(5000, 1.0F));
  publish(topic, std::vector<float>(5000, 1.0F));
  core_.tick(topic, 1);
  settle();
  EXPECT_EQ(gateway_->ticks, 1U);
  EXPECT_EQ(gateway_->accepted_at_tick, 2U);
}

TEST_F(CoreTest, SendsTheSeedOnlyToAGatewayThatWantsIt) {
  connect({.to_gateway_bytes = 2048});
  std::vector<float> seed(3000);
  std::iota(seed.begin(), seed.end(), 1.0F);
  const auto topic = core_.declare({.name = "seeded", .element_count = 3000, .seed = seed});
  ASSERT_TRUE(topic);
  core_.pump(now_);
  settle();
  EXPECT_EQ(state_.topics["seeded"].seed, seed);
  disconnect();
  connect();
  settle();
  EXPECT_EQ(state_.topics["seeded"].seed, seed) << "sent twice";
}

TEST_F(CoreTest, AClockWaitIsAnsweredOrNamesWhoIsMissing) {
  connect();
  const auto topic = declare(10);
  settle();
  const auto first = core_.start_wait(topic, 3, now_ + Duration::seconds(8));
  core_.pump(now_);
  settle();
  ASSERT_EQ(gateway_->waits.size(), 1U);
  EXPECT_EQ(gateway_->waits[0].deadline, Duration::ms(8000 - 20))
      << "20 ms are left for the answer";
  EXPECT_EQ(core_.take_wait(first)->kind, ClockOutcome::Kind::kOk);
  gateway_->missing = {"sin"};
  const auto second = core_.start_wait(topic, 4, now_ + Duration::seconds(8));
  core_.pump(now_);
  settle();
  const auto outcome = core_.take_wait(second);
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->kind, ClockOutcome::Kind::kPartial);
  EXPECT_EQ(outcome->missing, std::vector<std::string>{"sin"});
}

TEST_F(CoreTest, AnUnansweredClockWaitIsAskedAgainOfTheNextGateway) {
  connect();
  const auto topic = declare(10);
  settle();
  gateway_->answer_waits = false;
  const auto request = core_.start_wait(topic, 3, now_ + Duration::seconds(8));
  core_.pump(now_);
  settle();
  EXPECT_FALSE(core_.take_wait(request));
  disconnect();
  now_ = now_ + Duration::seconds(3);
  connect();
  settle();
  ASSERT_EQ(gateway_->waits.size(), 1U);
  EXPECT_EQ(gateway_->waits[0].deadline, Duration::ms(5000 - 20));
  EXPECT_TRUE(core_.take_wait(request));
}

TEST_F(CoreTest, KeepsNoMoreUnsafeBytesThanAllowed) {
  Core core({.publisher = PublisherId(1), .incarnation = {1, 1}, .unsafe_bytes_max = 10'000});
  const auto topic = *core.declare({.name = "m", .element_count = 1000});
  EXPECT_TRUE(core.has_room(topic, 9'000));
  EXPECT_FALSE(core.fits_ever(10'001));
  core.reserve(9'000);
  EXPECT_FALSE(core.has_room(topic, 1'001));
  EXPECT_TRUE(core.has_room(topic, 1'000));
}

TEST_F(CoreTest, RedialsWithinASecondForEver) {
  Core core({.publisher = PublisherId(1), .incarnation = {1, 1}, .seed = 3});
  Duration longest = Duration::zero();
  for (int i = 0; i < 1000; ++i) {
    core.on_dial_failed(now_, "no such file");
    EXPECT_GE(core.next_dial(), now_);
    longest = std::max(longest, core.next_dial() - now_);
  }
  EXPECT_LE(longest, Duration::seconds(1));
  EXPECT_GT(longest, Duration::ms(500));
}

TEST_F(CoreTest, LeavesAGatewayThatDoesNotAnswer) {
  connect();
  EXPECT_EQ(core_.failure(now_), "");
  now_ = core_.next_wakeup();
  EXPECT_EQ(core_.failure(now_), "the gateway did not answer Hello");
}

TEST_F(CoreTest, LeavesAGatewayThatBreaksTheRules) {
  const auto failure_after = [this](auto&& misbehave) {
    ToyState state;
    Core core({.publisher = PublisherId(1), .incarnation = {1, 1}, .seed = 3});
    local::MemoryLink link;
    ToyGateway gateway(state, link.gateway_end());
    const auto topic = *core.declare({.name = "m", .element_count = 100});
    EXPECT_TRUE(core.subscribe(topic, Core::Subscription::kPolled, false));
    core.on_connected(now_, link.client_end());
    gateway.serve();
    while (core.receive(now_)) {
    }
    gateway.serve();
    misbehave(link.gateway_end());
    while (core.receive(now_)) {
    }
    return core.failure(now_);
  };
  const auto transfer = [](std::uint32_t topic, std::uint64_t k, std::uint64_t first) {
    return [=](local::Channel& channel) {
      std::vector<std::uint64_t> words(16);
      local::TransferWriter writer(
          std::as_writable_bytes(std::span(words)), local::TopicHandle{topic}, 0, k);
      EXPECT_TRUE(writer.add(first, std::vector<std::int64_t>{1, 2}));
      EXPECT_TRUE(local::send_transfer(channel, writer.finish()));
    };
  };
  EXPECT_EQ(failure_after(transfer(0, 1, 98)), "");
  EXPECT_EQ(failure_after(transfer(0, 1, 99)),
            "the gateway sent changes beyond the end of the topic");
  EXPECT_EQ(failure_after(transfer(0, 2, 0)), "the gateway left out a transfer");
  EXPECT_EQ(failure_after(transfer(1, 1, 0)), "the gateway named a topic that was not declared");
  EXPECT_EQ(failure_after([](local::Channel& channel) {
              EXPECT_TRUE(local::send(channel, local::ErrorRecord{Code::kRefused, "not today"}));
            }),
            "not today");
  EXPECT_EQ(failure_after([](local::Channel& channel) { EXPECT_TRUE(channel.send(999, {})); }),
            "record type 999 is not one of a gateway's");
}

TEST_F(CoreTest, SaysGoodbyeOnlyWhenNothingIsUnsafe) {
  connect();
  const auto topic = declare(10);
  settle();
  publish(topic, {1.0F});
  settle();
  core_.leave(now_);
  gateway_->serve();
  EXPECT_TRUE(gateway_->said_goodbye);
}

}  // namespace
}  // namespace godwit::client

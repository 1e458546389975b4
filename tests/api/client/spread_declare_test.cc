// What may be declared as a topic of several shards, and what comes of a shard that is refused.
#include <numeric>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/api/client/spread_fixture.h"

namespace godwit::client {
namespace {

using ::testing::HasSubstr;

TEST_F(SpreadTest, RefusesShardsThatCannotBe) {
  settle();
  for (const std::uint32_t shards : {3U, 16U, 128U}) {
    const auto bad = spread_.declare({.name = "m", .element_count = 8 * kTile, .shards = shards});
    ASSERT_FALSE(bad) << shards;
    EXPECT_EQ(bad.error().code, Code::kInvalid);
    EXPECT_THAT(bad.error().message, HasSubstr("shards is"));
  }
  const auto topic = declare(4, 8 * kTile);
  EXPECT_EQ(*spread_.declare(
                {.name = "model", .element_count = 8 * kTile, .fraction_bits = 10, .shards = 4}),
            topic);
  EXPECT_FALSE(spread_.declare(
      {.name = "model", .element_count = 8 * kTile, .fraction_bits = 10, .shards = 2}));
}

TEST_F(SpreadTest, TopicsAndShardsTogetherAreBounded) {
  settle();
  for (int i = 0; i < 64; ++i) {
    const auto name = fmt::format("m{}", i);
    ASSERT_TRUE(spread_.declare({.name = name, .element_count = 64 * kTile, .shards = 64}));
  }
  const auto full = spread_.declare({.name = "one more", .element_count = 1});
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, Code::kFull);
}

TEST_F(SpreadTest, ATopicThatOneShardRefusesHasFailedUntilAnotherAttempt) {
  workers_.count = 4;
  settle();
  workers_.gateway_of("model", 2).refuse_declare = "no memory";
  const TopicOptions options{
      .name = "model", .element_count = 4 * kTile, .fraction_bits = 10, .shards = 4};
  const auto topic = spread_.declare(options);
  ASSERT_TRUE(topic);
  settle();
  EXPECT_TRUE(spread_.is_failed(*topic));
  EXPECT_EQ(spread_.topic_error(*topic).message, "shard 2: no memory");
  workers_.gateway_of("model", 2).refuse_declare.reset();
  ASSERT_EQ(*spread_.declare(options), *topic);
  settle();
  EXPECT_EQ(spread_.topic_state(*topic), TopicState::kOpen);
}

TEST_F(SpreadTest, ATopicThatFailedAndIsDeclaredAgainMayRepeatItsSteps) {
  const auto topic = four_shards(1);
  workers_.gateway(0).skip_safe = true;
  const auto values = std::vector<float>(1, 1.0F);
  const auto lost = publish(topic, values, 0, 5);
  settle();
  workers_.disconnect_all(now_);
  workers_.connect(now_, 0);
  workers_.gateway(0).refuse_declare = "no memory";
  settle();
  EXPECT_TRUE(spread_.is_failed(topic));
  EXPECT_EQ(safe(topic, lost), Outcome::kUnknown);
  workers_.gateway(0).refuse_declare.reset();
  ASSERT_EQ(declare(4, 8 * kTile + kTile / 2), topic);
  const auto again = publish(topic, values, 0, 5);
  settle();
  EXPECT_EQ(safe(topic, again), Outcome::kDuplicate) << "it had been merged";
}

TEST_F(SpreadTest, ATopicOfWhichAShardFailedMayRepeatItsSteps) {
  const auto topic = four_shards(2);
  publish_ramp(topic, 0, 10);
  const auto values = std::vector<float>(1, 1.0F);
  publish(topic, values, 0, 5);
  settle();
  workers_.disconnect_all(now_);
  workers_.connect(now_, 0);
  workers_.connect(now_, 1);
  workers_.gateway(1).refuse_declare = "no memory";
  settle();
  workers_.gateway(1).refuse_declare.reset();
  ASSERT_EQ(declare(4, 8 * kTile + kTile / 2), topic);
  const auto again = publish(topic, values, 0, 5);
  settle();
  EXPECT_EQ(safe(topic, again), Outcome::kDuplicate);
}

TEST_F(SpreadTest, ATopicIsDividedByDefaultWhereTheGatewayKnowsShards) {
  settle();
  EXPECT_EQ(spread_.sharding(declare(0, 128 * kTile)).shards, 4U);
  EXPECT_EQ(spread_.sharding(declare(0, 63 * kTile, "small")).shards, 1U);
}

TEST_F(SpreadTest, EachShardIsSentItsPartOfTheSeedAndTheHashOfTheWhole) {
  settle();
  std::vector<float> seed(5 * kTile + 7);
  std::iota(seed.begin(), seed.end(), 0.0F);
  const auto one = spread_.declare({.name = "one", .element_count = seed.size(), .seed = seed});
  const auto two =
      spread_.declare({.name = "two", .element_count = seed.size(), .shards = 2, .seed = seed});
  ASSERT_TRUE(one && two);
  settle();
  EXPECT_EQ(state_.topics.at("one").seed, seed);
  const auto& odd = state_.topics.at("two.1");
  EXPECT_EQ(odd.declared.seed_hash, state_.topics.at("one").declared.seed_hash);
  ASSERT_EQ(odd.seed.size(), 2 * kTile + 7);
  EXPECT_EQ(odd.seed[0], static_cast<float>(kTile));
  EXPECT_EQ(odd.seed[kTile], static_cast<float>(3 * kTile));
  EXPECT_EQ(odd.seed.back(), static_cast<float>(5 * kTile + 6));
  EXPECT_EQ(state_.topics.at("two.0").seed.size(), 3 * kTile);
}

TEST_F(SpreadTest, WhatTheFirstShardIsRefusedOpensNoOther) {
  workers_.count = 4;
  settle();
  workers_.gateway_of("model", 0).refuse_declare = "the element count differs";
  const auto topic = spread_.declare(
      {.name = "model", .element_count = 4 * kTile, .fraction_bits = 10, .shards = 4});
  ASSERT_TRUE(topic);
  settle();
  EXPECT_TRUE(spread_.is_failed(*topic));
  EXPECT_TRUE(state_.topics.empty()) << "no shard has been declared";
  workers_.gateway_of("model", 0).refuse_declare.reset();
  EXPECT_EQ(declare(4, 8 * kTile), *topic) << "of another shape it is a new topic";
  EXPECT_EQ(state_.topics.size(), 4U);
}

TEST_F(SpreadTest, HasFailedWhenAllShardsHaveAnswered) {
  workers_.count = 4;
  settle();
  const auto topic = spread_.declare(
      {.name = "model", .element_count = 4 * kTile, .fraction_bits = 10, .shards = 4});
  ASSERT_TRUE(topic);
  workers_.gateway_of("model", 1).refuse_declare = "no memory";
  spread_.pump(now_);
  workers_.serve();  // the first shard
  workers_.receive(now_);
  spread_.pump(now_);
  workers_.gateway_of("model", 1).serve();
  workers_.receive(now_);
  EXPECT_EQ(spread_.topic_state(*topic), TopicState::kOpening) << "two have not answered";
  settle();
  EXPECT_EQ(spread_.topic_state(*topic), TopicState::kFailed);
}

TEST_F(SpreadTest, WhileAnyShardIsOpenTheTopicIsDeclaredAsItWas) {
  const auto topic = four_shards(2);
  for (const bool has_failed : {false, true}) {
    if (has_failed) {
      workers_.disconnect_all(now_);
      workers_.connect(now_, 0);
      workers_.connect(now_, 1);
      workers_.gateway(1).refuse_declare = "no memory";
      settle();
      ASSERT_TRUE(spread_.is_failed(topic));
    }
    const auto narrower = spread_.declare({.name = "model",
                                           .element_count = 8 * kTile + kTile / 2,
                                           .fraction_bits = 10,
                                           .shards = 4,
                                           .allowed_sites = {"fra"}});
    ASSERT_FALSE(narrower);
    EXPECT_THAT(narrower.error().message, HasSubstr("allowed_sites differs"));
  }
}

}  // namespace
}  // namespace godwit::client

// One topic over several shards and workers: connections, publishes, subscriptions.
#include "api/client/spread.h"

#include <limits>
#include <numeric>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/api/client/spread_fixture.h"

namespace godwit::client {
namespace {

using ::testing::HasSubstr;

TEST_F(SpreadTest, WorkerZeroIsAskedFirstAndSaysHowManyThereAre) {
  workers_.count = 4;
  EXPECT_EQ(spread_.workers(), 1U);
  workers_.tend(now_);
  workers_.serve();
  workers_.receive(now_);
  EXPECT_EQ(spread_.workers(), 4U);
  EXPECT_FALSE(spread_.is_ready()) << "three are not connected";
  workers_.tend(now_);
  workers_.serve();
  workers_.receive(now_);
  EXPECT_TRUE(spread_.is_ready());
  EXPECT_EQ(spread_.stats().connections, 4U);
  EXPECT_EQ(spread_.site(), "fra");
}

TEST_F(SpreadTest, EachWorkerHearsOfItsOwnShardsAlone) {
  for (const std::uint32_t workers : {1U, 2U, 4U, 8U}) {
    SCOPED_TRACE(workers);
    Spread spread({.publisher = PublisherId(1), .incarnation = {1, 1}});
    ToyState state;
    Workers all(state, spread, workers);
    for (int turn = 0; turn < 4; ++turn) {
      all.tend(now_);
      all.serve();
      all.receive(now_);
    }
    const auto topic = spread.declare({.name = "m", .element_count = 64 * kTile, .shards = 8});
    ASSERT_TRUE(topic) << topic.error().message;
    for (int turn = 0; turn < 2; ++turn) {  // the first shard, then the others
      spread.pump(now_);
      all.serve();
      all.receive(now_);
    }
    EXPECT_EQ(spread.topic_state(*topic), TopicState::kOpen);
    EXPECT_EQ(spread.memory_bound(*topic), 8 * 123U);
    EXPECT_EQ(state.topics.size(), 8U);
    for (std::uint32_t shard = 0; shard < 8; ++shard) {
      const auto& told = state.topics.at(fmt::format("m.{}", shard)).declared;
      EXPECT_EQ(told.shards, 8U);
      EXPECT_EQ(told.shard, shard);
      EXPECT_EQ(told.element_count, 64 * kTile) << "the whole topic's";
    }
  }
}

TEST_F(SpreadTest, AWorkerThatAnswersInTheWrongPlaceIsLeft) {
  four_shards(2);
  workers_.disconnect(now_, 1);
  workers_.connect(now_, 1);
  workers_.gateway(1).worker = 0;
  workers_.serve();
  workers_.receive(now_);
  EXPECT_THAT(spread_.failure(now_, 1), HasSubstr("worker 0 of 2 answers where worker 1 of 2"));
}

TEST_F(SpreadTest, AGatewayThatKnowsNoShardsIsGivenWholeTopics) {
  workers_.knows_shards = false;
  settle();
  const auto refused = spread_.declare({.name = "model", .element_count = 64 * kTile, .shards = 2});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kUnsupported);
  EXPECT_EQ(spread_.sharding(declare(0, 64 * kTile)).shards, 1U);
  EXPECT_EQ(state_.topics.count("model"), 1U);
}

TEST_F(SpreadTest, AnOlderGatewayThatComesBackMergesNothingIntoTheWrongElements) {
  const auto topic = four_shards(1);
  workers_.disconnect_all(now_);
  workers_.knows_shards = false;
  publish_ramp(topic, 0, 10);
  for (int turn = 0; turn < 100; ++turn) {
    now_ += Duration::ms(50);
    workers_.tend(now_);
    workers_.serve();
    workers_.receive(now_);
  }
  ASSERT_FALSE(workers_.failures.empty());
  EXPECT_THAT(workers_.failures.back(), HasSubstr("has 4 shards, and the gateway knows none"));
  EXPECT_EQ(spread_.unsafe_count(), 1U);
  workers_.knows_shards = true;
  settle();
  EXPECT_EQ(spread_.unsafe_count(), 0U);
  EXPECT_EQ(gateway_sum(topic)[9], 10);
}

// ---- publishing -------------------------------------------------------------------------------

TEST_F(SpreadTest, EveryValueOfAPublishReachesItsElement) {
  for (const std::uint32_t workers : {1U, 2U, 4U}) {
    SCOPED_TRACE(workers);
    workers_.disconnect_all(now_);
    state_.topics.clear();
    const auto topic = four_shards(workers);
    const std::uint64_t first = kTile - 3;
    const std::uint64_t count = 5 * kTile + 10;
    const auto number = publish_ramp(topic, first, count);
    settle();
    EXPECT_EQ(safe(topic, number), Outcome::kReached);
    const auto sum = gateway_sum(topic);
    for (std::uint64_t element = 0; element < sum.size(); ++element) {
      const bool inside = element >= first && element < first + count;
      ASSERT_EQ(sum[element], inside ? static_cast<std::int64_t>(element + 1) : 0) << element;
    }
  }
}

TEST_F(SpreadTest, APublishIsSafeWhenAllItsPartsAre) {
  const auto topic = four_shards(4);
  workers_.gateway_of("model", 3).skip_safe = true;
  const auto all = publish_ramp(topic, 0, 4 * kTile);
  const auto first_three = publish_ramp(topic, 0, 3 * kTile);
  settle();
  EXPECT_EQ(safe(topic, all), std::nullopt);
  EXPECT_EQ(spread_.outcome(topic, all, Level::kAccepted, {}), Outcome::kReached);
  EXPECT_EQ(safe(topic, first_three), Outcome::kReached);
  EXPECT_EQ(spread_.unsafe_count(), 1U);
  EXPECT_EQ(spread_.stats().publishes, 2U);
  workers_.disconnect_all(now_);
  settle();
  EXPECT_EQ(safe(topic, all), Outcome::kReached);
  EXPECT_EQ(gateway_sum(topic)[3 * kTile], static_cast<std::int64_t>(3 * kTile + 1)) << "once";
}

TEST_F(SpreadTest, AValueThatNoGatewayTakesIsRefusedBeforeAnyShardIsTold) {
  const auto topic = four_shards(4);
  // The gateway has three sites: the range is that of 2^62 / 3 quanta of 2^-10.
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), -0x1.555556p50F}) {
    std::vector<float> values(3 * kTile, 1.0F);
    values[2 * kTile + 4] = bad;
    const auto number = publish(topic, values, 100);
    settle();
    EXPECT_EQ(safe(topic, number), Outcome::kRefused);
    EXPECT_EQ(spread_.detail(topic, number),
              fmt::format("element 65640: {} is not finite, or beyond the topic's range of "
                          "-1501199875790165.2 to 1501199875790165.2",
                          static_cast<double>(bad)));
  }
  EXPECT_EQ(spread_.stats().unsafe_bytes, 0U);
  EXPECT_EQ(spread_.stats().publishes_refused, 2U);
  EXPECT_EQ(gateway_sum(topic), std::vector<std::int64_t>(8 * kTile + kTile / 2));
  EXPECT_EQ(workers_.gateway(0).publishes_begun, 0U);
}

TEST_F(SpreadTest, AnyNumberOfRefusedPublishesLeavesRoomForAnother) {
  const auto topic = four_shards(1);
  const std::vector<float> bad{std::numeric_limits<float>::infinity()};
  for (std::size_t i = 0; i <= kPublishesMax; ++i) {
    publish(topic, bad);  // asks for room
  }
  const auto good = publish(topic, std::vector<float>{1.0F});
  settle();
  EXPECT_EQ(safe(topic, good), Outcome::kReached);
}

TEST_F(SpreadTest, AnIntegerThatNoSumCanHoldIsRefusedBeforeAnyShardHearsOfIt) {
  const auto topic = four_shards(2);
  std::vector<std::int64_t> quanta(2 * kTile, 1);
  quanta[kTile + 5] = -kToyRange - 1;
  const auto number = publish(topic, quanta);
  settle();
  EXPECT_EQ(safe(topic, number), Outcome::kRefused);
  EXPECT_THAT(spread_.detail(topic, number), HasSubstr("element 32773: -1501199875790165.2 is"));
  EXPECT_EQ(gateway_sum(topic)[0], 0);
  quanta[kTile + 5] = -kToyRange;
  const auto most = publish(topic, quanta);
  settle();
  EXPECT_EQ(safe(topic, most), Outcome::kReached);
}

// Each value is in the topic's range, and their sum is not: only the shard can tell.
TEST_F(SpreadTest, ASumThatOneShardRefusesIsRefusedAndSaysWhichAndWhatWasMerged) {
  const auto topic = four_shards(2);
  std::vector<std::int64_t> values(4 * kTile, 1024);
  values[kTile + 5] = kToyRange;
  publish(topic, std::vector<std::int64_t>(1, 7), kTile + 5);
  const auto number = publish(topic, values);
  const auto whole = publish(topic, std::vector<float>(4 * kTile, 1.0F));
  settle();
  EXPECT_EQ(safe(topic, number), Outcome::kRefused);
  EXPECT_EQ(spread_.detail(topic, number),
            fmt::format("shard 1: element 32773: {}; merged in 3 of 4 shards",
                        static_cast<double>(kToyRange)));
  EXPECT_EQ(safe(topic, whole), Outcome::kReached);
  EXPECT_EQ(spread_.detail(topic, whole), "");
  EXPECT_EQ(gateway_sum(topic)[0], 2048);
  EXPECT_EQ(gateway_sum(topic)[kTile], 1024);
  EXPECT_EQ(spread_.stats().unsafe_bytes, 0U);
}

TEST_F(SpreadTest, AStepOfAnEarlierProcessIsADuplicateWhereAllShardsHaveMergedIt) {
  const auto topic = four_shards(2);
  for (const auto& [shard, step] : {std::pair(0, 7U), std::pair(1, 9U)}) {
    state_.topics.at(fmt::format("model.{}", shard)).last_steps[kPublisher.value()] = step;
  }
  const auto before = publish(topic, std::vector<float>(2 * kTile, 1.0F), 0, 6);
  const auto again = publish(topic, std::vector<float>(2 * kTile, 1.0F), 0, 7);
  const auto half = publish(topic, std::vector<float>(3 * kTile, 1.0F), 0, 8);
  const auto rest = publish(topic, std::vector<float>(2 * kTile, 1.0F), 0, 9);
  const auto next = publish(topic, std::vector<float>(2 * kTile, 1.0F), 0, 10);
  settle();
  EXPECT_EQ(safe(topic, before), Outcome::kDuplicate);
  EXPECT_EQ(safe(topic, again), Outcome::kDuplicate);
  EXPECT_EQ(safe(topic, half), Outcome::kReached) << "shards 0 and 2 had not merged it";
  EXPECT_EQ(safe(topic, rest), Outcome::kReached) << "shard 1 had merged it, shard 0 had not";
  EXPECT_EQ(safe(topic, next), Outcome::kReached);
  const auto sum = gateway_sum(topic);
  EXPECT_EQ(sum[0], 3 * 1024) << "8, 9 and 10";
  EXPECT_EQ(sum[kTile], 1024) << "10";
  EXPECT_EQ(sum[2 * kTile], 1024) << "8";
}

// What is not above the last step that a shard merged is a duplicate to it, merged or not.
TEST_F(SpreadTest, AStepThatDoesNotRiseIsRefusedBeforeAnyShardHearsOfIt) {
  for (const std::uint32_t shards : {1U, 4U}) {
    SCOPED_TRACE(shards);
    settle();
    const auto topic = declare(shards, 4 * kTile, shards == 1 ? "one" : "four");
    const auto values = std::vector<float>(2 * kTile, 1.0F);
    publish(topic, values, 0, 2);
    for (const std::uint64_t step : {0U, 1U, 2U}) {
      const auto refused = try_publish(topic, values, 2 * kTile, step);
      ASSERT_FALSE(refused);
      EXPECT_EQ(refused.error().code, Code::kInvalid);
      EXPECT_THAT(refused.error().message,
                  HasSubstr(step == 0 ? "step 0; steps begin at 1"
                                      : fmt::format("gives step {} after step 2", step)));
    }
    EXPECT_EQ(spread_.stats().unsafe_bytes,
              shards == 1 ? 2 * kTile * 4 + kPublishOverhead : 2 * (kTile * 4 + kPublishOverhead))
        << "of the first alone";
    publish(topic, values);
    const auto last = publish(topic, values, 2 * kTile, 4);
    settle();
    EXPECT_EQ(safe(topic, last), Outcome::kReached);
    EXPECT_EQ(gateway_sum(topic)[0], 2 * 1024);
    EXPECT_EQ(gateway_sum(topic)[2 * kTile], 1024);
  }
}

TEST_F(SpreadTest, TheLibraryRepeatsStepsThatWereNotAnswered) {
  const auto topic = four_shards(2);
  workers_.gateway_of("model", 0).skip_safe = true;
  workers_.gateway_of("model", 1).skip_safe = true;
  std::vector<std::uint64_t> numbers;
  for (const std::uint64_t step : {3U, 4U, 5U}) {
    numbers.push_back(publish(topic, std::vector<float>(2 * kTile, 1.0F), 0, step));
  }
  settle();
  EXPECT_EQ(safe(topic, numbers.front()), std::nullopt) << "merged, and the answers are lost";
  workers_.disconnect_all(now_);
  settle();
  for (const std::uint64_t number : numbers) {
    EXPECT_EQ(safe(topic, number), Outcome::kReached) << number;
  }
  EXPECT_EQ(gateway_sum(topic)[0], 3 * 1024);
}

TEST_F(SpreadTest, APartOfWhichNobodyCanTellMakesThePublishUnknown) {
  const auto topic = four_shards(2);
  workers_.gateway_of("model", 1).skip_safe = true;
  const auto number = publish_ramp(topic, 0, 2 * kTile);
  settle();
  const auto handle = local::TopicHandle{0};  // shards 1 and 3 are its only ones
  workers_.gateway_of("model", 1)
      .say(local::Refused{
          .topic = handle, .number = 1, .code = Code::kNotFound, .text = "forgotten"});
  settle();
  EXPECT_EQ(safe(topic, number), Outcome::kUnknown);
  EXPECT_EQ(spread_.detail(topic, number), "shard 1: forgotten; merged in 1 of 2 shards");
}

TEST_F(SpreadTest, APublishIsAppliedAtASiteWhereAllItsPartsAre) {
  const auto topic = four_shards(4);
  const auto number = publish_ramp(topic, 0, 2 * kTile);
  settle();
  EXPECT_EQ(spread_.outcome(topic, number, Level::kApplied, {}), std::nullopt);
  const auto cover = [&](std::uint32_t shard, const char* site) {
    workers_.gateway_of("model", shard)
        .say(local::Covered{local::TopicHandle{0}, SiteId::of(site), 1});
    settle();
  };
  cover(0, "iad");
  cover(1, "sin");
  EXPECT_TRUE(workers_.gateway_of("model", 1).watched);
  EXPECT_EQ(spread_.outcome(topic, number, Level::kApplied, {}), std::nullopt)
      << "each part is at another site";
  cover(0, "sin");
  EXPECT_EQ(spread_.outcome(topic, number, Level::kApplied, {}), Outcome::kReached);
  EXPECT_EQ(spread_.outcome(topic, number, Level::kApplied, "sin"), Outcome::kReached);
  EXPECT_EQ(spread_.outcome(topic, number, Level::kApplied, "iad"), std::nullopt);
  EXPECT_EQ(spread_.outcome(topic, number, Level::kStable, {}), std::nullopt);
  cover(1, "iad");
  EXPECT_EQ(spread_.outcome(topic, number, Level::kStable, {}), Outcome::kReached);
}

TEST_F(SpreadTest, OldOutcomesAreForgottenAndUnsafeOnesAreNot) {
  const auto topic = four_shards(4);
  workers_.gateway_of("model", 1).skip_safe = true;
  publish(topic, std::vector<float>(1, 1.0F));
  const auto stuck = publish_ramp(topic, kTile - 1, 2);  // shards 0 and 1
  std::uint64_t last = 0;
  for (std::size_t i = 0; i < kFinishedRemembered; ++i) {
    last = publish(topic, std::vector<float>(1, 1.0F));
    workers_.serve();
    workers_.receive(now_);
  }
  settle();
  EXPECT_EQ(safe(topic, 1), Outcome::kExpired);
  EXPECT_EQ(safe(topic, stuck), std::nullopt);
  EXPECT_EQ(safe(topic, last), Outcome::kReached);
  EXPECT_EQ(safe(topic, 1'000'000), Outcome::kExpired);
}

TEST_F(SpreadTest, AllConnectionsShareTheRoomForUnsafePublishes) {
  Spread spread({.publisher = PublisherId(1), .incarnation = {1, 1}, .unsafe_bytes_max = 20'000});
  Workers all(state_, spread, 2);
  all.skip_safe = true;
  for (int turn = 0; turn < 4; ++turn) {
    all.tend(now_);
    all.serve();
    all.receive(now_);
  }
  const auto topic = *spread.declare({.name = "m", .element_count = 2 * kTile, .shards = 2});
  const auto split_of = [&](std::uint64_t first, std::uint64_t count) {
    return spread.split(topic, {.first = first, .count = count, .fixed = true});
  };
  EXPECT_TRUE(spread.fits_ever(split_of(kTile - 1000, 2000)));
  EXPECT_FALSE(spread.fits_ever(split_of(0, 2500)));
  Split split = split_of(kTile - 1000, 2000);
  EXPECT_EQ(split.cost, 16'000 + 2 * kPublishOverhead);
  spread.reserve(topic, split);
  EXPECT_FALSE(spread.has_room(topic, split_of(0, 1000)));
  EXPECT_TRUE(spread.has_room(topic, split_of(0, 400)));
  EXPECT_EQ(spread.stats().unsafe_bytes, split.cost);
}

// ---- clocks -----------------------------------------------------------------------------------

TEST_F(SpreadTest, ATickFollowsThePublishesBeforeItInEveryShard) {
  const auto topic = four_shards(4);
  publish_ramp(topic, 0, 2 * kTile);  // shards 0 and 1
  spread_.tick(topic, 3);
  publish_ramp(topic, 0, 4 * kTile);
  spread_.pump(now_);
  EXPECT_EQ(spread_.last_clock(topic), 3U);
  settle();
  for (std::uint32_t shard = 0; shard < 4; ++shard) {
    EXPECT_EQ(state_.topics.at(fmt::format("model.{}", shard)).clock, 3U);
    EXPECT_EQ(workers_.gateway_of("model", shard).accepted_at_tick, shard < 2 ? 1U : 0U) << shard;
  }
}

TEST_F(SpreadTest, AClockIsReachedWhenAllShardsSaySoAndWhoIsMissingAnywhereIsMissing) {
  const auto topic = four_shards(4);
  workers_.gateway_of("model", 0).missing = {"sin"};
  workers_.gateway_of("model", 1).missing = {"iad", "sin"};
  workers_.gateway_of("model", 2).answer_waits = false;
  const auto request = spread_.start_wait(topic, 5, now_ + Duration::seconds(100));
  settle();
  EXPECT_FALSE(spread_.take_wait(request)) << "shard 2 has not answered";
  auto& silent = workers_.gateway_of("model", 2);
  ASSERT_EQ(silent.waits.size(), 1U);
  EXPECT_EQ(silent.waits[0].min_clock, 5U);
  silent.say(local::ClockReached{.request = silent.waits[0].request, .missing = {}});
  settle();
  const auto outcome = spread_.take_wait(request);
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->kind, ClockOutcome::Kind::kPartial);
  EXPECT_EQ(outcome->missing, (std::vector<std::string>{"iad", "sin"}));
  EXPECT_FALSE(spread_.take_wait(request)) << "taken";
  workers_.gateway_of("model", 0).missing.clear();
  workers_.gateway_of("model", 1).missing.clear();
  silent.answer_waits = true;
  const auto next = spread_.start_wait(topic, 6, now_ + Duration::seconds(100));
  settle();
  EXPECT_EQ(spread_.take_wait(next)->kind, ClockOutcome::Kind::kOk);
}

// Two that each held some of the last places would wait for each other for ever.
TEST_F(SpreadTest, ASubscriptionTakesItsPlaceInTheFirstShardBeforeItAsksForTheOthers) {
  const auto topic = four_shards(2);
  const auto turns = [&] {  // half a second, in which nobody asks again
    for (int i = 0; i < 10; ++i) {
      workers_.serve();
      workers_.receive(now_);
      spread_.pump(now_);
      now_ += Duration::ms(50);
    }
  };
  ToyGateway& first = workers_.gateway_of("model", 0);
  first.refuse_subscribe = "all 24 places are taken";
  ASSERT_TRUE(spread_.subscribe(topic, Subscription::kPolled, true));
  turns();
  EXPECT_TRUE(spread_.lacks_place(topic));
  EXPECT_EQ(spread_.stats().last_error, "all 24 places are taken");
  EXPECT_EQ(workers_.gateway(0).subscribes + workers_.gateway(1).subscribes, 1U);
  const std::uint64_t number = publish<float>(topic, {1.0F}, 3 * kTile);
  turns();
  EXPECT_EQ(safe(topic, number), Outcome::kReached) << "publishes go on in every shard";
  first.refuse_subscribe.reset();
  turns();
  turns();
  EXPECT_FALSE(spread_.lacks_place(topic));
  bool restarted = false;
  spread_.take_pending(topic, restarted);
  EXPECT_TRUE(restarted) << "what it published meanwhile comes, too";
  settle();
  workers_.deliver();
  settle();
  std::vector<std::int64_t> sum(1);
  ASSERT_TRUE(spread_.copy_sum(topic, 3 * kTile, sum));
  EXPECT_EQ(sum[0], 1024);
}

// Until it begins nothing that is published later goes, in no shard: it would be delivered as well.
TEST_F(SpreadTest, WhatIsPublishedBehindASubscriptionFollowsItInEveryShard) {
  const auto topic = four_shards(2);
  ASSERT_TRUE(spread_.subscribe(topic, Subscription::kPolled, true));
  publish_ramp(topic, 0, 4 * kTile);
  settle();
  for (std::uint32_t shard = 0; shard < 4; ++shard) {
    EXPECT_EQ(workers_.gateway_of("model", shard).accepted_at_subscribe, 0U) << shard;
  }
  bool restarted = true;
  spread_.take_pending(topic, restarted);
  EXPECT_FALSE(restarted);
}

}  // namespace
}  // namespace godwit::client

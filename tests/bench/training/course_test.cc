// A course over several sites, of a task that is only arithmetic; and the outer momentum.
#include "bench/training/course.h"

#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "bench/training/momentum.h"
#include "dataplane/base/random.h"

namespace godwit::bench_training {
namespace {

constexpr std::size_t kParameters = 2000;

// Each site goes a tenth of the way to a place of its own; the score is the distance of the
// parameters to the middle of all places.
class Walk final : public Task {
 public:
  explicit Walk(std::size_t sites) : sites_(sites) {}

  std::string_view measure() const override { return "loss"; }

  std::vector<float> begin(std::uint64_t seed, float /*momentum*/) override {
    Random random(seed);
    places_.assign(sites_, std::vector<float>(kParameters));
    for (auto& place : places_) {
      for (float& value : place) {
        value = static_cast<float>(std::pow(random.uniform() - 0.4, 3));
      }
    }
    return std::vector<float>(kParameters);
  }

  void train(std::size_t site, std::size_t steps, std::span<float> parameters) override {
    for (std::size_t i = 0; i < kParameters * steps; ++i) {
      float& value = parameters[i % kParameters];
      value += 0.1F * (places_[site][i % kParameters] - value);
    }
    if (++trained_ == breaks_at_) {
      parameters[0] = std::numeric_limits<float>::infinity();
    }
  }

  double score(std::span<const float> parameters) override {
    double squares = 0;
    for (std::size_t i = 0; i < kParameters; ++i) {
      double difference = static_cast<double>(parameters[i]);
      for (const auto& place : places_) {
        difference -= static_cast<double>(place[i]) / static_cast<double>(sites_);
      }
      squares += difference * difference;
    }
    return std::sqrt(squares);
  }

  void break_at(std::size_t turn) { breaks_at_ = turn; }

 private:
  std::size_t sites_;
  std::size_t trained_ = 0;
  std::size_t breaks_at_ = 0;
  std::vector<std::vector<float>> places_;
};

const Outer& outer(std::string_view name) {
  for (const Outer& one : kOuters) {
    if (one.name == name) {
      return one;
    }
  }
  ADD_FAILURE() << name;
  return kOuters[0];
}

std::vector<Round> rounds_of(const Course& course, std::size_t breaks_at = 0) {
  Walk walk(course.sites);
  walk.break_at(breaks_at);
  std::vector<Round> rounds;
  run(walk, course, [&](const Round& round) { rounds.push_back(round); });
  return rounds;
}

Course some_course(std::string_view name, double bits) {
  return {.outer = outer(name), .bits = bits, .sites = 3, .rounds = 12, .steps = 1};
}

TEST(Momentum, AddsOneChangeSevenTimesInTheEnd) {
  Momentum momentum(1, 0.7F, 0.9F);
  std::vector<float> step = {1};
  momentum.turn(step);
  EXPECT_FLOAT_EQ(step[0], 0.7F * 1.9F);  // Nesterov's look ahead
  double sum = 0;
  for (int i = 0; i < 200; ++i) {
    sum += static_cast<double>(step[0]);
    step[0] = 0;
    momentum.turn(step);
  }
  EXPECT_NEAR(sum, 7, 1e-4);
}

TEST(Momentum, OfNothingIsThePlainChange) {
  Momentum momentum(2, 1, 0);
  for (int i = 0; i < 3; ++i) {
    std::vector<float> step = {2, -1};
    momentum.turn(step);
    EXPECT_EQ(step, (std::vector<float>{2, -1}));
  }
}

TEST(Course, OfPlainAveragingUncodedIsTheMeanOfTheSites) {
  const auto rounds = rounds_of(some_course("average", kUncoded));
  ASSERT_EQ(rounds.size(), 12U);
  for (std::size_t i = 1; i < rounds.size(); ++i) {
    EXPECT_EQ(rounds[i].number, i + 1);
    EXPECT_NEAR(rounds[i].score / rounds[i - 1].score, 0.9, 1e-5);
    EXPECT_EQ(rounds[i].open_share, 0);
  }
  // Of three sites each sends four bytes an element to two others.
  EXPECT_EQ(rounds.back().bytes, 12U * 3 * 2 * 4 * kParameters);
}

TEST(Course, MomentumBeforePublishingIsTheSameWithoutCoding) {
  const auto here = rounds_of(some_course("nesterov", kUncoded));
  const auto there = rounds_of(some_course("published", kUncoded));
  const auto coded = rounds_of(some_course("published", 0.5));
  for (std::size_t i = 0; i < here.size(); ++i) {
    EXPECT_NEAR(here[i].score, there[i].score, 1e-4 * here[0].score);
  }
  EXPECT_GT(std::abs(coded.back().score - there.back().score), 1e-2 * here[0].score);
}

TEST(Course, CodedStaysWithinItsBudgetAndItsBooksAreRight) {
  for (const Outer& one : kOuters) {
    const auto rounds = rounds_of(some_course(one.name, 1));
    for (const Round& round : rounds) {
      EXPECT_LE(round.bytes, round.number * 3 * 2 * kParameters / 8);
      EXPECT_GE(round.bytes, round.number * 3 * kParameters / 8);
      EXPECT_EQ(round.defect, 0U);
      EXPECT_EQ(round.open_share > 0, one.keeps_rest) << one.name;
      EXPECT_FALSE(round.has_diverged);
    }
  }
}

TEST(Course, MoreBitsLeaveLessOpen) {
  double least = std::numeric_limits<double>::infinity();
  for (const double bits : {0.2, 1.0, 4.0}) {
    const double open = rounds_of(some_course("average", bits)).back().open_share;
    EXPECT_LT(open, least);
    least = open;
  }
}

TEST(Course, EqualSeedsGiveEqualRounds) {
  Course course = some_course("nesterov", 0.5);
  const auto first = rounds_of(course);
  const auto second = rounds_of(course);
  course.seed = 2;
  const auto other = rounds_of(course);
  for (std::size_t i = 0; i < first.size(); ++i) {
    EXPECT_EQ(first[i].score, second[i].score);
    EXPECT_EQ(first[i].bytes, second[i].bytes);
  }
  EXPECT_NE(first.back().score, other.back().score);
}

TEST(Course, EndsWhereAChangeCannotBePublished) {
  const auto rounds = rounds_of(some_course("average", 1), 3 * 4 + 2);  // a site in round 5
  ASSERT_EQ(rounds.size(), 5U);
  EXPECT_FALSE(rounds[3].has_diverged);
  EXPECT_TRUE(rounds[4].has_diverged);
  EXPECT_EQ(rounds[4].score, rounds[3].score);
}

}  // namespace
}  // namespace godwit::bench_training

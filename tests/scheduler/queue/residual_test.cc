// What was merged and not sent: how much, how old, how fast it leaves.
#include "scheduler/queue/residual.h"

#include <gtest/gtest.h>

#include "scheduler/queue/link_queue.h"
#include "tests/scheduler/samples.h"
#include "tests/support/instants.h"

namespace godwit::scheduler {
namespace {

constexpr std::uint32_t kLane = 1;

TEST(Residual, IsAsOldAsWhatItIsMadeOf) {
  LinkQueue queue;
  queue.on_merge(at_ms(0), {kLane, 0}, update(4));
  queue.on_merge(at_ms(6'000), {kLane, 0}, update(4));
  queue.on_merge(at_ms(9'000), {kLane, 1}, update(8));
  const Residual residual = queue.residual(at_ms(10'000), kLane);
  EXPECT_DOUBLE_EQ(residual.energy, 16);
  EXPECT_NEAR(residual.age_seconds, (4 * 10.0 + 4 * 4.0 + 8 * 1.0) / 16, 1e-9);
  EXPECT_EQ(residual.decay_per_second, 0) << "nothing has left";
  EXPECT_EQ(queue.residual(at_ms(10'000), kLane + 1).energy, 0) << "another lane";
}

TEST(Residual, KeepsTheAgeOfWhatAVisitLeaves) {
  LinkQueue queue;
  queue.on_merge(at_ms(0), {kLane, 0}, update(100));
  queue.on_merge(at_ms(8'000), {kLane, 1}, update(100));
  queue.on_sent(at_ms(9'000), {kLane, 0}, 25, Bytes(100));
  const Residual residual = queue.residual(at_ms(10'000), kLane);
  EXPECT_DOUBLE_EQ(residual.energy, 125);
  EXPECT_NEAR(residual.age_seconds, (25 * 10.0 + 100 * 2.0) / 125, 1e-9);
  EXPECT_GT(residual.decay_per_second, 0);
}

TEST(Residual, IsNoYoungerWhenAVisitFindsMoreThanWasMerged) {
  LinkQueue queue;
  queue.on_merge(at_ms(0), {kLane, 0}, update(10));
  queue.on_sent(at_ms(5'000), {kLane, 0}, 30, Bytes(100));
  const Residual residual = queue.residual(at_ms(6'000), kLane);
  EXPECT_DOUBLE_EQ(residual.energy, 30);
  EXPECT_NEAR(residual.age_seconds, 6, 1e-9);
}

TEST(Residual, OfAMeasuredTileIsWhatWasMeasured) {
  LinkQueue queue;
  queue.on_merge(at_ms(0), {kLane, 0}, update(10));
  KeyUpdate measured = update(4);
  measured.is_whole = true;
  queue.on_merge(at_ms(1'000), {kLane, 0}, measured);
  EXPECT_DOUBLE_EQ(queue.residual(at_ms(2'000), kLane).energy, 4);
  EXPECT_NEAR(queue.residual(at_ms(2'000), kLane).age_seconds, 2, 1e-9) << "none of it is new";
  measured.energy = 8;
  queue.on_merge(at_ms(2'000), {kLane, 0}, measured);
  EXPECT_DOUBLE_EQ(queue.residual(at_ms(2'000), kLane).energy, 8);
  EXPECT_NEAR(queue.residual(at_ms(2'000), kLane).age_seconds, 1, 1e-9) << "half of it is";
  EXPECT_EQ(queue.pending_energy({kLane, 0}), 8.0);
  EXPECT_EQ(queue.pending_energy(), 8.0);
}

TEST(Residual, EndsWhenAllIsSentAndForgetsItsDecay) {
  LinkQueue queue;
  queue.on_merge(at_ms(0), {kLane, 0}, update(10));
  queue.on_sent(at_ms(100), {kLane, 0}, 0, Bytes(100));
  const Residual at_once = queue.residual(at_ms(100), kLane);
  EXPECT_EQ(at_once.energy, 0);
  EXPECT_EQ(at_once.age_seconds, 0);
  EXPECT_NEAR(at_once.decay_per_second, 0.1, 1e-9) << "all of it, of ten seconds";
  EXPECT_LT(queue.residual(at_ms(60'000), kLane).decay_per_second, 0.001);
}

// The sum of 1e20 and 1 is 1e20: without a fresh start the 1 would be missing for ever.
TEST(Residual, ForgetsTheRoundingOfItsSumsWhenNothingIsPending) {
  LinkQueue queue;
  queue.on_merge(at_ms(0), {kLane, 0}, update(1e20));
  queue.on_merge(at_ms(0), {kLane, 1}, update(1));
  queue.on_sent(at_ms(1), {kLane, 0}, 0, Bytes(100));
  queue.on_sent(at_ms(2), {kLane, 1}, 0, Bytes(100));
  queue.on_merge(at_ms(3), {kLane, 0}, update(4));
  EXPECT_EQ(queue.residual(at_ms(3), kLane).energy, 4);
}

TEST(Residual, DecaysByTheShareThatLeavesEachSecond) {
  ResidualTracker residual;
  double born = 0;
  residual.on_merge(at_ms(0), 0, 1e6, born);
  double energy = 1e6;
  for (int second = 1; second <= 60; ++second) {
    residual.on_left(at_ms(1'000 * second), 0.1 * energy, born);
    energy *= 0.9;
  }
  EXPECT_NEAR(residual.at(at_ms(60'500)).decay_per_second, 0.1, 0.01);
}

TEST(Residual, OfSeveralLanesIsWeighedByEnergy) {
  Residual sum;
  sum += {.energy = 3, .age_seconds = 10, .decay_per_second = 0.2};
  sum += {.energy = 1, .age_seconds = 2, .decay_per_second = 1.0};
  EXPECT_DOUBLE_EQ(sum.energy, 4);
  EXPECT_DOUBLE_EQ(sum.age_seconds, 8);
  EXPECT_DOUBLE_EQ(sum.decay_per_second, 0.4);
}

}  // namespace
}  // namespace godwit::scheduler

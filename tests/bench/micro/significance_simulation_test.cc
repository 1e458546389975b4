// The queue's order against a bound from below and against FIFO, over fixed seeds.
#include "bench/micro/significance_simulation.h"

#include <cmath>

#include <gtest/gtest.h>

namespace godwit::bench {
namespace {

struct Means {
  double index = 0;  // Cost over the bound.
  double fifo = 0;
  double density = 0;
};

Means over_seeds(double merges_per_sweep, std::uint64_t seeds) {
  Means means;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    Random random(seed);
    const SignificanceModel model = SignificanceModel::draw(random, 100, merges_per_sweep);
    const double bound = model.lower_bound() * static_cast<double>(seeds);
    const auto cost = [&](Policy& policy) {
      Random events(seed + 1'000);
      return simulate(model, policy, events, 100 * 30) / bound;
    };
    LinkQueuePolicy ours(model, Duration::seconds(1e6));
    FifoMergePolicy first(model);
    DensityPolicy greedy(model);
    means.index += cost(ours);
    means.fifo += cost(first);
    means.density += cost(greedy);
  }
  return means;
}

TEST(SignificanceSimulation, TheBoundIsExactForEqualKeys) {
  // All keys alike and dense updates: round-robin is optimal, its cost the fluid one,
  // (Σ√(g·b))²/(2C) = n²·g·b/(2C).
  SignificanceModel model;
  model.bytes_per_second = 1e6;
  model.keys.assign(50, {.merges_per_second = 1e6, .merge_energy = 1e-6, .bytes = 4'000});
  const double fluid = 50.0 * 50.0 * 1.0 * 4'000 / (2 * 1e6);
  EXPECT_NEAR(model.lower_bound() / fluid, 1, 0.01);
}

TEST(SignificanceSimulation, TheIndexIsNearTheBoundAndFarFromFifo) {
  const Means means = over_seeds(10, 20);
  RecordProperty("index_over_bound", std::to_string(means.index));
  EXPECT_GE(means.index, 0.99) << "nothing is below the bound";
  EXPECT_LE(means.index, 1.10);
  EXPECT_GE(means.fifo / means.index, 2.2);
  EXPECT_GT(means.density, means.index * 1.15);
}

TEST(SignificanceSimulation, TheAgeCapCostsLittleWhenTheLinkCanKeepIt) {
  // One sweep of 100 keys of 4 kB at 1 MB/s takes 0.45 s; the default cap is 2 s.
  double with_cap = 0;
  double without = 0;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    Random random(seed);
    const SignificanceModel model = SignificanceModel::draw(random, 100, 10);
    Random events(seed);
    Random again(seed);
    LinkQueuePolicy capped(model, Duration::ms(2'000));
    LinkQueuePolicy free(model, Duration::seconds(1e6));
    with_cap += simulate(model, capped, events, 3'000);
    without += simulate(model, free, again, 3'000);
  }
  EXPECT_LE(with_cap, without * 1.1);
}

}  // namespace
}  // namespace godwit::bench

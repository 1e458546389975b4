// The gradient against differences of the loss.
#include "bench/workloads/trainer/model.h"

#include <cmath>
#include <numeric>
#include <vector>

#include <gtest/gtest.h>

#include "dataplane/base/random.h"

namespace godwit::trainer {
namespace {

Dataset random_data(std::size_t count) {
  Random random(5);
  Dataset data;
  for (std::size_t i = 0; i < count * kPixels; ++i) {
    data.pixels.push_back(static_cast<std::uint8_t>(random.below(256)));
  }
  for (std::size_t i = 0; i < count; ++i) {
    data.labels.push_back(static_cast<std::uint8_t>(random.below(kClasses)));
  }
  return data;
}

std::vector<std::uint32_t> all_of(const Dataset& data) {
  std::vector<std::uint32_t> indices(data.size());
  std::iota(indices.begin(), indices.end(), 0U);
  return indices;
}

TEST(Model, HasMoreThanAMillionParameters) {
  EXPECT_EQ(kParameters, 784U * 1024 + 1024 + 1024 * 200 + 200 + 200 * 10 + 10);
  EXPECT_GT(kParameters, 1'000'000U);
}

TEST(Model, GradientIsTheSlopeOfTheLoss) {
  const Dataset data = random_data(8);
  const auto indices = all_of(data);
  Perceptron model(8, pixel_means(data));
  std::vector<float> parameters = seed_parameters(1);
  std::vector<float> gradient(kParameters);
  std::vector<float> unused(kParameters);
  model.gradient(parameters, data, indices, gradient);
  // Along the gradient itself the loss rises by its squared length: one number that checks all.
  double squared = 0.0;
  for (const float g : gradient) {
    squared += static_cast<double>(g) * static_cast<double>(g);
  }
  const double step = 1e-3 / std::sqrt(squared);
  const auto loss_at = [&](double scale) {
    std::vector<float> moved(kParameters);
    for (std::size_t i = 0; i < kParameters; ++i) {
      moved[i] = static_cast<float>(static_cast<double>(parameters[i]) +
                                    scale * static_cast<double>(gradient[i]));
    }
    return static_cast<double>(model.gradient(moved, data, indices, unused));
  };
  const double slope = (loss_at(step) - loss_at(-step)) / (2 * step);
  EXPECT_NEAR(slope / squared, 1.0, 0.02);
}

TEST(Model, LearnsAFewSamplesByHeart) {
  const Dataset data = random_data(8);
  const auto indices = all_of(data);
  Perceptron model(8, pixel_means(data));
  std::vector<float> parameters = seed_parameters(1);
  std::vector<float> gradient(kParameters);
  for (int step = 0; step < 60; ++step) {
    model.gradient(parameters, data, indices, gradient);
    for (std::size_t i = 0; i < kParameters; ++i) {
      parameters[i] -= 0.02F * gradient[i];
    }
  }
  EXPECT_EQ(model.correct(parameters, data, 0, 8), 8U);
}

}  // namespace
}  // namespace godwit::trainer

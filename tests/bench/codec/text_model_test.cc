// The gradient against differences of the loss.
#include "bench/codec/text_model.h"

#include <cmath>
#include <numeric>
#include <vector>

#include <gtest/gtest.h>

namespace godwit::bench_codec {
namespace {

constexpr std::size_t kBatch = 8;

std::vector<std::uint8_t> some_text() {
  const std::string text = "The quick brown fox jumps over the lazy dog, and the dog sleeps.";
  return {text.begin(), text.end()};
}

std::vector<std::uint32_t> some_positions() {
  std::vector<std::uint32_t> positions(kBatch);
  std::iota(positions.begin(), positions.end(), static_cast<std::uint32_t>(kTextContext));
  return positions;
}

double squared_length(const std::vector<float>& values) {
  double squared = 0;
  for (const float value : values) {
    squared += static_cast<double>(value) * static_cast<double>(value);
  }
  return squared;
}

TEST(TextModel, GradientIsTheSlopeOfTheLoss) {
  TextModel model(kBatch);
  const auto text = some_text();
  const std::vector<float> parameters = seed_text_parameters(1);
  std::vector<float> gradient(kTextParameters);
  std::vector<float> unused(kTextParameters);
  model.gradient(parameters, text, some_positions(), gradient);
  // Along the gradient itself the loss rises by its squared length: one number that checks all.
  const double squared = squared_length(gradient);
  const double step = 1e-3 / std::sqrt(squared);
  const auto loss_at = [&](double scale) {
    std::vector<float> moved(kTextParameters);
    for (std::size_t i = 0; i < kTextParameters; ++i) {
      moved[i] = static_cast<float>(static_cast<double>(parameters[i]) +
                                    scale * static_cast<double>(gradient[i]));
    }
    return static_cast<double>(model.gradient(moved, text, some_positions(), unused));
  };
  EXPECT_NEAR((loss_at(step) - loss_at(-step)) / (2 * step) / squared, 1.0, 0.02);
}

TEST(TextModel, OnlyRowsOfBytesThatWereSeenChange) {
  TextModel model(kBatch);
  std::vector<float> gradient(kTextParameters);
  model.gradient(seed_text_parameters(1), some_text(), some_positions(), gradient);
  const auto row = [&](char byte) {
    const auto at = gradient.begin() + static_cast<std::ptrdiff_t>(kTextEmbedding) * byte;
    return squared_length({at, at + kTextEmbedding});
  };
  EXPECT_GT(row('q'), 0);
  EXPECT_EQ(row('Z'), 0);
}

TEST(TextModel, LearnsASentenceByHeart) {
  TextModel model(kBatch);
  std::vector<float> parameters = seed_text_parameters(1);
  std::vector<float> gradient(kTextParameters);
  float loss = 0;
  for (int step = 0; step < 40; ++step) {
    loss = model.gradient(parameters, some_text(), some_positions(), gradient);
    for (std::size_t i = 0; i < kTextParameters; ++i) {
      parameters[i] -= 0.02F * gradient[i];
    }
  }
  EXPECT_LT(loss, 0.1F);
}

TEST(TextModel, AFolderWithoutTextIsNamed) {
  const auto text = load_text("/nowhere");
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().code, Code::kNotFound);
  EXPECT_NE(text.error().message.find("/nowhere"), std::string::npos);
}

}  // namespace
}  // namespace godwit::bench_codec

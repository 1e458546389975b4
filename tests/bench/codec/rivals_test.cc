// What is compared with must be what was published: errors that theory gives, sizes that follow.
#include "bench/codec/rivals.h"

#include <cmath>

#include <gtest/gtest.h>

#include "bench/codec/distortion.h"
#include "dataplane/base/random.h"

namespace godwit::bench_codec {
namespace {

constexpr std::size_t kCount = 65536;

std::vector<float> gaussian(std::uint64_t seed) {
  Random random(seed);
  std::vector<float> values(kCount);
  for (float& value : values) {
    const double u = 1.0 - random.uniform();
    value = static_cast<float>(std::sqrt(-2 * std::log(u)) *
                               std::cos(6.283185307179586 * random.uniform()));
  }
  return values;
}

double error_of(const std::vector<float>& values, const Lossy& lossy) {
  return relative_error(values, lossy.values);
}

TEST(Rivals, OnGaussianValuesTheyLoseWhatTheoryHas) {
  const auto values = gaussian(1);
  // Mean size: 1 - 2 / pi of the energy is left.
  EXPECT_NEAR(error_of(values, sign(values)), std::sqrt(1 - 2 / 3.14159265), 0.01);
  // Max 1960, table I: mean squared errors of the best quantisers.
  EXPECT_NEAR(std::pow(error_of(values, eden(values, 1)), 2), 0.3634, 0.01);
  EXPECT_NEAR(std::pow(error_of(values, eden(values, 2)), 2), 0.1175, 0.01);
  EXPECT_NEAR(std::pow(error_of(values, eden(values, 4)), 2), 0.0095, 0.001);
  // Steps of a seventh of the largest of 256, 3.05 in the mean, and a step's square's twelfth.
  EXPECT_NEAR(error_of(values, integers(values, 4)), 3.05 / 7 / std::sqrt(12), 0.005);
  EXPECT_LT(error_of(values, integers(values, 8)), 0.01);
  EXPECT_NEAR(error_of(values, e3m0(values)), 0.19, 0.03);
}

TEST(Rivals, TheirSizesFollowFromTheirFormats) {
  const auto values = gaussian(2);
  const double scales = 2.0 * kCount / 256;
  EXPECT_EQ(integers(values, 8).bytes, kCount + scales);
  EXPECT_EQ(e3m0(values).bytes, kCount / 2.0 + scales);
  // A hundredth of all: positions cost about H(0.01) / 0.01 = 8.1 bits each.
  const double count = kCount / 100.0;
  EXPECT_NEAR(top_k_8bit(values, kCount / 100).bytes, count * (8.1 + 8) / 8, 0.05 * 2 * count);
  EXPECT_NEAR(ternary(values, kCount / 100).bytes, count * (8.1 + 1) / 8, 0.05 * count);
}

TEST(Rivals, AFilterKeepsWhatIsLargeBesideItsParameter) {
  const std::vector<float> values = {0.011F, -0.021F, 0.001F, 0, 5, 0.0099F};
  const std::vector<float> parameters = {1, -2, 0, 0, 600, 1};
  const Lossy kept = filter(values, parameters, 0.01);
  EXPECT_EQ(kept.values, (std::vector<float>{0.011F, -0.021F, 0.001F, 0, 0, 0}));
  EXPECT_GT(kept.bytes, 3 * 4);
  EXPECT_LT(kept.bytes, 3 * 6);
}

TEST(Rivals, AnIdealCoderTakesTheEntropy) {
  const auto values = gaussian(3);
  // Independent values in steps of a half: h(N) - log2(0.5) = 2.047 + 1 bits.
  const Lossy fine = ideal(values, 0.5);
  EXPECT_NEAR(fine.bytes * 8 / kCount, 3.047, 0.03);
  EXPECT_NEAR(error_of(values, fine), 0.5 / std::sqrt(12), 0.005);
}

TEST(Rivals, OurOwnCurveFallsAndIsNowhereFarAboveAnEndOfAllTiles) {
  const auto values = gaussian(4);
  const Distortion ours(values);
  const auto& ends = ours.plane_ends();
  ASSERT_GT(ends.size(), 20U);
  double last = 0;
  for (std::size_t i = 1; i < ends.size(); ++i) {
    EXPECT_LE(ends[i].error, ends[i - 1].error);
    const double here = ours.bytes_at(ends[i].error);
    EXPECT_LE(here, 1.03 * ends[i].bytes + 16);  // one tile ends inside a plane
    EXPECT_GE(here, last);
    last = here;
    // Where all tiles are alike, as these are, they are best off with one end.
    if (ends[i].error < 0.9 && ends[i].error > 0.1) {
      EXPECT_NEAR(here, ends[i].bytes, 0.03 * ends[i].bytes) << ends[i].error;
    }
  }
  const double sparse = ours.sparse_list_error(kCount * 0.05 / 8);
  EXPECT_LT(sparse, 0.99);
  EXPECT_GT(sparse, std::exp2(-0.05));  // the rate-distortion bound of what is Gaussian
  EXPECT_LT(ours.sparse_list_error(kCount * 0.1 / 8), sparse);
}

}  // namespace
}  // namespace godwit::bench_codec

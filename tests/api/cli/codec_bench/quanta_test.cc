// Fixed point as a topic has it: the bits that are chosen, rounding, and what is refused.
#include "api/cli/codec_bench/quanta.h"

#include <cmath>
#include <limits>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/api/cli/codec_bench/samples.h"

namespace godwit::codec_bench {
namespace {

using tensor::ElementType;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(Quanta, ATopicsFortyBitsUnlessTheValuesWantOthers) {
  EXPECT_EQ(quanta_of(floats({0.01F, -2}), {})->fraction_bits, 40);
  // 2^62 / 3 is 1.33 * 2^60: from 1.33 * 2^20 on one bit less.
  EXPECT_EQ(quanta_of(floats({1.33F * 1048576}), {})->fraction_bits, 40);
  EXPECT_EQ(quanta_of(floats({1.34F * 1048576}), {})->fraction_bits, 39);
  EXPECT_EQ(quanta_of(floats({1e18F}), {})->fraction_bits, 0);
  // 2^20 quanta at least: 2^-20 has them with 40 bits, 2^-30 with 50.
  EXPECT_EQ(quanta_of(floats({std::ldexp(1.0F, -20)}), {})->fraction_bits, 40);
  EXPECT_EQ(quanta_of(floats({std::ldexp(1.0F, -30), 0, 0}), {})->fraction_bits, 50);
  EXPECT_EQ(quanta_of(floats({1e-15F}), {})->fraction_bits, 62);
  EXPECT_EQ(quanta_of(floats({0, 0}), {})->fraction_bits, 40);
  EXPECT_EQ(quanta_of(floats({0.5F}), 7)->fraction_bits, 7);
}

TEST(Quanta, RoundsHalfToEven) {
  const auto quanta = quanta_of(floats({0.5F, 1.5F, 2.5F, -0.5F, -1.5F, 0.75F, 3}), 0);
  EXPECT_THAT(quanta->values, ElementsAre(0, 2, 2, 0, -2, 1, 3));
  EXPECT_DOUBLE_EQ(quanta->energy, 0.25 + 2.25 + 6.25 + 0.25 + 2.25 + 0.5625 + 9);
  EXPECT_THAT(quanta_of(floats({-0.625F}), 3)->values, ElementsAre(-5));
}

TEST(Quanta, IntegersAreTakenAsTheyAre) {
  const std::vector<std::int64_t> values{1, -7, (std::int64_t{1} << 60) + 1};
  const auto quanta = quanta_of(sample_of(ElementType::kInt64, values), {});
  ASSERT_TRUE(quanta) << quanta.error().message;
  EXPECT_EQ(quanta->fraction_bits, 0);
  EXPECT_EQ(quanta->values, values);
  const std::vector<std::uint8_t> bytes{0, 255};
  EXPECT_THAT(quanta_of(sample_of(ElementType::kUint8, bytes), {})->values, ElementsAre(0, 255));
  EXPECT_THAT(quanta_of(sample_of(ElementType::kUint8, bytes), 4)->values,
              ElementsAre(0, 255 * 16));
}

TEST(Quanta, WhatIsNotFiniteIsNamedByItsPlaceInTheTensor) {
  for (const float wrong : {std::numeric_limits<float>::quiet_NaN(),
                            std::numeric_limits<float>::infinity(),
                            -std::numeric_limits<float>::infinity()}) {
    std::vector<float> values(3 * codec::kTileElements, 1);
    values[2 * codec::kTileElements + 5] = wrong;
    Sample sample = floats(values);
    sample.tiles[2] = 7 * codec::kTileElements;  // of a larger one
    const auto refused = quanta_of(sample, {});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::kInvalid);
    EXPECT_THAT(refused.error().message, HasSubstr("value 229381 is "));
  }
}

TEST(Quanta, WhatNoTopicHoldsIsRefusedWithAWayOut) {
  EXPECT_THAT(quanta_of(floats({1, -2e18F}), {}).error().message,
              AllOf(HasSubstr("value 1 is "), HasSubstr("divide the tensor")));
  EXPECT_THAT(quanta_of(floats({1, 4}), 60).error().message,
              AllOf(HasSubstr("value 1 is 4"), HasSubstr("60 fraction bits; at most 58")));
  EXPECT_THAT(quanta_of(floats({1e-30F, 0}), {}).error().message, HasSubstr("multiply the tensor"));
  const std::vector<double> denormal{5e-324};
  EXPECT_THAT(quanta_of(sample_of(ElementType::kFloat64, denormal), {}).error().message,
              HasSubstr("multiply the tensor"));
  EXPECT_THAT(quanta_of(floats({0.25F}), 1).error().message, HasSubstr("take more fraction bits"));
  const std::vector<std::int64_t> least{std::numeric_limits<std::int64_t>::min()};
  EXPECT_FALSE(quanta_of(sample_of(ElementType::kInt64, least), {}));
}

TEST(Quanta, NothingIsFixedPointToo) {
  const auto quanta = quanta_of(floats({}), {});
  ASSERT_TRUE(quanta);
  EXPECT_TRUE(quanta->values.empty());
  EXPECT_EQ(quanta->energy, 0);
}

}  // namespace
}  // namespace godwit::codec_bench

// Values by the standards' own tables, not by this machine's conversions.
#include "api/cli/tensor/element_type.h"

#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

namespace godwit::tensor {
namespace {

// The value of one element whose bytes, from the first on, are given.
double float_of(ElementType type, const std::vector<unsigned>& bytes) {
  std::vector<std::byte> stored;
  for (const unsigned byte : bytes) {
    stored.push_back(static_cast<std::byte>(byte));
  }
  double value = 0;
  read_floats(type, stored, {&value, 1});
  return value;
}

std::int64_t integer_of(ElementType type, const std::vector<unsigned>& bytes) {
  std::vector<std::byte> stored;
  for (const unsigned byte : bytes) {
    stored.push_back(static_cast<std::byte>(byte));
  }
  std::int64_t value = 0;
  read_integers(type, stored, {&value, 1});
  return value;
}

TEST(ElementType, HalvesAreThoseOfTheStandard) {
  EXPECT_EQ(float_of(ElementType::kFloat16, {0x00, 0x3C}), 1.0);
  EXPECT_EQ(float_of(ElementType::kFloat16, {0x00, 0xC0}), -2.0);
  EXPECT_EQ(float_of(ElementType::kFloat16, {0xFF, 0x7B}), 65504.0);
  EXPECT_EQ(float_of(ElementType::kFloat16, {0x00, 0x04}), std::ldexp(1.0, -14));  // least normal
  EXPECT_EQ(float_of(ElementType::kFloat16, {0x01, 0x00}), std::ldexp(1.0, -24));  // least
  EXPECT_EQ(float_of(ElementType::kFloat16, {0x55, 0x35}), 0.333251953125);
  EXPECT_TRUE(std::signbit(float_of(ElementType::kFloat16, {0x00, 0x80})));
  EXPECT_EQ(float_of(ElementType::kFloat16, {0x00, 0xFC}),
            -std::numeric_limits<double>::infinity());
  EXPECT_TRUE(std::isnan(float_of(ElementType::kFloat16, {0x01, 0x7C})));
}

TEST(ElementType, OtherFloats) {
  EXPECT_EQ(float_of(ElementType::kBfloat16, {0x80, 0x3F}), 1.0);
  EXPECT_EQ(float_of(ElementType::kBfloat16, {0x49, 0xC0}), -3.140625);
  EXPECT_TRUE(std::isnan(float_of(ElementType::kBfloat16, {0xC0, 0x7F})));
  EXPECT_EQ(float_of(ElementType::kFloat32, {0x00, 0x00, 0x20, 0x41}), 10.0);
  EXPECT_EQ(float_of(ElementType::kFloat64, {0, 0, 0, 0, 0, 0, 0x24, 0xC0}), -10.0);
}

TEST(ElementType, IntegersKeepEveryBit) {
  EXPECT_EQ(integer_of(ElementType::kInt8, {0x80}), -128);
  EXPECT_EQ(integer_of(ElementType::kUint8, {0x80}), 128);
  EXPECT_EQ(integer_of(ElementType::kInt16, {0xFE, 0xFF}), -2);
  EXPECT_EQ(integer_of(ElementType::kUint16, {0xFE, 0xFF}), 65534);
  EXPECT_EQ(integer_of(ElementType::kInt32, {0, 0, 0, 0x80}), -2147483648);
  EXPECT_EQ(integer_of(ElementType::kUint32, {0, 0, 0, 0x80}), 2147483648);
  EXPECT_EQ(integer_of(ElementType::kInt64, {1, 0, 0, 0, 0, 0, 0x20, 0}), 9007199254740993);
}

TEST(ElementType, IsKnownByItsShortNameAndNumPys) {
  for (const ElementType type : kElementTypes) {
    EXPECT_EQ(element_type_of(to_string(type)), type);
  }
  EXPECT_EQ(element_type_of("bfloat16"), ElementType::kBfloat16);
  EXPECT_EQ(element_type_of("float64"), ElementType::kFloat64);
  EXPECT_EQ(element_type_of("fp8"), std::nullopt);
  EXPECT_EQ(element_type_of(""), std::nullopt);
}

}  // namespace
}  // namespace godwit::tensor

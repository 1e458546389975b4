#include "api/cli/tensor/element_type.h"

#include <bit>
#include <cmath>
#include <cstring>

#include "dataplane/base/assert.h"
#include "dataplane/base/bytes.h"

namespace godwit::tensor {
namespace {

// In the order of ElementType.
struct TypeFacts {
  std::string_view name;
  std::string_view numpy_name;
  std::size_t bytes;
};

constexpr std::array<TypeFacts, kElementTypes.size()> kFacts{{{"fp32", "float32", 4},
                                                              {"fp64", "float64", 8},
                                                              {"fp16", "float16", 2},
                                                              {"bf16", "bfloat16", 2},
                                                              {"int8", "int8", 1},
                                                              {"int16", "int16", 2},
                                                              {"int32", "int32", 4},
                                                              {"int64", "int64", 8},
                                                              {"uint8", "uint8", 1},
                                                              {"uint16", "uint16", 2},
                                                              {"uint32", "uint32", 4}}};

const TypeFacts& facts_of(ElementType type) {
  return kFacts.at(static_cast<std::size_t>(type));
}

template <class Stored>
Stored stored_at(std::span<const std::byte> bytes, std::size_t index) {
  Stored value;
  std::memcpy(&value, bytes.data() + index * sizeof(value), sizeof(value));
  return value;
}

// IEEE 754 binary16: 1 bit of sign, 5 of exponent (bias 15), 10 of fraction.
double half(std::uint16_t bits) {
  const auto exponent = static_cast<int>(bits >> 10U & 31U);
  const auto fraction = static_cast<double>(bits & 1023U);
  double magnitude =
      std::ldexp(exponent == 0 ? fraction : fraction + 1024, exponent == 0 ? -24 : exponent - 25);
  if (exponent == 31) {
    magnitude = fraction == 0 ? HUGE_VAL : std::nan("");
  }
  return (bits & 0x8000U) != 0 ? -magnitude : magnitude;
}

double brain_float(std::uint16_t bits) {
  return static_cast<double>(std::bit_cast<float>(std::uint32_t{bits} << 16U));
}

template <class Stored, class Out, class Convert>
void read_as(std::span<const std::byte> bytes, std::span<Out> out, Convert convert) {
  GODWIT_ASSERT(bytes.size() == out.size() * sizeof(Stored));
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = convert(stored_at<Stored>(bytes, i));
  }
}

}  // namespace

std::size_t bytes_of(ElementType type) {
  return facts_of(type).bytes;
}

bool is_float(ElementType type) {
  return type <= ElementType::kBfloat16;
}

std::string_view to_string(ElementType type) {
  return facts_of(type).name;
}

std::optional<ElementType> element_type_of(std::string_view name) {
  for (const ElementType type : kElementTypes) {
    if (name == facts_of(type).name || name == facts_of(type).numpy_name) {
      return type;
    }
  }
  return std::nullopt;
}

std::string element_type_names() {
  std::string names;
  for (const ElementType type : kElementTypes) {
    names += names.empty() ? "" : ", ";
    names += to_string(type);
  }
  return names;
}

void read_floats(ElementType type, std::span<const std::byte> bytes, std::span<double> out) {
  switch (type) {
    case ElementType::kFloat32:
      return read_as<float>(bytes, out, [](float x) { return static_cast<double>(x); });
    case ElementType::kFloat64:
      return read_as<double>(bytes, out, [](double x) { return x; });
    case ElementType::kFloat16:
      return read_as<std::uint16_t>(bytes, out, half);
    case ElementType::kBfloat16:
      return read_as<std::uint16_t>(bytes, out, brain_float);
    default:
      GODWIT_ASSERT(false, "integers are read as such");
  }
}

void read_integers(ElementType type,
                   std::span<const std::byte> bytes,
                   std::span<std::int64_t> out) {
  const auto widened = [](auto x) { return std::int64_t{x}; };
  switch (type) {
    case ElementType::kInt8:
      return read_as<std::int8_t>(bytes, out, widened);
    case ElementType::kInt16:
      return read_as<std::int16_t>(bytes, out, widened);
    case ElementType::kInt32:
      return read_as<std::int32_t>(bytes, out, widened);
    case ElementType::kInt64:
      return read_as<std::int64_t>(bytes, out, [](std::int64_t x) { return x; });
    case ElementType::kUint8:
      return read_as<std::uint8_t>(bytes, out, widened);
    case ElementType::kUint16:
      return read_as<std::uint16_t>(bytes, out, widened);
    case ElementType::kUint32:
      return read_as<std::uint32_t>(bytes, out, widened);
    default:
      GODWIT_ASSERT(false, "floats are read as such");
  }
}

}  // namespace godwit::tensor

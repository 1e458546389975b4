// What the elements of a tensor's file can be, little endian, and their values.
//
// Thread: pure functions. Memory: none.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace godwit::tensor {

enum class ElementType : std::uint8_t {
  kFloat32,
  kFloat64,
  kFloat16,
  kBfloat16,  // the upper half of a float32
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kUint8,
  kUint16,
  kUint32,
};

inline constexpr std::array kElementTypes{ElementType::kFloat32,
                                          ElementType::kFloat64,
                                          ElementType::kFloat16,
                                          ElementType::kBfloat16,
                                          ElementType::kInt8,
                                          ElementType::kInt16,
                                          ElementType::kInt32,
                                          ElementType::kInt64,
                                          ElementType::kUint8,
                                          ElementType::kUint16,
                                          ElementType::kUint32};

std::size_t bytes_of(ElementType type);
bool is_float(ElementType type);

// "fp32", "bf16", "int64", "uint8".
std::string_view to_string(ElementType type);
// The type of that name; NumPy's names ("float32", "bfloat16") are known, too.
std::optional<ElementType> element_type_of(std::string_view name);
// All names of to_string(), with ", " between them.
std::string element_type_names();

// Floats, exactly. `bytes` holds out.size() elements of a type that is_float().
void read_floats(ElementType type, std::span<const std::byte> bytes, std::span<double> out);
// Integers, exactly; of every other type.
void read_integers(ElementType type, std::span<const std::byte> bytes, std::span<std::int64_t> out);

}  // namespace godwit::tensor

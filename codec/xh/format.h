// What encoder and decoder of XH share: element types, sizes and the layout of a chunk.
//
// Everything here is part of the format (SPEC.md): a change of any number is a new version.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace godwit::codec::xh {

// What the elements of a tensor are; numbers never change.
enum class Type : std::uint8_t {
  kFloat32 = 0,
  kBfloat16 = 1,
  kFloat16 = 2,
  kInt8 = 3,
  kInt16 = 4,
  kInt32 = 5,
  kInt64 = 6,
};
inline constexpr std::size_t kTypes = 7;

constexpr std::size_t bytes_of(Type type) {
  switch (type) {
    case Type::kInt8:
      return 1;
    case Type::kBfloat16:
    case Type::kFloat16:
    case Type::kInt16:
      return 2;
    case Type::kFloat32:
    case Type::kInt32:
      return 4;
    case Type::kInt64:
      return 8;
  }
  return 0;
}

constexpr bool is_float(Type type) {
  return type == Type::kFloat32 || type == Type::kBfloat16 || type == Type::kFloat16;
}

constexpr std::string_view to_string(Type type) {
  switch (type) {
    case Type::kFloat32:
      return "float32";
    case Type::kBfloat16:
      return "bfloat16";
    case Type::kFloat16:
      return "float16";
    case Type::kInt8:
      return "int8";
    case Type::kInt16:
      return "int16";
    case Type::kInt32:
      return "int32";
    case Type::kInt64:
      return "int64";
  }
  return "unknown";
}

// Elements of a full chunk; each can be decoded alone. The last of a tensor may be shorter.
inline constexpr std::size_t kChunkElements = 131072;
inline constexpr std::size_t kPlanesMax = 8;  // bytes of an element

// How a plane, the bytes of one significance of all elements, is written.
enum class Plane : std::uint8_t {
  kRaw = 0,       // the bytes
  kConstant = 1,  // one byte, which all are
  kCoded = 2,     // a prefix code for these bytes, and their codes
};

inline constexpr std::uint8_t kAgainstBase = 1;  // the words are differences to a base
inline constexpr std::uint8_t kGathered = 2;     // a map of words that are not zero, and those

// No chunk is longer: all planes raw, each behind its mode.
constexpr std::size_t chunk_bytes_max(Type type, std::size_t elements) {
  return 1 + bytes_of(type) * (elements + 1);
}

}  // namespace godwit::codec::xh

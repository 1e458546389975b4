// Bytes as hexadecimal text and back, for golden bytes in tests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace godwit::testing_support {

inline std::string to_hex(std::span<const std::byte> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const std::byte byte : bytes) {
    const auto value = std::to_integer<std::uint8_t>(byte);
    text += kDigits[value >> 4U];
    text += kDigits[value & 15U];
  }
  return text;
}

// Everything that is not a hexadecimal digit is skipped, so that golden text may have spaces.
inline std::vector<std::byte> from_hex(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::vector<std::byte> bytes;
  unsigned pending = 0;
  bool half = false;
  for (const char c : text) {
    const auto digit = kDigits.find(c);
    if (digit == std::string_view::npos) {
      continue;
    }
    pending = (pending << 4U) | static_cast<unsigned>(digit);
    if (half) {
      bytes.push_back(static_cast<std::byte>(pending & 0xFFU));
    }
    half = !half;
  }
  return bytes;
}

}  // namespace godwit::testing_support

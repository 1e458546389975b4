// The Internet checksum of RFC 1071: the ones'-complement sum of 16-bit words.
//
// Sums are kept in the order of memory and unfolded: section 2 (B) of the RFC shows that folding
// commutes with the order of bytes, so nothing is ever swapped.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace godwit::port::ip {

// An unfolded sum. Sums of at most 2^31 words may be added without care.
using Sum = std::uint64_t;

// Bytes of the longest vector that is used. What is shorter is added without: the dispatch alone
// would cost more (chosen).
inline constexpr std::size_t kVectorBytesMax = 64;

namespace detail {
inline Sum sum_of_scalar(std::span<const std::byte> bytes) {
  Sum sum = 0;  // of 32 bits at a time: two words, the upper one is folded down later
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= sizeof(std::uint64_t); left -= sizeof(std::uint64_t)) {
    std::uint64_t words = 0;
    std::memcpy(&words, at, sizeof(words));
    sum += (words & 0xffffffffU) + (words >> 32U);
    at += sizeof(words);
  }
  if (left > 0) {
    std::uint64_t words = 0;
    std::memcpy(&words, at, left);
    sum += (words & 0xffffffffU) + (words >> 32U);
  }
  return sum;
}

// Of kVectorBytesMax bytes or more.
Sum sum_of_vector(std::span<const std::byte> bytes);
Sum copy_and_sum_vector(std::span<const std::byte> from, std::byte* to);
}  // namespace detail

// An odd last byte counts as if a zero followed; so only the last of several parts may be odd.
inline Sum sum_of(std::span<const std::byte> bytes) {
  return bytes.size() < kVectorBytesMax ? detail::sum_of_scalar(bytes)
                                        : detail::sum_of_vector(bytes);
}

// Copies `from` to `to`, which has as much room elsewhere; returns the sum. One pass for both: a
// packet is read once on its way out.
inline Sum copy_and_sum(std::span<const std::byte> from, std::byte* to) {
  if (from.size() < kVectorBytesMax) {
    std::copy(from.begin(), from.end(), to);
    return detail::sum_of_scalar(from);
  }
  return detail::copy_and_sum_vector(from, to);
}

// The sum of one word that is given in host order.
inline Sum sum_of(std::uint16_t word) {
  const std::array<std::uint8_t, 2> bytes = {static_cast<std::uint8_t>(word >> 8U),
                                             static_cast<std::uint8_t>(word & 0xffU)};
  std::uint16_t value = 0;
  std::memcpy(&value, bytes.data(), sizeof(value));
  return value;
}

// To 16 bits, in the order of memory.
inline std::uint16_t fold(Sum sum) {
  sum = (sum & 0xffffffffU) + (sum >> 32U);
  sum = (sum & 0xffffffffU) + (sum >> 32U);
  sum = (sum & 0xffffU) + (sum >> 16U);
  sum = (sum & 0xffffU) + (sum >> 16U);
  return static_cast<std::uint16_t>(sum);
}

inline std::array<std::uint8_t, 2> in_memory_order(std::uint16_t value) {
  std::array<std::uint8_t, 2> bytes{};
  std::memcpy(bytes.data(), &value, sizeof(value));
  return bytes;
}

// What a checksum field is set to when `sum` covers everything with that field as zero.
inline std::array<std::uint8_t, 2> checksum_of(Sum sum) {
  return in_memory_order(static_cast<std::uint16_t>(~fold(sum)));
}

// UDP's: a checksum of zero would mean that there is none (RFC 768).
inline std::array<std::uint8_t, 2> udp_checksum_of(Sum sum) {
  const auto value = static_cast<std::uint16_t>(~fold(sum));
  return in_memory_order(value == 0 ? std::uint16_t{0xffff} : value);
}

// True when `sum`, over everything with the checksum in its place, says that nothing changed.
inline bool is_intact(Sum sum) {
  return fold(sum) == 0xffff;
}

}  // namespace godwit::port::ip

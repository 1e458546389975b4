#include "bench/wan/arp.h"

#include <algorithm>
#include <array>

namespace godwit::wan {
namespace {

// The frame, RFC 826: Ethernet's addresses and type, the fixed part, then two pairs of addresses.
constexpr std::size_t kDestination = 0;
constexpr std::size_t kSource = 6;
constexpr std::size_t kType = 12;
constexpr std::size_t kOperation = 20;
constexpr std::size_t kSenderMac = 22;
constexpr std::size_t kTargetMac = 32;
constexpr std::size_t kTargetAddress = 38;
constexpr std::size_t kFrameBytesMin = 42;
constexpr std::size_t kMacBytes = 6;
constexpr std::size_t kMacAndAddressBytes = 10;

template <std::size_t N>
constexpr std::array<std::byte, N> bytes(const std::array<int, N>& values) {
  std::array<std::byte, N> out{};
  std::transform(values.begin(), values.end(), out.begin(), [](int value) {
    return static_cast<std::byte>(value);
  });
  return out;
}

// Type ARP, hardware Ethernet, protocol IPv4, the lengths of their addresses, a question.
constexpr auto kQuestion = bytes<10>({0x08, 0x06, 0, 1, 0x08, 0x00, 6, 4, 0, 1});
constexpr std::byte kAnswer{2};

bool begins_with(std::span<const std::byte> data, std::span<const std::byte> prefix) {
  return std::equal(prefix.begin(), prefix.end(), data.begin());
}

}  // namespace

bool answer_arp(std::span<std::byte> frame, std::size_t from, std::size_t sites) {
  if (frame.size() < kFrameBytesMin || !begins_with(frame.subspan(kType), kQuestion)) {
    return false;
  }
  // 10.77.i.1
  const auto address = frame.subspan(kTargetAddress, 4);
  const auto site = std::to_integer<std::size_t>(address[2]);
  const auto expected = bytes<4>({10, 77, static_cast<int>(site), 1});
  if (!begins_with(address, expected) || site >= sites || site == from) {
    return false;
  }
  const auto mac = bytes<kMacBytes>({0x02, 0x77, 0, 0, 0, static_cast<int>(site)});
  const auto copy = [&](std::size_t what, std::size_t where, std::size_t count) {
    std::copy_n(frame.begin() + static_cast<std::ptrdiff_t>(what),
                count,
                frame.begin() + static_cast<std::ptrdiff_t>(where));
  };
  std::array<std::byte, 4> asked{};
  std::copy(address.begin(), address.end(), asked.begin());
  copy(kSource, kDestination, kMacBytes);
  copy(kSenderMac, kTargetMac, kMacAndAddressBytes);
  std::copy(mac.begin(), mac.end(), frame.begin() + kSource);
  std::copy(mac.begin(), mac.end(), frame.begin() + kSenderMac);
  std::copy(asked.begin(), asked.end(), frame.begin() + kSenderMac + kMacBytes);
  frame[kOperation + 1] = kAnswer;
  return true;
}

}  // namespace godwit::wan

// The headers of Ethernet, ARP, IPv4, IPv6, UDP and ICMP as they lie in a frame.
//
// Every struct consists of bytes, so it has no padding and no alignment; `load` and `store` copy it
// from and to a frame. Numbers on the wire are big-endian. Sources: IEEE 802.3 and 802.1Q, RFC 826
// (ARP), 791 (IPv4), 8200 (IPv6), 768 (UDP), 792 and 4443 (ICMP), 4861 (ND).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

#include "dataplane/port/ip/device.h"

namespace godwit::port::ip {

class Big16 {
 public:
  Big16() = default;
  constexpr Big16(std::uint16_t value)  // NOLINT(google-explicit-constructor): a number in a header
      : bytes_{static_cast<std::uint8_t>(value >> 8U), static_cast<std::uint8_t>(value & 0xffU)} {}
  constexpr operator std::uint16_t() const {  // NOLINT(google-explicit-constructor)
    return static_cast<std::uint16_t>((bytes_[0] << 8U) | bytes_[1]);
  }

 private:
  std::array<std::uint8_t, 2> bytes_{};
};

enum EtherType : std::uint16_t {
  kTypeIpv4 = 0x0800,
  kTypeArp = 0x0806,
  kTypeTag = 0x8100,  // 802.1Q: a tag, then the type proper
  kTypeIpv6 = 0x86dd
};

enum Protocol : std::uint8_t {
  kIcmp = 1,
  kUdp = 17,
  kFragment = 44,
  kIcmp6 = 58
};

struct Ethernet {
  Mac to{};
  Mac from{};
  Big16 type{};
};

struct Tag {
  Big16 control{};  // priority (3 bits), drop eligible (1), VLAN id (12)
  Big16 type{};
};

struct Arp {
  Big16 hardware = std::uint16_t{1};  // Ethernet
  Big16 protocol = std::uint16_t{kTypeIpv4};
  std::uint8_t hardware_bytes = 6;
  std::uint8_t protocol_bytes = 4;
  Big16 operation{};  // kArpRequest, kArpReply
  Mac sender_mac{};
  std::array<std::uint8_t, 4> sender{};
  Mac target_mac{};
  std::array<std::uint8_t, 4> target{};
};
inline constexpr std::uint16_t kArpRequest = 1;
inline constexpr std::uint16_t kArpReply = 2;

struct Ipv4 {
  std::uint8_t version_words = 0x45;  // version 4, a header of 5 words: without options
  std::uint8_t traffic_class = 0;     // DSCP (6 bits), ECN (2)
  Big16 total_bytes{};
  Big16 id{};        // zero: a datagram that is never fragmented needs none (RFC 6864)
  Big16 fragment{};  // flags (3 bits), offset (13)
  std::uint8_t hops = 64;
  std::uint8_t protocol = 0;
  std::array<std::uint8_t, 2> checksum{};  // in the order of memory, see checksum.h
  std::array<std::uint8_t, 4> from{};
  std::array<std::uint8_t, 4> to{};
};
inline constexpr std::uint16_t kDontFragment = 0x4000;
inline constexpr std::uint16_t kFragmentBits = 0x3fff;  // more fragments, or an offset

struct Ipv6 {
  std::array<std::uint8_t, 4> version_class_flow{0x60, 0, 0, 0};  // 4, 8 and 20 bits
  Big16 payload_bytes{};
  std::uint8_t protocol = 0;
  std::uint8_t hops = 64;
  std::array<std::uint8_t, 16> from{};
  std::array<std::uint8_t, 16> to{};
};

struct Udp {
  Big16 from{};
  Big16 to{};
  Big16 bytes{};  // with this header
  std::array<std::uint8_t, 2> checksum{};
};

// Both versions of ICMP; `rest` depends on the type.
struct IcmpHeader {
  std::uint8_t type = 0;
  std::uint8_t code = 0;
  std::array<std::uint8_t, 2> checksum{};
  std::array<std::uint8_t, 4> rest{};
};
inline constexpr std::uint8_t kUnreachable = 3;  // with code 4: fragmentation needed
inline constexpr std::uint8_t kFragmentationNeeded = 4;
inline constexpr std::uint8_t kPacketTooBig6 = 2;
inline constexpr std::uint8_t kEchoReply = 0;
inline constexpr std::uint8_t kEchoRequest = 8;
inline constexpr std::uint8_t kEchoRequest6 = 128;
inline constexpr std::uint8_t kEchoReply6 = 129;
inline constexpr std::uint8_t kSolicitation = 135;
inline constexpr std::uint8_t kAdvertisement = 136;

// Neighbour solicitation and advertisement, with the one option that carries a MAC.
struct Discovery {
  IcmpHeader icmp{};
  std::array<std::uint8_t, 16> target{};
};
struct MacOption {
  std::uint8_t type = 0;   // kSourceMac, kTargetMac
  std::uint8_t words = 1;  // the option's length in units of 8 bytes
  Mac mac{};
};
inline constexpr std::uint8_t kSourceMac = 1;
inline constexpr std::uint8_t kTargetMac = 2;
inline constexpr std::uint8_t kSolicitedFlag = 0x40;  // in the first byte of `rest`
inline constexpr std::uint8_t kOverrideFlag = 0x20;

static_assert(sizeof(Ethernet) == 14 && sizeof(Tag) == 4 && sizeof(Arp) == 28);
static_assert(sizeof(Ipv4) == 20 && sizeof(Ipv6) == 40 && sizeof(Udp) == 8);
static_assert(sizeof(IcmpHeader) == 8 && sizeof(Discovery) == 24 && sizeof(MacOption) == 8);

// `bytes` must hold a T from its beginning; the caller has checked.
template <class T>
T load(std::span<const std::byte> bytes) {
  static_assert(std::is_trivially_copyable_v<T> && alignof(T) == 1);
  T value;
  std::memcpy(&value, bytes.data(), sizeof(T));
  return value;
}

// Returns what follows in `bytes`.
template <class T>
std::span<std::byte> store(std::span<std::byte> bytes, const T& value) {
  static_assert(std::is_trivially_copyable_v<T> && alignof(T) == 1);
  std::memcpy(bytes.data(), &value, sizeof(T));
  return bytes.subspan(sizeof(T));
}

inline constexpr Mac kBroadcastMac = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
inline bool is_group(const Mac& mac) {
  return (mac[0] & 1U) != 0;
}

}  // namespace godwit::port::ip

// Frames as a test writes them down, byte by byte and independently of the code under test.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

#include "dataplane/port/ip/device.h"

namespace godwit::port::frames {

using Octets = std::vector<std::uint8_t>;
using Frames = std::vector<Octets>;

inline constexpr Mac kOwnMac = {0x02, 0, 0, 0, 0, 0x01};
inline constexpr Mac kPeerMac = {0x02, 0, 0, 0, 0, 0x02};
inline constexpr Mac kOtherMac = {0x02, 0, 0, 0, 0, 0x03};
inline constexpr Mac kAllMacs = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

// 10.9.0.<last> and fd09::<last>.
inline Octets v4(std::uint8_t last) {
  return {10, 9, 0, last};
}
inline Octets v6(std::uint8_t last) {
  return {0xfd, 0x09, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last};
}

inline Octets big16(std::size_t value) {
  return {static_cast<std::uint8_t>((value >> 8U) & 0xffU),
          static_cast<std::uint8_t>(value & 0xffU)};
}

template <class... Parts>
Octets join(const Parts&... parts) {
  Octets all;
  (all.insert(all.end(), std::begin(parts), std::end(parts)), ...);
  return all;
}

// RFC 1071, in the most naive way.
inline std::uint16_t checksum(const Octets& octets) {
  std::uint32_t sum = 0;
  for (std::size_t at = 0; at < octets.size(); ++at) {
    sum += at % 2 == 0 ? static_cast<std::uint32_t>(octets[at] << 8U) : octets[at];
    sum = (sum & 0xffffU) + (sum >> 16U);
  }
  return static_cast<std::uint16_t>(~sum & 0xffffU);
}

inline Octets put16(Octets octets, std::size_t at, std::size_t value) {
  octets[at] = big16(value)[0];
  octets[at + 1] = big16(value)[1];
  return octets;
}

inline Octets ethernet(const Mac& to, const Mac& from, std::uint16_t type, const Octets& payload) {
  return join(to, from, big16(type), payload);
}

inline Octets tagged(const Octets& frame, std::uint16_t vlan) {
  const auto cut = frame.begin() + 12;
  return join(Octets(frame.begin(), cut), big16(0x8100), big16(vlan), Octets(cut, frame.end()));
}

inline Octets arp(std::uint16_t operation,
                  const Mac& sender_mac,
                  const Octets& sender,
                  const Mac& target_mac,
                  const Octets& target) {
  return join(Octets{0, 1, 8, 0, 6, 4}, big16(operation), sender_mac, sender, target_mac, target);
}

inline Octets ipv4(const Octets& from,
                   const Octets& to,
                   std::uint8_t protocol,
                   const Octets& payload,
                   std::uint8_t traffic_class = 0) {
  Octets header = join(Octets{0x45, traffic_class},
                       big16(20 + payload.size()),
                       Octets{0, 0, 0x40, 0, 64, protocol, 0, 0},
                       from,
                       to);
  header = put16(header, 10, checksum(header));
  return join(header, payload);
}

inline Octets ipv6(const Octets& from,
                   const Octets& to,
                   std::uint8_t protocol,
                   const Octets& payload,
                   std::uint8_t hops = 64,
                   std::uint8_t traffic_class = 0) {
  return join(Octets{static_cast<std::uint8_t>(0x60U | (traffic_class >> 4U)),
                     static_cast<std::uint8_t>(traffic_class << 4U),
                     0,
                     0},
              big16(payload.size()),
              Octets{protocol, hops},
              from,
              to,
              payload);
}

// Over the pseudo header of either family.
inline std::uint16_t checksum_with_addresses(const Octets& from,
                                             const Octets& to,
                                             std::uint8_t protocol,
                                             const Octets& payload) {
  return checksum(join(from, to, Octets{0, protocol}, big16(payload.size()), payload));
}

inline Octets udp(const Octets& from,
                  const Octets& to,
                  std::uint16_t from_port,
                  std::uint16_t to_port,
                  const Octets& payload) {
  const Octets plain =
      join(big16(from_port), big16(to_port), big16(8 + payload.size()), Octets{0, 0}, payload);
  const std::uint16_t sum = checksum_with_addresses(from, to, 17, plain);
  return put16(plain, 6, sum == 0 ? 0xffff : sum);
}

inline Octets icmp4(std::uint8_t type, std::uint8_t code, const Octets& rest) {
  const Octets plain = join(Octets{type, code, 0, 0}, rest);
  return put16(plain, 2, checksum(plain));
}

inline Octets icmp6(const Octets& from,
                    const Octets& to,
                    std::uint8_t type,
                    std::uint8_t code,
                    const Octets& rest) {
  const Octets plain = join(Octets{type, code, 0, 0}, rest);
  return put16(plain, 2, checksum_with_addresses(from, to, 58, plain));
}

}  // namespace godwit::port::frames

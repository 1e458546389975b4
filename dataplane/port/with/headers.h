// The IP and UDP headers that a datagram had on its way, written anew: sockets do not show them.
//
// IPv4 as RFC 791 without options, IPv6 as RFC 8200 without extensions, UDP as RFC 768; every
// checksum is computed; the hop limit is 64, for what a received one had left is not told.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/port/peer.h"

namespace godwit::port {

inline constexpr std::size_t kHeadersBytesMax = 48;  // IPv6 and UDP

// One datagram, for its headers.
struct Datagram {
  Peer from;
  Peer to;
  std::uint8_t traffic_class = 0;  // codepoint and ECN as they stand in the header
  std::span<const std::byte> payload;
};

// Writes the headers of `datagram` to the front of `out` and returns their size: 48 bytes when both
// ends have IPv6 addresses, else 28. A wildcard socket of IPv6 that speaks with an IPv4 host is
// then the unspecified IPv4 address.
std::size_t write_headers(const Datagram& datagram, std::span<std::byte, kHeadersBytesMax> out);

}  // namespace godwit::port

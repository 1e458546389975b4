// An IPv4 or IPv6 address without a port, and the network that an interface belongs to.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "dataplane/base/result.h"
#include "dataplane/port/peer.h"

namespace godwit::port::ip {

struct Address {
  std::array<std::uint8_t, 16> bytes{};  // network byte order; IPv4 uses the first four
  bool is_v6 = false;

  static Address of(const Peer& peer) { return {peer.address(), peer.is_v6()}; }
  // From 4 or 16 bytes of a header.
  static Address of(std::span<const std::byte> octets);
  // kInvalid unless `text` is a numeric address, IPv6 without brackets.
  static Result<Address> parse(std::string_view text);

  std::span<const std::uint8_t> octets() const { return {bytes.data(), is_v6 ? 16U : 4U}; }
  Peer with_port(std::uint16_t udp_port) const;
  std::string format() const;

  bool is_unspecified() const { return bytes == decltype(bytes){}; }
  // May stand as the source of a datagram and as its destination: neither unspecified, loopback,
  // multicast, limited broadcast nor an IPv4 address in IPv6's clothes (RFC 6890).
  bool is_one_host() const;
  bool is_link_local() const;

  auto operator<=>(const Address&) const = default;
};

// An interface's own address with the length of its network's prefix.
struct Subnet {
  Address address;
  unsigned prefix_bits = 0;  // 1..32 or 1..128

  // "192.0.2.7/24", "2001:db8::7/64".
  static Result<Subnet> parse(std::string_view text);
  bool contains(const Address& other) const;
  // IPv4: the network's own address or its broadcast address (not for /31 and /32, RFC 3021).
  bool is_edge(const Address& other) const;
};

}  // namespace godwit::port::ip

// The address of a datagram's other end: an IPv4 or IPv6 address with a UDP port, as a value.
//
// Only numeric addresses are accepted ("192.0.2.7:4433", "[2001:db8::1]:4433"), because a worker
// must never wait for a name server. An IPv4 address mapped into IPv6 is stored as IPv4, so that
// one host has one value.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include <sys/socket.h>

#include "dataplane/base/result.h"

namespace godwit::port {

class Peer {
 public:
  // The unspecified peer: equal to itself, not a destination.
  Peer() = default;

  // kInvalid unless `text` is "host:port" with a numeric host (IPv6 in brackets).
  static Result<Peer> parse(std::string_view text);
  static Peer v4(std::array<std::uint8_t, 4> address, std::uint16_t port);
  static Peer v6(std::array<std::uint8_t, 16> address, std::uint16_t port);
  // kInvalid for families other than AF_INET and AF_INET6.
  static Result<Peer> from_sockaddr(const sockaddr* address, socklen_t bytes);

  // Fills `out` and returns the bytes used (sockaddr_in or sockaddr_in6).
  socklen_t to_sockaddr(sockaddr_storage& out) const;
  std::string format() const;

  bool is_v6() const { return is_v6_; }
  // In network byte order; IPv4 uses the first four bytes, the others are zero.
  const std::array<std::uint8_t, 16>& address() const { return address_; }
  bool is_unspecified() const { return *this == Peer(); }
  // False for 0.0.0.0, for :: and for the unspecified peer, whatever the port.
  bool has_host() const { return address_ != std::array<std::uint8_t, 16>{}; }
  std::uint16_t udp_port() const { return udp_port_; }
  Peer with_port(std::uint16_t udp_port) const;
  bool same_host(const Peer& other) const;

  auto operator<=>(const Peer&) const = default;
  std::size_t hash() const;

 private:
  std::array<std::uint8_t, 16> address_{};  // IPv4 uses the first four bytes
  std::uint16_t udp_port_ = 0;              // host byte order
  bool is_v6_ = false;
};

}  // namespace godwit::port

template <>
struct std::hash<godwit::port::Peer> {
  std::size_t operator()(const godwit::port::Peer& peer) const { return peer.hash(); }
};

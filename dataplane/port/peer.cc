#include "dataplane/port/peer.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include <arpa/inet.h>
#include <netinet/in.h>

namespace godwit::port {
namespace {

constexpr std::array<std::uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

Result<std::uint16_t> parse_port(std::string_view digits, std::string_view whole) {
  std::uint16_t value = 0;
  const char* end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, value);
  if (digits.empty() || error != std::errc() || stop != end) {
    return fail(Code::kInvalid, "'{}': the port must be a number of at most 65535", whole);
  }
  return value;
}

}  // namespace

Peer Peer::v4(std::array<std::uint8_t, 4> address, std::uint16_t port) {
  Peer peer;
  std::copy(address.begin(), address.end(), peer.address_.begin());
  peer.udp_port_ = port;
  return peer;
}

Peer Peer::v6(std::array<std::uint8_t, 16> address, std::uint16_t port) {
  if (std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), address.begin())) {
    return v4({address[12], address[13], address[14], address[15]}, port);
  }
  Peer peer;
  peer.address_ = address;
  peer.udp_port_ = port;
  peer.is_v6_ = true;
  return peer;
}

Result<Peer> Peer::parse(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    return fail(Code::kInvalid, "'{}': expected host:port", text);
  }
  const auto port = parse_port(text.substr(colon + 1), text);
  if (!port) {
    return tl::unexpected(port.error());
  }
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) {
    host = host.substr(1, host.size() - 2);
  }
  const std::string host_text(host);  // inet_pton wants a terminating zero
  if (bracketed) {
    std::array<std::uint8_t, 16> address{};
    if (inet_pton(AF_INET6, host_text.c_str(), address.data()) == 1) {
      return v6(address, *port);
    }
  } else {
    std::array<std::uint8_t, 4> address{};
    if (inet_pton(AF_INET, host_text.c_str(), address.data()) == 1) {
      return v4(address, *port);
    }
  }
  return fail(Code::kInvalid,
              "'{}': the host must be a numeric IPv4 address or an IPv6 address in brackets",
              text);
}

Result<Peer> Peer::from_sockaddr(const sockaddr* address, socklen_t bytes) {
  if (address != nullptr && bytes >= sizeof(sockaddr_in) && address->sa_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, address, sizeof(in));
    std::array<std::uint8_t, 4> host{};
    std::memcpy(host.data(), &in.sin_addr, host.size());
    return v4(host, ntohs(in.sin_port));
  }
  if (address != nullptr && bytes >= sizeof(sockaddr_in6) && address->sa_family == AF_INET6) {
    sockaddr_in6 in{};
    std::memcpy(&in, address, sizeof(in));
    std::array<std::uint8_t, 16> host{};
    std::memcpy(host.data(), &in.sin6_addr, host.size());
    return v6(host, ntohs(in.sin6_port));
  }
  return fail(Code::kInvalid, "neither an IPv4 nor an IPv6 address");
}

socklen_t Peer::to_sockaddr(sockaddr_storage& out) const {
  out = {};
  if (is_v6_) {
    sockaddr_in6 in{};
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(udp_port_);
    std::memcpy(&in.sin6_addr, address_.data(), address_.size());
    std::memcpy(&out, &in, sizeof(in));
    return sizeof(in);
  }
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = htons(udp_port_);
  std::memcpy(&in.sin_addr, address_.data(), sizeof(in.sin_addr));
  std::memcpy(&out, &in, sizeof(in));
  return sizeof(in);
}

std::string Peer::format() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(is_v6_ ? AF_INET6 : AF_INET, address_.data(), text.data(), text.size());
  return is_v6_ ? fmt::format("[{}]:{}", text.data(), udp_port_)
                : fmt::format("{}:{}", text.data(), udp_port_);
}

Peer Peer::with_port(std::uint16_t udp_port) const {
  Peer peer = *this;
  peer.udp_port_ = udp_port;
  return peer;
}

bool Peer::same_host(const Peer& other) const {
  return is_v6_ == other.is_v6_ && address_ == other.address_;
}

std::size_t Peer::hash() const {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  std::memcpy(&high, address_.data(), sizeof(high));
  std::memcpy(&low, address_.data() + sizeof(high), sizeof(low));
  // Multiplicative mixing with SplitMix64's constants; not meant against attackers.
  std::uint64_t mixed = (high ^ udp_port_) * 0x9e3779b97f4a7c15U;
  mixed ^= (low + (is_v6_ ? 1U : 0U)) * 0xbf58476d1ce4e5b9U;
  return mixed ^ (mixed >> 29U);
}

}  // namespace godwit::port

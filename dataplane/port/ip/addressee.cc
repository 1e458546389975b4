#include "dataplane/port/ip/addressee.h"

#include <optional>

#include "dataplane/port/ip/wire.h"

namespace godwit::port::ip {
namespace {

constexpr Addressee kForAnyone{};
constexpr Addressee kForEveryone{.kind = Addressee::Kind::kEveryone};

Addressee for_port(std::uint16_t port) {
  return {.kind = Addressee::Kind::kPort, .udp_port = port};
}

// What follows an IP header without options, extensions and fragments.
struct Inside {
  std::uint8_t protocol = 0;
  std::span<const std::byte> payload;
};

std::optional<Inside> inside_v4(std::span<const std::byte> packet) {
  if (packet.size() < sizeof(Ipv4)) {
    return std::nullopt;
  }
  const auto header = load<Ipv4>(packet);
  if (header.version_words != Ipv4{}.version_words || (header.fragment & kFragmentBits) != 0) {
    return std::nullopt;
  }
  return Inside{header.protocol, packet.subspan(sizeof(Ipv4))};
}

std::optional<Inside> inside_v6(std::span<const std::byte> packet) {
  if (packet.size() < sizeof(Ipv6)) {
    return std::nullopt;
  }
  return Inside{load<Ipv6>(packet).protocol, packet.subspan(sizeof(Ipv6))};
}

// An error of ICMP quotes the packet that it is about, which one of us sent.
template <class Header>
Addressee of_quote(std::span<const std::byte> quote) {
  if (quote.size() < sizeof(Header) + sizeof(Udp) || load<Header>(quote).protocol != kUdp) {
    return kForAnyone;
  }
  return for_port(load<Udp>(quote.subspan(sizeof(Header))).from);
}

Addressee of_packet(const std::optional<Inside>& packet, bool is_v6) {
  if (!packet || packet->payload.size() < sizeof(Udp)) {
    return kForAnyone;
  }
  if (packet->protocol == kUdp) {
    return for_port(load<Udp>(packet->payload).to);
  }
  static_assert(sizeof(Udp) == sizeof(IcmpHeader));
  const auto type = load<IcmpHeader>(packet->payload).type;
  const auto rest = packet->payload.subspan(sizeof(IcmpHeader));
  if (!is_v6) {
    const bool is_error = packet->protocol == kIcmp && type == kUnreachable;
    return is_error ? of_quote<Ipv4>(rest) : kForAnyone;
  }
  if (packet->protocol != kIcmp6) {
    return kForAnyone;
  }
  if (type == kSolicitation || type == kAdvertisement) {
    return kForEveryone;
  }
  return type == kPacketTooBig6 ? of_quote<Ipv6>(rest) : kForAnyone;
}

}  // namespace

Addressee addressee_of(std::span<const std::byte> frame) {
  if (frame.size() < sizeof(Ethernet)) {
    return kForAnyone;
  }
  std::uint16_t type = load<Ethernet>(frame).type;
  auto rest = frame.subspan(sizeof(Ethernet));
  if (type == kTypeTag) {
    if (rest.size() < sizeof(Tag)) {
      return kForAnyone;
    }
    type = load<Tag>(rest).type;
    rest = rest.subspan(sizeof(Tag));
  }
  switch (type) {
    case kTypeArp:
      return kForEveryone;
    case kTypeIpv4:
      return of_packet(inside_v4(rest), false);
    case kTypeIpv6:
      return of_packet(inside_v6(rest), true);
    default:
      return kForAnyone;
  }
}

}  // namespace godwit::port::ip

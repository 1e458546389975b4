#include "dataplane/port/ip/packet.h"

namespace godwit::port::ip {
namespace {

Read<Packet> refuse(Fate fate) {
  return tl::unexpected(fate);
}

// `from` and `to` are set; decides whether the packet is ours.
Read<Packet> for_us(const Interface& self, const Link& link, Packet packet) {
  const Address from = Address::of(packet.from);
  const Address to = Address::of(packet.to);
  // Neighbour discovery from our address and another MAC is somebody else's, and the resolver's.
  if (self.is_mine(from) && !(packet.is_v6 && packet.protocol == kIcmp6)) {
    return refuse(Fate::kLooped);
  }
  // The unspecified address is for duplicate address detection alone (RFC 4862 section 5.4.2).
  const bool may_be_unspecified = packet.is_v6 && packet.protocol == kIcmp6;
  if (!from.is_one_host() && !(may_be_unspecified && from.is_unspecified())) {
    return refuse(Fate::kBadSource);
  }
  if (const auto& own = self.subnet(packet.is_v6); own && own->is_edge(from)) {
    return refuse(Fate::kBadSource);
  }
  packet.is_to_host = self.is_mine(to) && !is_group(link.to);
  const auto& v6 = self.options.v6;
  const bool is_to_group = packet.is_v6 && v6 && packet.protocol == kIcmp6 &&
                           (to == kAllNodes || to == Interface::solicited_node(v6->address));
  if (!packet.is_to_host && !is_to_group) {
    return refuse(Fate::kWrongHost);
  }
  return packet;
}

Read<Packet> read_v4(const Interface& self, const Link& link, Checksums checked) {
  if (link.payload.size() < sizeof(Ipv4)) {
    return refuse(Fate::kTruncated);
  }
  const auto header = load<Ipv4>(link.payload);
  if ((header.version_words >> 4U) != 4 || (header.version_words & 15U) < 5) {
    return refuse(Fate::kBadIp);
  }
  if (header.version_words != 0x45) {
    return refuse(Fate::kIpOptions);
  }
  const std::size_t total = header.total_bytes;
  if (total > link.payload.size()) {
    return refuse(Fate::kTruncated);
  }
  const auto header_bytes = link.payload.first(sizeof(Ipv4));
  if (total < sizeof(Ipv4) || (checked != Checksums::kGood && !is_intact(sum_of(header_bytes)))) {
    return refuse(Fate::kBadIp);
  }
  if ((header.fragment & kFragmentBits) != 0) {
    return refuse(Fate::kIpFragment);
  }
  return for_us(self,
                link,
                {.is_v6 = false,
                 .protocol = header.protocol,
                 .ecn = static_cast<std::uint8_t>(header.traffic_class & 3U),
                 .hops = header.hops,
                 .from = header_bytes.subspan(12, 4),
                 .to = header_bytes.subspan(16, 4),
                 .payload = link.payload.subspan(sizeof(Ipv4), total - sizeof(Ipv4))});
}

Read<Packet> read_v6(const Interface& self, const Link& link) {
  if (link.payload.size() < sizeof(Ipv6)) {
    return refuse(Fate::kTruncated);
  }
  const auto header = load<Ipv6>(link.payload);
  if ((header.version_class_flow[0] >> 4U) != 6) {
    return refuse(Fate::kBadIp);
  }
  const std::size_t bytes = header.payload_bytes;
  if (bytes > link.payload.size() - sizeof(Ipv6)) {
    return refuse(Fate::kTruncated);
  }
  switch (header.protocol) {
    case kFragment:
      return refuse(Fate::kIpFragment);
    case 0:    // hop-by-hop options
    case 43:   // routing
    case 50:   // encapsulating security payload
    case 51:   // authentication
    case 60:   // destination options
    case 135:  // mobility
      return refuse(Fate::kIpOptions);
    default:
      break;
  }
  return for_us(self,
                link,
                {.is_v6 = true,
                 .protocol = header.protocol,
                 .ecn = static_cast<std::uint8_t>((header.version_class_flow[1] >> 4U) & 3U),
                 .hops = header.hops,
                 .from = link.payload.subspan(8, 16),
                 .to = link.payload.subspan(24, 16),
                 .payload = link.payload.subspan(sizeof(Ipv6), bytes)});
}

}  // namespace

Sum Packet::sum_of_addresses() const {
  return sum_of(std::span(from.data(), 2 * from.size()));  // side by side
}

Sum Packet::sum_with_pseudo_header() const {
  return sum_of_addresses() + sum_of(std::uint16_t{protocol}) +
         sum_of(static_cast<std::uint16_t>(payload.size())) + sum_of(payload);
}

Read<Link> read_link(const Interface& self, std::span<std::byte> frame) {
  if (frame.size() < sizeof(Ethernet)) {
    return tl::unexpected(Fate::kTruncated);
  }
  const auto header = load<Ethernet>(frame);
  Link link{.to = header.to,
            .from = header.from,
            .type = header.type,
            .payload = frame.subspan(sizeof(Ethernet))};
  if (header.from == self.mac) {
    return tl::unexpected(Fate::kLooped);
  }
  if (header.to != self.mac && !is_group(header.to)) {
    return tl::unexpected(Fate::kNotOurs);
  }
  if (is_group(header.from)) {
    return tl::unexpected(Fate::kBadSource);
  }
  std::uint16_t vlan = 0;  // also that of a frame with a priority alone
  if (link.type == kTypeTag) {
    if (link.payload.size() < sizeof(Tag)) {
      return tl::unexpected(Fate::kTruncated);
    }
    const auto tag = load<Tag>(link.payload);
    vlan = tag.control & 0x0fffU;
    link.type = tag.type;
    link.payload = link.payload.subspan(sizeof(Tag));
  }
  if (vlan != self.options.vlan.value_or(0)) {
    return tl::unexpected(Fate::kWrongVlan);
  }
  return link;
}

Read<Packet> read_packet(const Interface& self, const Link& link, Checksums checked) {
  return link.type == kTypeIpv4 ? read_v4(self, link, checked) : read_v6(self, link);
}

Read<Datagram> read_datagram(const Interface& self, const Packet& packet, Checksums checked) {
  if (packet.payload.size() < sizeof(Udp)) {
    return tl::unexpected(Fate::kBadUdp);
  }
  const auto header = load<Udp>(packet.payload);
  // Bytes after a shorter UDP length are refused: nobody sends them (but see RFC 9868).
  if (header.bytes != packet.payload.size() || header.bytes == sizeof(Udp) || header.from == 0) {
    return tl::unexpected(Fate::kBadUdp);
  }
  if (header.to != self.options.udp_port) {
    return tl::unexpected(Fate::kWrongPort);
  }
  const bool has_checksum = header.checksum != decltype(header.checksum){};
  if (!has_checksum && packet.is_v6) {
    return tl::unexpected(Fate::kBadUdp);
  }
  if (checked == Checksums::kBad || (has_checksum && checked != Checksums::kGood &&
                                     !is_intact(packet.sum_with_pseudo_header()))) {
    return tl::unexpected(Fate::kBadChecksum);
  }
  return Datagram{.from_port = header.from, .payload = packet.payload.subspan(sizeof(Udp))};
}

}  // namespace godwit::port::ip

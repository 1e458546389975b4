#include "dataplane/port/ip/flows.h"

#include <algorithm>

namespace godwit::port::ip {

Flow Flows::make(const Peer& peer) const {
  const Address to = Address::of(peer);
  const auto next_hop = peer.udp_port() == 0 ? std::nullopt : self_.next_hop(to);
  Flow flow{.peer = peer, .has_route = next_hop.has_value(), .next_hop = next_hop.value_or(to)};
  if (!flow.has_route) {
    return flow;
  }
  store_link(self_, flow.link, Mac{}, to.is_v6 ? kTypeIpv6 : kTypeIpv4);
  flow.link_bytes = self_.link_bytes();
  flow.udp = {.from = self_.options.udp_port, .to = peer.udp_port()};
  flow.ports_sum = sum_of(self_.options.udp_port) + sum_of(peer.udp_port());
  const Address from = self_.subnet(to.is_v6)->address;
  flow.pseudo_sum = sum_of(std::as_bytes(from.octets())) + sum_of(std::as_bytes(to.octets())) +
                    sum_of(std::uint16_t{kUdp});
  if (to.is_v6) {
    flow.v6 = {.protocol = kUdp, .from = from.bytes, .to = to.bytes};
  } else {
    flow.v4 = {.fragment = kDontFragment, .protocol = kUdp};
    std::copy_n(from.bytes.begin(), flow.v4.from.size(), flow.v4.from.begin());
    std::copy_n(to.bytes.begin(), flow.v4.to.size(), flow.v4.to.begin());
    flow.header_sum = sum_of(std::as_bytes(std::span(&flow.v4, 1)));
  }
  return flow;
}

Envelope Flow::envelope(std::size_t payload_bytes,
                        std::uint8_t traffic_class,
                        bool by_device,
                        const Mac& to) const {
  const auto udp_bytes = static_cast<std::uint16_t>(sizeof(Udp) + payload_bytes);
  Envelope out{.link_bytes = static_cast<std::uint8_t>(link_bytes),
               .ip_bytes = static_cast<std::uint8_t>(peer.is_v6() ? sizeof(Ipv6) : sizeof(Ipv4)),
               .by_device = by_device};
  store(std::span(out.headers), link);  // with room for a tag; what is too much is overwritten
  store(std::span(out.headers), to);
  std::span<std::byte> rest = std::span(out.headers).subspan(link_bytes);
  if (peer.is_v6()) {
    Ipv6 header = v6;
    header.version_class_flow[0] |= static_cast<std::uint8_t>(traffic_class >> 4U);
    header.version_class_flow[1] = static_cast<std::uint8_t>(traffic_class << 4U);
    header.payload_bytes = udp_bytes;
    rest = store(rest, header);
  } else {
    Ipv4 header = v4;
    const auto total = static_cast<std::uint16_t>(sizeof(Ipv4) + udp_bytes);
    header.total_bytes = total;
    header.traffic_class = traffic_class;
    if (!by_device) {
      header.checksum = checksum_of(header_sum + sum_of(total) + sum_of(traffic_class));
    }
    rest = store(rest, header);
  }
  const Sum pseudo = pseudo_sum + sum_of(udp_bytes);
  Udp header = udp;
  header.bytes = udp_bytes;
  if (by_device) {
    header.checksum = in_memory_order(fold(pseudo));
  }
  store(rest, header);
  out.sum = pseudo + ports_sum + sum_of(udp_bytes);
  return out;
}

}  // namespace godwit::port::ip

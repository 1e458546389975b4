#include "dataplane/port/with/headers.h"

#include <algorithm>
#include <array>

#include "dataplane/port/ip/checksum.h"
#include "dataplane/port/ip/wire.h"

namespace godwit::port {
namespace {

template <class Octets>
ip::Sum sum_of_octets(const Octets& octets) {
  return ip::sum_of(std::as_bytes(std::span(octets)));
}

// `hosts`: the sum of both addresses as they stand in the IP header.
ip::Udp udp_header(const Datagram& datagram, ip::Sum hosts) {
  const auto bytes = static_cast<std::uint16_t>(sizeof(ip::Udp) + datagram.payload.size());
  ip::Udp header{.from = datagram.from.udp_port(), .to = datagram.to.udp_port(), .bytes = bytes};
  header.checksum = ip::udp_checksum_of(
      hosts + ip::sum_of(std::uint16_t{ip::kUdp}) + ip::sum_of(bytes) +
      ip::sum_of(std::as_bytes(std::span(&header, 1))) + ip::sum_of(datagram.payload));
  return header;
}

// The other family's address is none of this one.
template <std::size_t kBytes>
std::array<std::uint8_t, kBytes> host_of(const Peer& peer) {
  std::array<std::uint8_t, kBytes> out{};
  if (peer.is_v6() == (kBytes == std::tuple_size_v<decltype(ip::Ipv6::from)>)) {
    std::copy_n(peer.address().begin(), kBytes, out.begin());
  }
  return out;
}

std::size_t write_v4(const Datagram& datagram, std::span<std::byte> out) {
  ip::Ipv4 header{.traffic_class = datagram.traffic_class,
                  .total_bytes = static_cast<std::uint16_t>(sizeof(ip::Ipv4) + sizeof(ip::Udp) +
                                                            datagram.payload.size()),
                  .fragment = ip::kDontFragment,
                  .protocol = ip::kUdp,
                  .from = host_of<4>(datagram.from),
                  .to = host_of<4>(datagram.to)};
  header.checksum = ip::checksum_of(ip::sum_of(std::as_bytes(std::span(&header, 1))));
  ip::store(ip::store(out, header),
            udp_header(datagram, sum_of_octets(header.from) + sum_of_octets(header.to)));
  return sizeof(ip::Ipv4) + sizeof(ip::Udp);
}

std::size_t write_v6(const Datagram& datagram, std::span<std::byte> out) {
  const unsigned traffic_class = datagram.traffic_class;
  const ip::Ipv6 header{
      .version_class_flow = {static_cast<std::uint8_t>(0x60U | traffic_class >> 4U),
                             static_cast<std::uint8_t>((traffic_class & 0xfU) << 4U)},
      .payload_bytes = static_cast<std::uint16_t>(sizeof(ip::Udp) + datagram.payload.size()),
      .protocol = ip::kUdp,
      .from = host_of<16>(datagram.from),
      .to = host_of<16>(datagram.to)};
  ip::store(ip::store(out, header),
            udp_header(datagram, sum_of_octets(header.from) + sum_of_octets(header.to)));
  return sizeof(ip::Ipv6) + sizeof(ip::Udp);
}

}  // namespace

std::size_t write_headers(const Datagram& datagram, std::span<std::byte, kHeadersBytesMax> out) {
  return datagram.from.is_v6() && datagram.to.is_v6() ? write_v6(datagram, out)
                                                      : write_v4(datagram, out);
}

}  // namespace godwit::port

// Reads the headers of a received frame: pure functions that trust no byte of it.
//
//     frame ─▶ read_link ─▶ ARP                     each step is the rest of the frame,
//                    └────▶ read_packet ─▶ UDP      or the fate of a frame that ends here
//                                    └────▶ ICMP
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <tl/expected.hpp>

#include "dataplane/port/ip/checksum.h"
#include "dataplane/port/ip/fate.h"
#include "dataplane/port/ip/interface.h"

namespace godwit::port::ip {

template <class T>
using Read = tl::expected<T, Fate>;

struct Link {
  Mac to{};
  Mac from{};
  std::uint16_t type = 0;
  std::span<std::byte> payload{};  // with the padding of short frames
  bool is_overheard = false;       // as the frame
};

struct Packet {
  bool is_v6 = false;
  bool is_to_host = false;  // to our MAC and our address; false: to a group of ours (IPv6)
  std::uint8_t protocol = 0;
  std::uint8_t ecn = 0;
  std::uint8_t hops = 0;
  std::span<const std::byte> from{};  // 4 or 16 bytes
  std::span<const std::byte> to{};
  std::span<std::byte> payload{};  // without padding

  // Of both addresses.
  Sum sum_of_addresses() const;
  // Over the pseudo header (RFC 768, RFC 8200 section 8.1) and the payload.
  Sum sum_with_pseudo_header() const;
};

struct Datagram {
  std::uint16_t from_port = 0;
  std::span<std::byte> payload{};  // not empty
};

// Frames from us, to others and of other VLANs end here.
Read<Link> read_link(const Interface& self, std::span<std::byte> frame);

// Packets of others, fragments, options and broken headers end here. `checked`: what the device
// says of the header's checksum.
Read<Packet> read_packet(const Interface& self, const Link& link, Checksums checked);

// Datagrams of other ports and broken ones end here.
Read<Datagram> read_datagram(const Interface& self, const Packet& packet, Checksums checked);

}  // namespace godwit::port::ip

// What the datagrams of one train have in common: all of their headers but UDP's checksum.
//
// Made once per train, so that a datagram costs a copy of the headers, one pass over its payload
// and a checksum.
//
// Thread: any; nothing changes after it was made.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/port/ip/checksum.h"
#include "dataplane/port/ip/device.h"
#include "dataplane/port/ip/wire.h"

namespace godwit::port::ip {

inline constexpr std::size_t kHeadersBytesMax =
    sizeof(Ethernet) + sizeof(Tag) + sizeof(Ipv6) + sizeof(Udp);

struct Envelope {
  std::array<std::byte, kHeadersBytesMax> headers{};
  std::uint8_t link_bytes = 0;
  std::uint8_t ip_bytes = 0;
  bool by_device = false;  // the device fills the checksums in
  Sum sum = 0;             // of the pseudo header and UDP's; not `by_device`

  std::size_t headers_bytes() const { return link_bytes + ip_bytes + sizeof(Udp); }

  // Writes headers and payload into `frame`, whose room must do for them and for kHeadersBytesMax,
  // and shortens it. The payload must be as long as the headers say.
  void put(std::span<const std::byte> payload, Frame& frame) const {
    std::byte* at = frame.bytes.data();
    std::memcpy(at, headers.data(), headers.size());  // what is too much is overwritten, or cut off
    std::byte* payload_at = at + headers_bytes();
    if (by_device) {
      std::memcpy(payload_at, payload.data(), payload.size());
      frame.ethernet_bytes = link_bytes;
      frame.ip_bytes = ip_bytes;
    } else {
      const auto checksum = udp_checksum_of(sum + copy_and_sum(payload, payload_at));
      std::memcpy(payload_at - checksum.size(), checksum.data(), checksum.size());
      frame.ethernet_bytes = 0;
      frame.ip_bytes = 0;
    }
    frame.bytes = frame.bytes.first(headers_bytes() + payload.size());
  }
};

}  // namespace godwit::port::ip

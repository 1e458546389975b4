#include "dataplane/port/ip/last_header.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace godwit::port::ip {

void LastHeader::remember(const std::byte* frame, const Packet& packet, const Peer& peer) {
  ip_bytes_ = packet.is_v6 ? sizeof(Ipv6) : sizeof(Ipv4);
  const std::byte* udp = packet.payload.data();
  link_bytes_ = static_cast<std::size_t>(udp - frame) - ip_bytes_;
  const std::size_t bytes = link_bytes_ + ip_bytes_ + sizeof(Udp);
  std::array<std::uint8_t, kWords * 8> mask{};
  std::fill_n(mask.begin(), bytes, std::uint8_t{0xff});
  const auto ignore = [&](std::size_t at, std::size_t count) {
    std::fill_n(mask.begin() + static_cast<std::ptrdiff_t>(at), count, std::uint8_t{0});
  };
  if (packet.is_v6) {
    mask[link_bytes_] = 0xf0;    // the version
    ignore(link_bytes_ + 1, 5);  // class, flow, length
    ignore(link_bytes_ + 7, 1);  // hops
  } else {
    ignore(link_bytes_ + 1, 5);   // class, length, id
    ignore(link_bytes_ + 8, 1);   // hops
    ignore(link_bytes_ + 10, 2);  // checksum
  }
  ignore(bytes - 4, 4);  // UDP's length and checksum
  std::memcpy(mask_.data(), mask.data(), mask.size());
  value_ = {};
  std::memcpy(value_.data(), frame, bytes);
  pseudo_sum_ = packet.sum_of_addresses() + sum_of(std::uint16_t{kUdp});
  peer_ = peer;
  is_known_ = true;
}

bool LastHeader::reads(const Frame& frame, Train& out) const {
  if (!is_known_ || frame.bytes.size() < sizeof(value_) || frame.received == Checksums::kBad) {
    return false;
  }
  const auto difference = [&](std::size_t index) {
    std::uint64_t word = 0;
    std::memcpy(&word, frame.bytes.data() + index * sizeof(word), sizeof(word));
    return (word ^ value_[index]) & mask_[index];
  };
  const auto all = [&]<std::size_t... kIndex>(std::index_sequence<kIndex...>) {
    return (difference(kIndex) | ...);  // -O2 does not unroll a loop
  };
  if (all(std::make_index_sequence<kWords>()) != 0) {
    return false;
  }
  const auto packet = frame.bytes.subspan(link_bytes_);
  const auto udp = load<Udp>(packet.subspan(ip_bytes_));
  const std::size_t bytes = udp.bytes;
  if (bytes <= sizeof(Udp) || bytes > packet.size() - ip_bytes_ ||
      udp.checksum == decltype(udp.checksum){}) {
    return false;
  }
  const bool is_unchecked = frame.received != Checksums::kGood;
  std::uint8_t ecn = 0;
  if (peer_.is_v6()) {
    const auto ip = load<Ipv6>(packet);
    ecn = (ip.version_class_flow[1] >> 4U) & 3U;
    if (ip.payload_bytes != bytes) {
      return false;
    }
  } else {
    const auto ip = load<Ipv4>(packet);
    ecn = ip.traffic_class & 3U;
    if (ip.total_bytes != sizeof(Ipv4) + bytes ||
        (is_unchecked && !is_intact(sum_of(packet.first(sizeof(Ipv4)))))) {
      return false;
    }
  }
  const auto datagram = packet.subspan(ip_bytes_, bytes);
  if (is_unchecked && !is_intact(pseudo_sum_ + sum_of(udp.bytes) + sum_of(datagram))) {
    return false;
  }
  const auto payload = datagram.subspan(sizeof(Udp));
  out.peer = peer_;
  out.segment_bytes = static_cast<std::uint16_t>(payload.size());
  out.bytes = payload;
  out.ecn = ecn;
  out.dscp = 0;
  return true;
}

}  // namespace godwit::port::ip

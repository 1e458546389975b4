// The headers of the datagram that was delivered last, to tell the next one by.
//
// Datagrams come in runs from one peer, and in a run headers differ in lengths, checksums and what
// nobody reads. A frame whose other bytes are those of the last one needs no more than these looked
// at (V. Jacobson, "4BSD header prediction", 1990, there for TCP).
//
// Thread: one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/port/ip/device.h"
#include "dataplane/port/ip/envelope.h"
#include "dataplane/port/ip/packet.h"
#include "dataplane/port/port.h"

namespace godwit::port::ip {

class LastHeader {
 public:
  // `packet` was read from a frame that began at `frame`; its datagram was delivered as `peer`'s.
  void remember(const std::byte* frame, const Packet& packet, const Peer& peer);

  // True: the frame is a datagram that the readers of packet.h would deliver as `out`. False says
  // nothing: ask them.
  bool reads(const Frame& frame, Train& out) const;

 private:
  static constexpr std::size_t kWords = (kHeadersBytesMax + 7) / 8;

  bool is_known_ = false;
  std::array<std::uint64_t, kWords> value_{};
  std::array<std::uint64_t, kWords> mask_{};  // the bits that must be equal
  std::size_t link_bytes_ = 0;
  std::size_t ip_bytes_ = 0;
  Sum pseudo_sum_ = 0;  // the pseudo header without its length
  Peer peer_;
};

}  // namespace godwit::port::ip

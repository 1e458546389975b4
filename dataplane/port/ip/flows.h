// What all datagrams to one peer have in common: their headers, ready but for lengths, class and
// checksums, and the neighbour they are handed to.
//
// Thread: one. Memory: fixed; two peers of one slot replace each other's templates, which costs
// time alone.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "dataplane/port/ip/checksum.h"
#include "dataplane/port/ip/envelope.h"
#include "dataplane/port/ip/interface.h"
#include "dataplane/port/peer.h"

namespace godwit::port::ip {

struct Flow {
  Peer peer{};
  bool has_route = false;
  Address next_hop{};
  std::size_t neighbour = 0;  // where the cache had the next hop last
  std::size_t link_bytes = 0;
  std::array<std::byte, sizeof(Ethernet) + sizeof(Tag)> link{};  // without the destination
  Ipv4 v4{};
  Ipv6 v6{};
  Udp udp{};
  Sum header_sum = 0;  // IPv4's header with length and class zero
  Sum pseudo_sum = 0;  // the pseudo header without its length
  Sum ports_sum = 0;

  // For datagrams of `payload_bytes` to the MAC `to`. `traffic_class`: DSCP and ECN as in the
  // header. `by_device`: the device fills the checksums in.
  Envelope envelope(std::size_t payload_bytes,
                    std::uint8_t traffic_class,
                    bool by_device,
                    const Mac& to) const;
};

class Flows {
 public:
  explicit Flows(const Interface& self) : self_(self) {}

  // The peer's flow, made if there is none.
  Flow& of(const Peer& peer) {
    Flow& flow = slot(peer);
    if (flow.peer != peer) {
      flow = make(peer);
    }
    return flow;
  }
  // Whether something was sent to the peer lately.
  bool has(const Peer& peer) { return !peer.is_unspecified() && slot(peer).peer == peer; }

 private:
  static constexpr std::size_t kSlots = 256;  // chosen: some times the peers of a gateway

  Flow make(const Peer& peer) const;
  Flow& slot(const Peer& peer) { return flows_[peer.hash() % kSlots]; }

  const Interface& self_;
  std::array<Flow, kSlots> flows_{};
};

}  // namespace godwit::port::ip

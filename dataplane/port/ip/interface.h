// Who this endpoint is on its network, and where it sends what is not for its neighbours.
//
// Thread: any; nothing changes after it was made.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "dataplane/base/result.h"
#include "dataplane/port/ip/address.h"
#include "dataplane/port/ip/device.h"
#include "dataplane/port/ip/wire.h"
#include "dataplane/port/peer.h"

namespace godwit::port::ip {

// A neighbour whose MAC is configured, and is neither asked for nor learned.
struct StaticNeighbour {
  Address address{};
  Mac mac{};
};

struct Options {
  std::optional<Subnet> v4{};  // at least one of the two
  std::optional<Subnet> v6{};
  std::optional<Address> gateway_v4{};  // in v4's network
  std::optional<Address> gateway_v6{};  // in v6's network or link-local
  std::optional<std::uint16_t> vlan{};  // 1..4094; none: untagged frames
  std::vector<StaticNeighbour> neighbours{};
  std::uint16_t udp_port = 0;  // 1..65535
  std::size_t mtu = 1500;      // largest IP packet, bytes; 576 (IPv4) or 1280 (IPv6) .. 9216
};

// What is wrong with these as an own address, as the gateway of its network and as a neighbour;
// kInvalid with a sentence for the operator.
Result<void> check_own(const Subnet& own);
Result<void> check_gateway(const Subnet& own, const Address& gateway);
Result<void> check_neighbours(const std::vector<StaticNeighbour>& neighbours);

struct Interface {
  Options options{};
  Mac mac{};

  // kInvalid with a sentence for the operator.
  static Result<Interface> make(const Options& options, const DeviceCapabilities& device);

  std::size_t link_bytes() const {
    return options.vlan ? sizeof(Ethernet) + sizeof(Tag) : sizeof(Ethernet);
  }
  // The largest UDP payload to a peer of that family.
  std::size_t datagram_bytes_max(bool is_v6) const;
  const std::optional<Subnet>& subnet(bool is_v6) const { return is_v6 ? options.v6 : options.v4; }
  bool is_mine(const Address& address) const;
  // Whom to hand a packet for `to`: itself, the gateway, or nobody.
  std::optional<Address> next_hop(const Address& to) const;

  // The group in which neighbours ask for our IPv6 address (RFC 4291 section 2.7.1).
  static Address solicited_node(const Address& address);
  static Mac group_mac(const Address& group);  // RFC 2464 section 7
};

inline constexpr Address kAllNodes = {{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, true};

// Writes the link's header, with the tag if there is one; returns what follows.
std::span<std::byte> store_link(const Interface& self,
                                std::span<std::byte> frame,
                                const Mac& to,
                                EtherType type);

}  // namespace godwit::port::ip

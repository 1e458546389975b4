#include "dataplane/port/ip/interface.h"

#include <algorithm>

#include "dataplane/port/ip/neighbours.h"

namespace godwit::port::ip {
namespace {

constexpr std::size_t kMtuMinV4 = 576;   // RFC 791 section 3.2: every host takes that much
constexpr std::size_t kMtuMinV6 = 1280;  // RFC 8200 section 5
constexpr std::size_t kMtuMax = 9216;    // jumbo frames

const char* family(bool is_v6) {
  return is_v6 ? "an IPv6" : "an IPv4";
}

Result<void> check_family(const std::optional<Subnet>& own,
                          const std::optional<Address>& gateway,
                          bool is_v6) {
  if (own && own->address.is_v6 != is_v6) {
    return fail(Code::kInvalid, "{} cannot be {} address", own->address.format(), family(is_v6));
  }
  if (!own && gateway) {
    return fail(Code::kInvalid,
                "the gateway {} is of no use without {} address",
                gateway->format(),
                family(is_v6));
  }
  if (!own) {
    return {};
  }
  auto checked = check_own(*own);
  return checked && gateway ? check_gateway(*own, *gateway) : checked;
}

}  // namespace

Result<void> check_own(const Subnet& own) {
  if (!own.address.is_one_host()) {
    return fail(Code::kInvalid,
                "{} cannot be {} address of this host; give that of one host",
                own.address.format(),
                family(own.address.is_v6));
  }
  if (own.is_edge(own.address)) {
    return fail(Code::kInvalid,
                "{} cannot be {} address of a host: with a prefix of {} bits it stands for the "
                "network or for all of its hosts; give that of one host, or another prefix",
                own.address.format(),
                family(own.address.is_v6),
                own.prefix_bits);
  }
  return {};
}

Result<void> check_gateway(const Subnet& own, const Address& gateway) {
  const bool is_reached = own.contains(gateway) || gateway.is_link_local();
  if (gateway.is_v6 != own.address.is_v6 || !gateway.is_one_host() || own.is_edge(gateway) ||
      gateway == own.address || !is_reached) {
    return fail(Code::kInvalid,
                "the gateway {} is no other host in the network of {} with its prefix of {} bits; "
                "give one that is, or another prefix",
                gateway.format(),
                own.address.format(),
                own.prefix_bits);
  }
  return {};
}

Result<void> check_neighbours(const std::vector<StaticNeighbour>& neighbours) {
  if (neighbours.size() > Neighbours::kStaticMax) {
    return fail(Code::kInvalid, "at most {} static neighbours", Neighbours::kStaticMax);
  }
  for (const StaticNeighbour& one : neighbours) {
    if (!one.address.is_one_host() || is_group(one.mac)) {
      return fail(Code::kInvalid, "{} cannot be a static neighbour", one.address.format());
    }
    if (std::count_if(neighbours.begin(), neighbours.end(), [&](const StaticNeighbour& other) {
          return other.address == one.address;
        }) > 1) {
      return fail(
          Code::kInvalid, "{} stands there twice; it has one MAC address", one.address.format());
    }
  }
  return {};
}

Result<Interface> Interface::make(const Options& options, const DeviceCapabilities& device) {
  if (!options.v4 && !options.v6) {
    return fail(Code::kInvalid, "an endpoint needs an IPv4 or an IPv6 address with its prefix");
  }
  if (auto ok = check_family(options.v4, options.gateway_v4, false); !ok) {
    return tl::unexpected(ok.error());
  }
  if (auto ok = check_family(options.v6, options.gateway_v6, true); !ok) {
    return tl::unexpected(ok.error());
  }
  if (options.udp_port == 0) {
    return fail(Code::kInvalid, "an endpoint needs a UDP port from 1 to 65535");
  }
  if (options.vlan && (*options.vlan == 0 || *options.vlan > 4094)) {
    return fail(Code::kInvalid, "VLAN {}: ids go from 1 to 4094", *options.vlan);
  }
  Interface self{.options = options, .mac = device.mac};
  const std::size_t least = options.v6 ? kMtuMinV6 : kMtuMinV4;
  if (options.mtu < least || options.mtu > kMtuMax) {
    return fail(Code::kInvalid, "MTU {}: from {} to {} bytes", options.mtu, least, kMtuMax);
  }
  if (options.mtu + self.link_bytes() > device.frame_bytes_max) {
    return fail(Code::kInvalid,
                "MTU {}: the device {} carries packets of at most {} bytes",
                options.mtu,
                device.name,
                device.frame_bytes_max - std::min(device.frame_bytes_max, self.link_bytes()));
  }
  if (auto ok = check_neighbours(options.neighbours); !ok) {
    return tl::unexpected(ok.error());
  }
  return self;
}

std::size_t Interface::datagram_bytes_max(bool is_v6) const {
  return options.mtu - (is_v6 ? sizeof(Ipv6) : sizeof(Ipv4)) - sizeof(Udp);
}

bool Interface::is_mine(const Address& address) const {
  const auto& own = subnet(address.is_v6);
  return own && own->address == address;
}

std::optional<Address> Interface::next_hop(const Address& to) const {
  const auto& own = subnet(to.is_v6);
  if (!own || !to.is_one_host() || to == own->address || own->is_edge(to)) {
    return std::nullopt;
  }
  if (own->contains(to) || to.is_link_local()) {
    return to;
  }
  return to.is_v6 ? options.gateway_v6 : options.gateway_v4;
}

Address Interface::solicited_node(const Address& address) {
  Address group = {{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff}, true};
  std::copy(address.bytes.begin() + 13, address.bytes.end(), group.bytes.begin() + 13);
  return group;
}

Mac Interface::group_mac(const Address& group) {
  return {0x33, 0x33, group.bytes[12], group.bytes[13], group.bytes[14], group.bytes[15]};
}

std::span<std::byte> store_link(const Interface& self,
                                std::span<std::byte> frame,
                                const Mac& to,
                                EtherType type) {
  const auto& vlan = self.options.vlan;
  frame = store(frame, Ethernet{.to = to, .from = self.mac, .type = vlan ? kTypeTag : type});
  return vlan ? store(frame, Tag{.control = *vlan, .type = type}) : frame;
}

}  // namespace godwit::port::ip

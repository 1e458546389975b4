// An endpoint 10.9.0.1/24, fd09::1/64, UDP port 4433, over a device that a test feeds by hand.
#pragma once

#include <algorithm>
#include <array>
#include <memory>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "dataplane/port/ip/ip_port.h"
#include "tests/dataplane/port/ip/exact_device.h"
#include "tests/dataplane/port/ip/frames.h"

namespace godwit::port {

inline constexpr std::uint16_t kOwnPort = 4433;
inline constexpr std::uint16_t kPeerPort = 7000;

class EndpointTest : public ::testing::Test {
 protected:
  struct Received {
    Peer peer;
    frames::Octets payload;
    std::uint8_t ecn = 0;
  };

  static ip::Options usual_options() {
    return {.v4 = ip::Subnet::parse("10.9.0.1/24").value(),
            .v6 = ip::Subnet::parse("fd09::1/64").value(),
            .gateway_v4 = ip::Address::parse("10.9.0.254").value(),
            .gateway_v6 = ip::Address::parse("fe80::254").value(),
            .vlan = std::nullopt,
            .neighbours = {},
            .udp_port = kOwnPort};
  }

  void open(const ip::Options& options, bool fills_checksums = false) {
    auto device =
        std::make_unique<ExactDevice>(lab_,
                                      DeviceCapabilities{.mac = frames::kOwnMac,
                                                         .frame_bytes_max = 1518,
                                                         .fills_checksums = fills_checksums,
                                                         .name = "exact"});
    port_ = IpPort::make(std::move(device), options).value();
    // The announcements of the first two seconds are not what most tests look at.
    receive();
    now_ = now_ + Duration::ms(2'000);
    receive();
    lab_.sent.clear();
  }

  std::vector<Received> receive() {
    std::vector<Received> all;
    std::array<Train, 16> out{};
    for (std::size_t count = port_->receive(now_, out); count > 0 || !lab_.incoming.empty();
         count = port_->receive(now_, out)) {
      for (const Train& train : std::span(out).first(count)) {
        const auto* octets = reinterpret_cast<const std::uint8_t*>(train.bytes.data());
        all.push_back({train.peer, {octets, octets + train.bytes.size()}, train.ecn});
      }
      port_->release(std::span(out).first(count));
    }
    return all;
  }

  // What the one frame became.
  ip::Fate fate_of(const frames::Octets& frame) {
    const ip::FateCounts before = port_->fates();
    lab_.incoming.push_back(frame);
    receive();
    EXPECT_EQ(port_->fates().total(), before.total() + 1);
    for (std::size_t index = 0; index < ip::kFates; ++index) {
      const auto fate = static_cast<ip::Fate>(index);
      if (port_->fates().of(fate) != before.of(fate)) {
        return fate;
      }
    }
    ADD_FAILURE() << "a frame without a fate";
    return ip::Fate::kDelivered;
  }

  // Sends one train; true when it was taken.
  bool send(const Peer& peer,
            frames::Octets payload,
            std::size_t segment = 0,
            std::uint8_t dscp = 0,
            Ecn ecn = Ecn::kNotEct) {
    const Train train{
        .peer = peer,
        .segment_bytes = static_cast<std::uint16_t>(segment == 0 ? payload.size() : segment),
        .bytes = std::as_writable_bytes(std::span(payload)),
        .ecn = static_cast<std::uint8_t>(ecn),
        .dscp = dscp};
    return port_->transmit(now_, {&train, 1}) == 1;
  }

  std::vector<frames::Octets> sent() { return std::exchange(lab_.sent, {}); }

  // Frames of the peer 10.9.0.2 or fd09::2.
  static frames::Octets datagram4(const frames::Octets& payload, std::uint8_t traffic_class = 0) {
    using namespace frames;
    const Octets datagram = udp(v4(2), v4(1), kPeerPort, kOwnPort, payload);
    return ethernet(kOwnMac, kPeerMac, 0x0800, ipv4(v4(2), v4(1), 17, datagram, traffic_class));
  }
  static frames::Octets datagram6(const frames::Octets& payload, std::uint8_t traffic_class = 0) {
    using namespace frames;
    const Octets datagram = udp(v6(2), v6(1), kPeerPort, kOwnPort, payload);
    return ethernet(kOwnMac, kPeerMac, 0x86dd, ipv6(v6(2), v6(1), 17, datagram, 64, traffic_class));
  }
  static frames::Octets arp_reply(std::uint8_t last, const Mac& mac) {
    using namespace frames;
    return ethernet(kOwnMac, mac, 0x0806, arp(2, mac, v4(last), kOwnMac, v4(1)));
  }
  static frames::Octets advertisement(std::uint8_t last,
                                      const Mac& mac,
                                      std::uint8_t flags = 0x60) {
    using namespace frames;
    const Octets rest = join(Octets{flags, 0, 0, 0}, v6(last), Octets{2, 1}, mac);
    return ethernet(
        kOwnMac, mac, 0x86dd, ipv6(v6(last), v6(1), 58, icmp6(v6(last), v6(1), 136, 0, rest), 255));
  }
  static frames::Octets solicitation(const frames::Octets& to, const Mac& to_mac) {
    using namespace frames;
    const Octets rest = join(Octets{0, 0, 0, 0}, v6(1), Octets{1, 1}, kPeerMac);
    return ethernet(
        to_mac, kPeerMac, 0x86dd, ipv6(v6(2), to, 58, icmp6(v6(2), to, 135, 0, rest), 255));
  }

  static inline const Peer kPeer4 = Peer::v4({10, 9, 0, 2}, kPeerPort);
  static inline const Peer kPeer6 = Peer::parse("[fd09::2]:7000").value();

  ExactDevice::Lab lab_;
  std::unique_ptr<IpPort> port_;
  Instant now_ = Instant::from_ns(1'000'000'000);
};

}  // namespace godwit::port

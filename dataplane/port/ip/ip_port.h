// A UDP/IP endpoint in user space: trains of datagrams above, Ethernet frames below.
//
//               ┌───────────────────────────── IpPort ─────────────────────────────┐
//  transmit ──▶ │ Flows, Envelope (headers) ──▶ Neighbours (MAC) ──▶ Outbox ───────│──▶ Device
//               │                        ▲ Resolver: ARP, ND ──────▶ ▲             │
//  receive  ◀── │ read_link, read_packet, read_datagram ◀── or ── Icmp: echo, MTU  │◀── Device
//               └──────────────────────────────────────────────────────────────────┘
//
// Speaks Ethernet, 802.1Q, ARP, ND, IPv4 without options, IPv6 without extension headers, UDP and
// the needful of ICMP. DF is set, fragments are refused. Every received frame has one Fate.
//
// Thread, Memory, Time: as Port says. A received datagram lies in the device's frame; nothing is
// allocated after construction. A datagram longer than the MTU, and one without a route, is lost
// and counted as a send error.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "dataplane/base/result.h"
#include "dataplane/port/ip/device.h"
#include "dataplane/port/ip/fate.h"
#include "dataplane/port/ip/flows.h"
#include "dataplane/port/ip/icmp.h"
#include "dataplane/port/ip/interface.h"
#include "dataplane/port/ip/last_header.h"
#include "dataplane/port/ip/outbox.h"
#include "dataplane/port/ip/resolver.h"
#include "dataplane/port/port.h"

namespace godwit::port {

class IpPort final : public Port {
 public:
  // kInvalid: options that contradict themselves, each other or the device.
  static Result<std::unique_ptr<IpPort>> make(std::unique_ptr<Device> device,
                                              const ip::Options& options);

  Capabilities capabilities() const override;
  // The IPv4 address if there is one, else the IPv6 address.
  Peer local() const override;
  std::size_t receive(Instant now, std::span<Train> out) override;
  void release(std::span<const Train> trains) override;
  std::size_t transmit(Instant now, std::span<const Train> trains) override;
  void wait(Duration at_most) override;
  void wake() override { device_->wake(); }
  void watch(int descriptor) override { device_->watch(descriptor); }
  void unwatch(int descriptor) override { device_->unwatch(descriptor); }
  std::optional<PathMtu> poll_path_mtu() override { return icmp_.poll_path_mtu(); }
  // `receive_errors` are the refused frames and the device's, `send_errors` also what was dropped
  // because a neighbour did not answer.
  Counters counters() const override;
  std::span<const Refusal> refusals() override;
  std::vector<NeighbourTrouble> troubles(Instant now) const override;
  bool link_up() const override { return device_->link_up(); }

  const ip::FateCounts& fates() const { return fates_; }
  const ip::Neighbours::Counters& neighbours() const { return resolver_.neighbours().counters(); }
  const Device& device() const { return *device_; }

 private:
  IpPort(std::unique_ptr<Device> device, ip::Interface self);

  void turn(Instant now);
  ip::Fate on_frame(Instant now, Frame& frame, Train& out);
  ip::Fate overhear(Instant now, Frame& frame);
  ip::Fate on_icmp(Instant now, const ip::Link& link, const ip::Packet& packet);
  bool send_train(Instant now, const Train& train);

  std::unique_ptr<Device> device_;
  ip::Interface self_;
  bool device_fills_checksums_;
  ip::Outbox outbox_;
  ip::Flows flows_;
  ip::Resolver resolver_;
  ip::Icmp icmp_;
  ip::LastHeader last_header_;
  ip::FateCounts fates_;
  std::array<Refusal, ip::kRefusals> refusals_{};
  Counters counters_;
  // Room for the frames of one burst; too large to be cleared for every call.
  std::array<Frame, ip::Outbox::kFrames> burst_{};
  std::array<Frame, ip::Outbox::kFrames> done_{};
  Instant now_;
  Instant link_check_at_;
  bool link_was_up_;
};

}  // namespace godwit::port

#include "dataplane/port/ip/ip_port.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include <fmt/ranges.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/log.h"

namespace godwit::port {
namespace {

using ip::Fate;

constexpr std::size_t kBurst = ip::Outbox::kFrames;
// Bursts of one `receive` call, whatever they bring.
constexpr int kBurstsMax = 8;
constexpr Duration kLinkCheckInterval = Duration::ms(100);
// How soon a device that was busy is tried again.
constexpr Duration kBusyRetry = Duration::ms(1);

// Chosen: some times as long as hosts remember a neighbour before they ask anew, and are heard.
constexpr Duration kConflictShownFor = Duration::ms(600'000);

// While a datagram is lent its frame is kept in the place of its headers, which were read.
static_assert(sizeof(Frame) <= sizeof(ip::Ethernet) + sizeof(ip::Ipv4) + sizeof(ip::Udp));

void keep_frame(const Frame& frame, std::span<std::byte> payload) {
  std::memcpy(payload.data() - sizeof(Frame), &frame, sizeof(Frame));
}

Frame kept_frame(std::span<const std::byte> payload) {
  Frame frame;
  std::memcpy(&frame, payload.data() - sizeof(Frame), sizeof(Frame));
  GODWIT_ASSERT(payload.data() > frame.bytes.data() &&
                    payload.data() + payload.size() <= frame.bytes.data() + frame.bytes.size(),
                "a released train was not received here, or the bytes before it were written to");
  return frame;
}

// Inlined by force: a function that only prefetches has no effect that GCC 12 sees, and it drops
// calls of such.
[[gnu::always_inline]] inline void prefetch(std::span<const std::byte> bytes) {
  constexpr std::size_t kLineBytes = 64;
  for (std::size_t at = 0; at < bytes.size(); at += kLineBytes) {
    __builtin_prefetch(bytes.data() + at);
  }
}

}  // namespace

Result<std::unique_ptr<IpPort>> IpPort::make(std::unique_ptr<Device> device,
                                             const ip::Options& options) {
  auto self = ip::Interface::make(options, device->capabilities());
  if (!self) {
    return tl::unexpected(self.error());
  }
  return std::unique_ptr<IpPort>(new IpPort(std::move(device), std::move(*self)));
}

IpPort::IpPort(std::unique_ptr<Device> device, ip::Interface self)
    : device_(std::move(device)),
      self_(std::move(self)),
      device_fills_checksums_(device_->capabilities().fills_checksums),
      outbox_(*device_),
      flows_(self_),
      resolver_(self_, *device_, outbox_),
      icmp_(self_, outbox_, flows_),
      link_was_up_(device_->link_up()) {
  if (!link_was_up_) {
    log::warn("{}: the link is down", device_->capabilities().name);
  }
}

Capabilities IpPort::capabilities() const {
  return {.mtu = self_.datagram_bytes_max(self_.options.v6.has_value()),
          .train_bytes_max = kTrainBytesMax,
          .train_segments_max = kBurst,
          .name = device_->capabilities().name};
}

Peer IpPort::local() const {
  return self_.subnet(!self_.options.v4)->address.with_port(self_.options.udp_port);
}

// What is due whatever the caller wants.
void IpPort::turn(Instant now) {
  now_ = now;
  if (now >= link_check_at_) {
    link_check_at_ = now + kLinkCheckInterval;
    const bool is_up = device_->link_up();
    if (is_up != link_was_up_) {
      counters_.link_downs += is_up ? 0 : 1;
      log::warn("{}: the link is {}", device_->capabilities().name, is_up ? "up" : "down");
    }
    if (is_up && !link_was_up_) {
      resolver_.on_link_up(now);
    }
    link_was_up_ = is_up;
  }
  if (now >= resolver_.next_wakeup()) {
    resolver_.on_timeout(now);
  }
  outbox_.flush(now);
}

std::size_t IpPort::receive(Instant now, std::span<Train> out) {
  turn(now);
  std::size_t count = 0;
  for (int burst = 0; burst < kBurstsMax && count < out.size(); ++burst) {
    const std::size_t wanted = std::min(kBurst, out.size() - count);
    const std::size_t got = device_->receive(now, {burst_.data(), wanted});
    std::size_t done_count = 0;
    for (std::size_t index = 0; index < got; ++index) {
      Frame& frame = burst_[index];
      // The next frame comes closer while this one is added up: half of it before and half after,
      // because a core fetches no more than a dozen lines at once.
      const auto next = index + 1 < got ? burst_[index + 1].bytes : std::span<std::byte>();
      const auto half = next.first(next.size() / 2);
      prefetch(half);
      const Fate fate =
          frame.is_overheard ? overhear(now, frame) : on_frame(now, frame, out[count]);
      prefetch(next.subspan(half.size()));
      fates_.add(fate);
      if (fate == Fate::kDelivered) {
        counters_.bytes_received += out[count].bytes.size();
        keep_frame(frame, out[count].bytes);
        ++count;
      } else {
        done_[done_count++] = frame;
      }
    }
    device_->release({done_.data(), done_count});
    outbox_.flush(now);  // answers to this burst; the next one's need the room
    if (got < wanted) {
      break;
    }
  }
  counters_.trains_received += count;
  counters_.packets_received += count;
  return count;
}

Fate IpPort::on_frame(Instant now, Frame& frame, Train& out) {
  if (last_header_.reads(frame, out)) {
    return Fate::kDelivered;
  }
  const auto link = ip::read_link(self_, frame.bytes);
  if (!link) {
    return link.error();
  }
  if (link->type == ip::kTypeArp) {
    return self_.options.v4 ? resolver_.on_arp(now, *link) : Fate::kUnknownType;
  }
  if (link->type != ip::kTypeIpv4 && link->type != ip::kTypeIpv6) {
    return Fate::kUnknownType;
  }
  const auto packet = ip::read_packet(self_, *link, frame.received);
  if (!packet) {
    return packet.error();
  }
  if (packet->protocol == (packet->is_v6 ? ip::kIcmp6 : ip::kIcmp)) {
    return on_icmp(now, *link, *packet);
  }
  if (packet->protocol != ip::kUdp) {
    return Fate::kUnknownProtocol;
  }
  const auto datagram = ip::read_datagram(self_, *packet, frame.received);
  if (!datagram) {
    return datagram.error();
  }
  out = {.peer = ip::Address::of(packet->from).with_port(datagram->from_port),
         .segment_bytes = static_cast<std::uint16_t>(datagram->payload.size()),
         .bytes = datagram->payload,
         .ecn = packet->ecn};
  last_header_.remember(frame.bytes.data(), *packet, out.peer);
  return Fate::kDelivered;
}

// Whatever it is to the worker that answers it, here it is only heard.
Fate IpPort::overhear(Instant now, Frame& frame) {
  auto link = ip::read_link(self_, frame.bytes);
  if (link) {
    link->is_overheard = true;
    if (link->type == ip::kTypeArp && self_.options.v4) {
      resolver_.on_arp(now, *link);
    } else if (link->type == ip::kTypeIpv6) {
      const auto packet = ip::read_packet(self_, *link, frame.received);
      if (packet && packet->protocol == ip::kIcmp6) {
        on_icmp(now, *link, *packet);
      }
    }
  }
  return Fate::kOverheard;
}

Fate IpPort::on_icmp(Instant now, const ip::Link& link, const ip::Packet& packet) {
  if (packet.payload.size() < sizeof(ip::IcmpHeader)) {
    return Fate::kTruncated;
  }
  if (!ip::is_intact(packet.is_v6 ? packet.sum_with_pseudo_header() : ip::sum_of(packet.payload))) {
    return Fate::kBadChecksum;
  }
  const auto type = ip::load<ip::IcmpHeader>(packet.payload).type;
  const bool is_discovery = type == ip::kSolicitation || type == ip::kAdvertisement;
  if (packet.is_v6 && is_discovery) {
    return resolver_.on_discovery(now, link, packet);
  }
  if (link.is_overheard) {
    return Fate::kOverheard;  // nothing else teaches
  }
  return self_.is_mine(ip::Address::of(packet.from)) ? Fate::kLooped
                                                     : icmp_.on_message(now, link, packet);
}

void IpPort::release(std::span<const Train> trains) {
  std::size_t count = 0;
  for (const Train& train : trains) {
    done_[count++] = kept_frame(train.bytes);
    if (count == done_.size()) {
      device_->release(done_);
      count = 0;
    }
  }
  device_->release({done_.data(), count});
}

std::size_t IpPort::transmit(Instant now, std::span<const Train> trains) {
  turn(now);
  std::size_t taken = 0;
  while (taken < trains.size() && send_train(now, trains[taken])) {
    ++taken;
  }
  if (taken < trains.size()) {
    ++counters_.send_busy;
  }
  if (now >= resolver_.next_wakeup()) {
    resolver_.on_timeout(now);  // a neighbour that these trains want
  }
  outbox_.flush(now);
  return taken;
}

// False when the device has no room for the whole train; true when it was taken or is lost.
bool IpPort::send_train(Instant now, const Train& train) {
  GODWIT_ASSERT(!train.bytes.empty() && train.segment_bytes > 0);
  const std::size_t segments = (train.bytes.size() + train.segment_bytes - 1) / train.segment_bytes;
  GODWIT_ASSERT(segments <= kBurst, "a train has more datagrams than the port can take");
  ip::Flow& flow = flows_.of(train.peer);
  const std::size_t longest = std::min<std::size_t>(train.segment_bytes, train.bytes.size());
  if (!flow.has_route || longest > self_.datagram_bytes_max(train.peer.is_v6())) {
    ++counters_.send_errors;
    return true;
  }
  if (outbox_.room() < segments) {
    outbox_.flush(now);
  }
  const auto frames = std::span(burst_).first(segments);
  if (outbox_.room() < segments || !outbox_.reserve(frames)) {
    return false;
  }
  ip::Neighbours& neighbours = resolver_.neighbours();
  if (!neighbours.is_at(flow.neighbour, flow.next_hop)) {
    flow.neighbour = neighbours.index_of(now, flow.next_hop);
  }
  const Mac* mac = neighbours.use(now, flow.neighbour);
  const auto traffic_class =
      static_cast<std::uint8_t>((std::uint32_t{train.dscp} << 2U) | (train.ecn & 3U));
  const auto envelope_of = [&](std::size_t bytes) {
    return flow.envelope(
        bytes, traffic_class, device_fills_checksums_, mac != nullptr ? *mac : Mac{});
  };
  const ip::Envelope envelope = envelope_of(longest);
  std::span<const std::byte> rest = train.bytes;
  for (Frame& frame : frames) {
    const auto payload = rest.first(std::min(longest, rest.size()));
    rest = rest.subspan(payload.size());
    Frame& target = mac != nullptr ? outbox_.push(frame) : frame;
    if (payload.size() == longest) {
      envelope.put(payload, target);
    } else {
      envelope_of(payload.size()).put(payload, target);
    }
    if (mac == nullptr) {
      neighbours.hold(flow.neighbour, frame);
    }
  }
  ++counters_.trains_sent;
  counters_.packets_sent += segments;
  counters_.bytes_sent += train.bytes.size();
  return true;
}

void IpPort::wait(Duration at_most) {
  Duration sleep = at_most;
  if (resolver_.next_wakeup() != Instant::never()) {
    sleep = std::min(sleep, resolver_.next_wakeup() - now_);
  }
  device_->wait(outbox_.is_empty() ? sleep : std::min(sleep, kBusyRetry));
}

std::span<const Refusal> IpPort::refusals() {
  for (std::size_t index = 0; index < refusals_.size(); ++index) {
    const auto fate = static_cast<Fate>(ip::kFates - ip::kRefusals + index);
    refusals_.at(index) = {.reason = to_string(fate), .count = fates_.of(fate)};
  }
  return refusals_;
}

std::vector<NeighbourTrouble> IpPort::troubles(Instant now) const {
  std::vector<NeighbourTrouble> all;
  for (const bool is_v6 : {false, true}) {
    const auto& conflict = resolver_.conflict(is_v6);
    if (conflict.heard != Instant::never() && now - conflict.heard <= kConflictShownFor) {
      all.push_back({.kind = NeighbourTrouble::Kind::kConflict,
                     .address = self_.subnet(is_v6)->address.format(),
                     .mac = fmt::format("{:02x}", fmt::join(conflict.other, ":")),
                     .since = conflict.heard});
    }
  }
  resolver_.neighbours().visit_silent(now, [&](const ip::Neighbours::Silent& silent) {
    all.push_back({.kind = NeighbourTrouble::Kind::kSilent,
                   .address = silent.address.format(),
                   .mac = {},
                   .since = silent.since});
  });
  return all;
}

Counters IpPort::counters() const {
  const DeviceCounters device = device_->counters();
  Counters counters = counters_;
  counters.receive_errors = fates_.refused() + device.receive_errors;
  counters.receive_starved = device.receive_starved;
  counters.receive_dropped = device.receive_missed + device.handover_missed;
  counters.frames_received = device.frames_received;
  counters.frames_sent = device.frames_sent;
  counters.send_errors += neighbours().dropped + device.transmit_errors;
  counters.neighbours_changed = neighbours().changed;
  counters.neighbours_given_up = neighbours().given_up;
  return counters;
}

}  // namespace godwit::port

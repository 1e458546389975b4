#include "dataplane/port/ip/resolver.h"

#include <algorithm>
#include <optional>

#include "dataplane/base/log.h"

namespace godwit::port::ip {
namespace {

// Of strangers. Chosen: more than any number of hosts asks, less than a flood costs.
constexpr Duration kStrangerInterval = Duration::ms(1);
constexpr int kStrangerBurst = 100;
// Of changed MACs, chosen: a line each when some hosts are exchanged, and no flood of lines.
constexpr Duration kChangeLineInterval = Duration::ms(10'000);
constexpr int kChangeLineBurst = 5;
// RFC 5227 sections 1.1 and 2.4.
constexpr int kAnnouncements = 2;
constexpr Duration kAnnounceInterval = Duration::ms(2'000);
constexpr Duration kDefendInterval = Duration::ms(10'000);

constexpr std::size_t kFrameBytesMin = 60;    // Ethernet's least, without the frame check sequence
constexpr std::uint8_t kDiscoveryHops = 255;  // no router forwarded it (RFC 4861 section 3.1)

// The value of the first option that carries a MAC; a false `is_valid` breaks the message.
struct MacOptionFound {
  bool is_valid = true;
  std::optional<Mac> mac;
};

MacOptionFound find_mac(std::span<const std::byte> options, std::uint8_t type) {
  MacOptionFound found;
  while (!options.empty()) {
    const std::size_t words = options.size() < 2 ? 0 : std::to_integer<std::size_t>(options[1]);
    if (words == 0 || words * 8 > options.size()) {
      return {.is_valid = false, .mac = std::nullopt};
    }
    const auto option = load<MacOption>(options);
    if (option.type == type && option.words == 1 && !found.mac) {
      found.mac = option.mac;
    }
    options = options.subspan(words * 8);
  }
  return found;
}

}  // namespace

Resolver::Resolver(const Interface& self, Device& device, Outbox& outbox)
    : self_(self),
      outbox_(outbox),
      neighbours_(device),
      strangers_(kStrangerInterval, kStrangerBurst),
      change_lines_(kChangeLineInterval, kChangeLineBurst),
      defences_{Pace(kDefendInterval, 1), Pace(kDefendInterval, 1)} {
  for (const StaticNeighbour& one : self.options.neighbours) {
    neighbours_.add_static(one.address, one.mac);
  }
}

Fate Resolver::on_arp(Instant now, const Link& link) {
  if (link.payload.size() < sizeof(Arp)) {
    return Fate::kTruncated;
  }
  const auto arp = load<Arp>(link.payload);
  const bool is_known = arp.hardware == 1 && arp.protocol == kTypeIpv4 && arp.hardware_bytes == 6 &&
                        arp.protocol_bytes == 4 &&
                        (arp.operation == kArpRequest || arp.operation == kArpReply);
  if (!is_known || is_group(arp.sender_mac)) {
    return Fate::kBadArp;
  }
  if (arp.sender_mac == self_.mac) {
    return Fate::kLooped;
  }
  const Address sender = Address::of(std::as_bytes(std::span(arp.sender)));
  const Address target = Address::of(std::as_bytes(std::span(arp.target)));
  if (self_.is_mine(sender)) {
    return defend(now, link, sender, arp.sender_mac);
  }
  // An unspecified sender probes whether an address is free (RFC 5227 section 2.1.1).
  if (!sender.is_unspecified()) {
    if (!sender.is_one_host()) {
      return Fate::kBadArp;
    }
    learn(now, sender, arp.sender_mac, true);
  }
  if (!self_.is_mine(target)) {
    return sender == target ? Fate::kNeighbour : Fate::kWrongHost;
  }
  if (arp.operation == kArpRequest && !link.is_overheard) {
    if (!may_answer(now, sender)) {
      return Fate::kTooMany;
    }
    send_arp(kArpReply, arp.sender_mac, sender, arp.sender_mac);
  }
  return Fate::kNeighbour;
}

Fate Resolver::on_discovery(Instant now, const Link& link, const Packet& packet) {
  if (packet.hops != kDiscoveryHops || packet.payload.size() < sizeof(Discovery)) {
    return Fate::kBadNeighbour;
  }
  const auto message = load<Discovery>(packet.payload);
  if (message.icmp.code != 0 || message.target[0] == 0xff) {
    return Fate::kBadNeighbour;
  }
  if (const Address from = Address::of(packet.from); self_.is_mine(from)) {
    return defend(now, link, from, link.from);
  }
  return message.icmp.type == kSolicitation ? on_solicitation(now, link, packet)
                                            : on_advertisement(now, link, packet);
}

Fate Resolver::on_solicitation(Instant now, const Link& link, const Packet& packet) {
  const auto message = load<Discovery>(packet.payload);
  const auto option = find_mac(packet.payload.subspan(sizeof(Discovery)), kSourceMac);
  const Address from = Address::of(packet.from);
  if (!option.is_valid || (from.is_unspecified() && option.mac) ||
      (option.mac && is_group(*option.mac))) {
    return Fate::kBadNeighbour;
  }
  if (!self_.is_mine({message.target, true})) {
    return Fate::kWrongHost;
  }
  const Mac mac = option.mac.value_or(link.from);
  if (link.is_overheard) {
    learn(now, from, mac, true);
    return Fate::kNeighbour;
  }
  if (!may_answer(now, from)) {
    return Fate::kTooMany;
  }
  if (from.is_unspecified()) {
    // Somebody wants our address for himself (RFC 4862 section 5.4.3).
    send_advertisement(Interface::group_mac(kAllNodes), kAllNodes, false);
    return Fate::kNeighbour;
  }
  learn(now, from, mac, true);
  send_advertisement(mac, from, true);
  return Fate::kNeighbour;
}

Fate Resolver::on_advertisement(Instant now, const Link& link, const Packet& packet) {
  const auto message = load<Discovery>(packet.payload);
  const auto option = find_mac(packet.payload.subspan(sizeof(Discovery)), kTargetMac);
  const std::uint8_t flags = message.icmp.rest[0];
  const bool is_solicited = (flags & kSolicitedFlag) != 0;
  const Address from = Address::of(packet.from);
  const Address target = {message.target, true};
  const Mac mac = option.mac.value_or(link.from);
  if (!option.is_valid || is_group(mac) || from.is_unspecified() ||
      (is_solicited && !packet.is_to_host)) {
    return Fate::kBadNeighbour;
  }
  if (self_.is_mine(target)) {
    return mac == self_.mac ? Fate::kLooped : defend(now, link, target, mac);
  }
  learn(now, target, mac, (flags & kOverrideFlag) != 0);
  return Fate::kNeighbour;
}

// A known neighbour is answered while strangers ask more than is answered.
bool Resolver::may_answer(Instant now, const Address& asker) {
  return neighbours_.may_ask(now, asker) || strangers_.take(now);
}

Fate Resolver::defend(Instant now, const Link& link, const Address& address, const Mac& other) {
  conflicts_[address.is_v6 ? 1 : 0] = {.other = other, .heard = now};
  if (!link.is_overheard && defences_[address.is_v6 ? 1 : 0].take(now)) {
    log::warn("{} is also used by the host with MAC {:02x}; give one of the two another address",
              address.format(),
              fmt::join(other, ":"));
    announce(address.is_v6);
  }
  return Fate::kConflict;
}

void Resolver::learn(Instant now, const Address& address, const Mac& mac, bool overrides) {
  Neighbours::Held released;
  const auto confirmed = neighbours_.confirm(now, address, mac, overrides, released);
  if (confirmed.replaced && change_lines_.take(now)) {
    log::warn(
        "{} now says it has MAC {:02x}, before {:02x}: another card or host, or somebody "
        "forges it; `neighbours` in [port] fixes one",
        address.format(),
        fmt::join(mac, ":"),
        fmt::join(*confirmed.replaced, ":"));
  }
  for (std::size_t index = 0; index < confirmed.released; ++index) {
    if (outbox_.room() == 0) {
      outbox_.flush(now);
    }
    if (outbox_.room() == 0) {
      outbox_.give_back(released[index]);
      continue;
    }
    std::memcpy(released[index].bytes.data(), mac.data(), mac.size());
    outbox_.push(released[index]);
  }
}

void Resolver::on_link_up(Instant now) {
  neighbours_.make_stale();
  announcements_ = 0;
  announce_at_ = now;
}

void Resolver::on_timeout(Instant now) {
  if (now >= announce_at_) {
    ++announcements_;
    announce_at_ = announcements_ < kAnnouncements ? now + kAnnounceInterval : Instant::never();
    announce(false);
    announce(true);
  }
  while (const auto question = neighbours_.poll_question(now)) {
    ask(*question);
  }
}

void Resolver::ask(const Neighbours::Question& question) {
  if (question.address.is_v6) {
    send_solicitation(question);
  } else {
    send_arp(kArpRequest, question.last_known.value_or(kBroadcastMac), question.address, Mac{});
  }
}

void Resolver::announce(bool is_v6) {
  const auto& own = self_.subnet(is_v6);
  if (own && is_v6) {
    send_advertisement(Interface::group_mac(kAllNodes), kAllNodes, false);
  } else if (own) {
    // An ARP announcement is a request for oneself (RFC 5227 section 3).
    send_arp(kArpRequest, kBroadcastMac, own->address, Mac{});
  }
}

void Resolver::send_arp(std::uint16_t operation,
                        const Mac& to,
                        const Address& target,
                        const Mac& target_mac) {
  auto frame = outbox_.reserve();
  if (!frame) {
    return;
  }
  Arp arp{.operation = operation, .sender_mac = self_.mac, .target_mac = target_mac};
  const auto& own = self_.options.v4->address.bytes;
  std::copy_n(own.begin(), arp.sender.size(), arp.sender.begin());
  std::copy_n(target.bytes.begin(), arp.target.size(), arp.target.begin());
  const auto rest = store(store_link(self_, frame->bytes, to, kTypeArp), arp);
  const std::size_t used = frame->bytes.size() - rest.size();
  const std::size_t padding = used < kFrameBytesMin ? kFrameBytesMin - used : 0;
  std::fill_n(rest.begin(), padding, std::byte{0});
  frame->bytes = frame->bytes.first(used + padding);
  outbox_.push(*frame);
}

void Resolver::send_solicitation(const Neighbours::Question& question) {
  const bool is_probe = question.last_known.has_value();
  const Address group = Interface::solicited_node(question.address);
  send_discovery(is_probe ? *question.last_known : Interface::group_mac(group),
                 is_probe ? question.address : group,
                 {.icmp = {.type = kSolicitation}, .target = question.address.bytes},
                 kSourceMac);
}

void Resolver::send_advertisement(const Mac& to_mac, const Address& to, bool is_solicited) {
  const auto flags = static_cast<std::uint8_t>(kOverrideFlag | (is_solicited ? kSolicitedFlag : 0));
  send_discovery(to_mac,
                 to,
                 {.icmp = {.type = kAdvertisement, .rest = {flags}},
                  .target = self_.options.v6->address.bytes},
                 kTargetMac);
}

void Resolver::send_discovery(const Mac& to_mac,
                              const Address& to,
                              const Discovery& message,
                              std::uint8_t option) {
  auto frame = outbox_.reserve();
  if (!frame) {
    return;
  }
  constexpr std::uint16_t kBytes = sizeof(Discovery) + sizeof(MacOption);
  const Ipv6 header{.payload_bytes = kBytes,
                    .protocol = kIcmp6,
                    .hops = kDiscoveryHops,
                    .from = self_.options.v6->address.bytes,
                    .to = to.bytes};
  const auto packet = store_link(self_, frame->bytes, to_mac, kTypeIpv6);
  const auto payload = store(packet, header).first(kBytes);
  store(store(payload, message), MacOption{.type = option, .mac = self_.mac});
  const Sum sum = sum_of(packet.subspan(8, 32)) + sum_of(std::uint16_t{kIcmp6}) + sum_of(kBytes) +
                  sum_of(payload);
  store(payload.subspan(2), checksum_of(sum));
  frame->bytes = frame->bytes.first(frame->bytes.size() - packet.size() + sizeof(Ipv6) + kBytes);
  outbox_.push(*frame);
}

}  // namespace godwit::port::ip

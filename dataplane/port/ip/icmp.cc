#include "dataplane/port/ip/icmp.h"

#include <algorithm>

namespace godwit::port::ip {
namespace {

// Chosen: an operator's ping and a monitor's fit, a flood of echoes costs nothing.
constexpr Duration kEchoInterval = Duration::ms(10);
constexpr int kEchoBurst = 100;

// Below these a word is an attack or an error: RFC 8201 section 4; Linux's min_pmtu for IPv4.
constexpr std::size_t kPathMtuMinV4 = 552;
constexpr std::size_t kPathMtuMinV6 = 1280;

// The peer to whom a quoted packet of ours was sent.
template <class Header>
std::optional<Peer> addressee(const Interface& self, std::span<const std::byte> quote) {
  if (quote.size() < sizeof(Header) + sizeof(Udp)) {
    return std::nullopt;
  }
  const auto header = load<Header>(quote);
  const auto udp = load<Udp>(quote.subspan(sizeof(Header)));
  const bool is_ours = header.protocol == kUdp && udp.from == self.options.udp_port &&
                       self.is_mine(Address::of(std::as_bytes(std::span(header.from))));
  const Address to = Address::of(std::as_bytes(std::span(header.to)));
  return is_ours && to.is_one_host() ? std::optional(to.with_port(udp.to)) : std::nullopt;
}

}  // namespace

Icmp::Icmp(const Interface& self, Outbox& outbox, Flows& flows)
    : self_(self), outbox_(outbox), flows_(flows), echoes_(kEchoInterval, kEchoBurst) {}

Fate Icmp::on_message(Instant now, const Link& link, const Packet& packet) {
  const auto message = load<IcmpHeader>(packet.payload);
  const auto quote = packet.payload.subspan(sizeof(message));
  if (message.type == (packet.is_v6 ? kEchoRequest6 : kEchoRequest) && message.code == 0) {
    return answer_echo(now, link, packet);
  }
  if (!packet.is_to_host) {
    return Fate::kUnheeded;
  }
  if (packet.is_v6 && message.type == kPacketTooBig6) {
    const auto high = load<Big16>(std::as_bytes(std::span(message.rest)));
    const auto low = load<Big16>(std::as_bytes(std::span(message.rest)).subspan(2));
    return on_path_mtu(quote, (std::size_t{high} << 16U) + low, true);
  }
  if (!packet.is_v6 && message.type == kUnreachable && message.code == kFragmentationNeeded) {
    return on_path_mtu(
        quote, load<Big16>(std::as_bytes(std::span(message.rest)).subspan(2)), false);
  }
  return Fate::kUnheeded;
}

Fate Icmp::answer_echo(Instant now, const Link& link, const Packet& packet) {
  const std::size_t ip_bytes = packet.is_v6 ? sizeof(Ipv6) : sizeof(Ipv4);
  const Address to = Address::of(packet.from);
  if (!packet.is_to_host || !to.is_one_host() ||
      ip_bytes + packet.payload.size() > self_.options.mtu) {
    return Fate::kUnheeded;
  }
  if (!echoes_.take(now)) {
    return Fate::kTooMany;
  }
  auto frame = outbox_.reserve();
  if (!frame) {
    return Fate::kTooMany;
  }
  const Address& from = self_.subnet(packet.is_v6)->address;
  const auto bytes = static_cast<std::uint16_t>(packet.payload.size());
  auto rest = store_link(self_, frame->bytes, link.from, packet.is_v6 ? kTypeIpv6 : kTypeIpv4);
  if (packet.is_v6) {
    rest = store(
        rest, Ipv6{.payload_bytes = bytes, .protocol = kIcmp6, .from = from.bytes, .to = to.bytes});
  } else {
    Ipv4 header{.total_bytes = static_cast<std::uint16_t>(sizeof(Ipv4) + bytes),
                .fragment = kDontFragment,
                .protocol = kIcmp};
    std::copy_n(from.bytes.begin(), header.from.size(), header.from.begin());
    std::copy_n(to.bytes.begin(), header.to.size(), header.to.begin());
    header.checksum = checksum_of(sum_of(std::as_bytes(std::span(&header, 1))));
    rest = store(rest, header);
  }
  Packet reply = packet;  // the addresses' sum is the same in both directions
  reply.payload = rest.first(bytes);
  std::copy(packet.payload.begin(), packet.payload.end(), reply.payload.begin());
  store(reply.payload,
        IcmpHeader{.type = packet.is_v6 ? kEchoReply6 : kEchoReply,
                   .rest = load<IcmpHeader>(packet.payload).rest});
  const Sum sum = packet.is_v6 ? reply.sum_with_pseudo_header() : sum_of(reply.payload);
  store(reply.payload.subspan(2), checksum_of(sum));
  frame->bytes = frame->bytes.first(self_.link_bytes() + ip_bytes + bytes);
  outbox_.push(*frame);
  return Fate::kEcho;
}

Fate Icmp::on_path_mtu(std::span<const std::byte> quote, std::size_t mtu, bool is_v6) {
  const auto peer = is_v6 ? addressee<Ipv6>(self_, quote) : addressee<Ipv4>(self_, quote);
  const std::size_t least = is_v6 ? kPathMtuMinV6 : kPathMtuMinV4;
  if (!peer || !flows_.has(*peer) || mtu < least || mtu >= self_.options.mtu) {
    return Fate::kUnheeded;
  }
  const std::size_t headers = self_.options.mtu - self_.datagram_bytes_max(is_v6);
  const auto end = words_.begin() + static_cast<std::ptrdiff_t>(word_count_);
  const auto same =
      std::find_if(words_.begin(), end, [&](const PathMtu& word) { return word.peer == *peer; });
  if (same == end && word_count_ == kWords) {
    return Fate::kTooMany;
  }
  word_count_ += same == end ? 1 : 0;
  *same = {.peer = *peer, .datagram_bytes = mtu - headers};
  return Fate::kPathMtu;
}

std::optional<PathMtu> Icmp::poll_path_mtu() {
  if (word_count_ == 0) {
    return std::nullopt;
  }
  const PathMtu word = words_.front();
  std::copy(words_.begin() + 1, words_.end(), words_.begin());
  --word_count_;
  return word;
}

}  // namespace godwit::port::ip

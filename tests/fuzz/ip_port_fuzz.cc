// Any sequence of frames, times and sends at an endpoint: everything is counted, given back, and
// what leaves is well-formed.
//
// The input is a list of steps: a byte that says what, two bytes of length, that many bytes.
//   what % 4 = 0  a frame as it is
//              1  the same, made to come further: our MAC, no VLAN, checksums that hold
//              2  time passes: the length in milliseconds, no bytes follow
//              3  a datagram of those bytes to a peer that the first of them chooses
// what / 4 says more: the device's opinion of checksums, the family; 128 and above: overheard.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/base/assert.h"
#include "dataplane/base/log.h"
#include "dataplane/port/ip/addressee.h"
#include "dataplane/port/ip/ip_port.h"
#include "tests/dataplane/port/ip/exact_device.h"
#include "tests/dataplane/port/ip/frames.h"

namespace {

using namespace godwit;
using namespace godwit::port;
using frames::Octets;

constexpr std::uint16_t kOwnPort = 4433;

// Sets the checksums of an IP packet where there are any to set.
Octets mended(Octets frame, bool is_v6) {
  const std::size_t header = is_v6 ? 40 : 20;
  if (frame.size() < 14 + header + 8) {
    return frame;
  }
  std::copy(frames::kOwnMac.begin(), frames::kOwnMac.end(), frame.begin());
  frame[6] = 0x02;
  frame = frames::put16(frame, 12, is_v6 ? 0x86dd : 0x0800);
  const std::size_t bytes = frame.size() - 14 - header;
  const auto at = [&](std::size_t from, std::size_t count) {
    const auto begin = frame.begin() + static_cast<std::ptrdiff_t>(from);
    return Octets(begin, begin + static_cast<std::ptrdiff_t>(count));
  };
  if (is_v6) {
    frame[14] = 0x60;
    frame = frames::put16(frame, 18, bytes);
  } else {
    frame[14] = 0x45;
    frame = frames::put16(frame, 16, 20 + bytes);
    frame = frames::put16(frame, 20, 0);
    frame = frames::put16(frame, 24, 0);
    frame = frames::put16(frame, 24, frames::checksum(at(14, 20)));
  }
  const std::uint8_t protocol = is_v6 ? frame[20] : frame[23];
  const std::size_t field = 14 + header + (protocol == 17 ? 6 : 2);
  if (protocol == 17) {
    frame = frames::put16(frame, 14 + header + 4, bytes);
  }
  frame = frames::put16(frame, field, 0);
  const Octets addresses = is_v6 ? at(22, 32) : at(26, 8);
  const Octets payload = at(14 + header, bytes);
  const std::uint16_t sum = protocol == 1 && !is_v6
                                ? frames::checksum(payload)
                                : frames::checksum_with_addresses(addresses, {}, protocol, payload);
  return frames::put16(frame, field, sum);
}

struct World {
  ExactDevice::Lab lab;
  std::unique_ptr<IpPort> port;
  Instant now = Instant::from_ns(1'000'000'000);
  std::uint64_t injected = 0;

  World() {
    auto device = std::make_unique<ExactDevice>(
        lab, DeviceCapabilities{.mac = frames::kOwnMac, .frame_bytes_max = 1518, .name = "exact"});
    port = IpPort::make(std::move(device),
                        {.v4 = ip::Subnet::parse("10.9.0.1/24").value(),
                         .v6 = ip::Subnet::parse("fd09::1/64").value(),
                         .gateway_v4 = ip::Address::parse("10.9.0.254").value(),
                         .udp_port = kOwnPort})
               .value();
  }

  void take(const Octets& frame) {
    lab.incoming.push_back(frame);
    ++injected;
    std::array<Train, 4> out{};
    const ip::FateCounts before = port->fates();
    const std::size_t count = port->receive(now, out);
    check_addressee(frame, before);
    GODWIT_ASSERT(!lab.is_overheard || (count == 0 && became(ip::Fate::kOverheard, before)));
    for (const Train& train : std::span(out).first(count)) {
      GODWIT_ASSERT(!train.bytes.empty() && train.bytes.size() + 42 <= frame.size());
      GODWIT_ASSERT(train.segment_bytes == train.bytes.size() && train.peer.udp_port() != 0);
      std::fill(train.bytes.begin(), train.bytes.end(), std::byte{0});
    }
    port->release(std::span(out).first(count));
    GODWIT_ASSERT(port->fates().total() == injected);
    check_sent();
  }

  bool became(ip::Fate fate, const ip::FateCounts& before) const {
    return port->fates().of(fate) > before.of(fate);
  }

  // Workers that share the address would have sent this one the frame.
  void check_addressee(const Octets& frame, const ip::FateCounts& before) const {
    using ip::Addressee;
    using ip::Fate;
    const Addressee addressee = ip::addressee_of(std::as_bytes(std::span(frame)));
    if (became(Fate::kDelivered, before) || became(Fate::kPathMtu, before)) {
      GODWIT_ASSERT((addressee == Addressee{Addressee::Kind::kPort, kOwnPort}));
    }
    if (became(Fate::kNeighbour, before) || became(Fate::kConflict, before)) {
      GODWIT_ASSERT(addressee.kind == Addressee::Kind::kEveryone);
    }
  }

  void send(std::span<const std::uint8_t> bytes) {
    if (bytes.empty() || bytes.size() > 1'452) {
      return;
    }
    Octets payload(bytes.begin(), bytes.end());
    const Peer peer = (payload[0] & 1U) == 0
                          ? Peer::v4({10, 9, 0, payload[0]}, 7000)
                          : Peer::parse("[fd09::2]:7000").value().with_port(payload[0]);
    const Train train{.peer = peer,
                      .segment_bytes = static_cast<std::uint16_t>(payload.size()),
                      .bytes = std::as_writable_bytes(std::span(payload))};
    GODWIT_ASSERT(port->transmit(now, {&train, 1}) == 1);
    check_sent();
  }

  void check_sent() {
    GODWIT_ASSERT(lab.lent <= ip::Neighbours::kHeldTotalMax);
    for (const Octets& frame : lab.sent) {
      GODWIT_ASSERT(frame.size() >= 42 && frame.size() <= 1'514);
      GODWIT_ASSERT(std::equal(frames::kOwnMac.begin(), frames::kOwnMac.end(), frame.begin() + 6));
    }
    lab.sent.clear();
    while (const auto word = port->poll_path_mtu()) {
      GODWIT_ASSERT(word->datagram_bytes >= 500 && word->datagram_bytes < 1'472);
    }
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  log::set_level(log::Level::kOff);
  World world;
  std::span<const std::uint8_t> rest(data, size);
  while (rest.size() >= 3) {
    const unsigned what = rest[0];
    const std::size_t length = rest[1] * 256U + rest[2];
    rest = rest.subspan(3);
    if (what % 4 == 2) {
      world.now = world.now + Duration::ms(static_cast<std::int64_t>(length));
      continue;
    }
    const auto bytes = rest.first(std::min(length, rest.size()));
    rest = rest.subspan(bytes.size());
    world.lab.checksums = static_cast<Checksums>(what / 4 % 3);
    world.lab.is_overheard = what >= 128;
    if (what % 4 == 3) {
      world.send(bytes);
    } else {
      const Octets frame(bytes.begin(), bytes.end());
      world.take(what % 4 == 0 ? frame : mended(frame, what / 16 % 2 == 1));
    }
  }
  return 0;
}

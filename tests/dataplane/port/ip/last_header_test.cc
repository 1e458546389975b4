// What an endpoint makes of a frame does not depend on the datagram before it.
#include "dataplane/port/ip/last_header.h"

#include <array>
#include <utility>

#include <gtest/gtest.h>

#include "tests/dataplane/port/ip/endpoint_fixture.h"

namespace godwit::port {
namespace {

using frames::Octets;

struct Kind {
  const char* name;
  bool is_v6;
  bool is_tagged;
};
constexpr std::array<Kind, 4> kKinds = {Kind{"IPv4", false, false},
                                        Kind{"IPv6", true, false},
                                        Kind{"IPv4, tagged", false, true},
                                        Kind{"IPv6, tagged", true, true}};
constexpr std::uint16_t kVlan = 7;

std::size_t link_bytes(const Kind& kind) {
  return kind.is_tagged ? 18 : 14;
}
std::size_t headers_bytes(const Kind& kind) {
  return link_bytes(kind) + (kind.is_v6 ? 40 : 20) + 8;
}

// As if the sender had meant what the frame says now.
Octets with_right_checksums(Octets frame, const Kind& kind) {
  const auto part = [&](std::size_t at, std::size_t count) {
    const auto begin = frame.begin() + static_cast<std::ptrdiff_t>(at);
    return Octets(begin, begin + static_cast<std::ptrdiff_t>(count));
  };
  const std::size_t ip = link_bytes(kind);
  const std::size_t udp = headers_bytes(kind) - 8;
  if (!kind.is_v6) {
    frame = frames::put16(frame, ip + 10, 0);
    frame = frames::put16(frame, ip + 10, frames::checksum(part(ip, 20)));
  }
  frame = frames::put16(frame, udp + 6, 0);
  const Octets addresses = kind.is_v6 ? part(ip + 8, 32) : part(ip + 12, 8);
  const std::uint16_t sum =
      frames::checksum_with_addresses(addresses, {}, 17, part(udp, frame.size() - udp));
  return frames::put16(frame, udp + 6, sum == 0 ? 0xffff : sum);
}

class Receiver : public EndpointTest {
 public:
  struct Outcome {
    ip::Fate fate;
    std::vector<Received> received;

    bool operator==(const Outcome& other) const {
      const auto is_same = [](const Received& a, const Received& b) {
        return a.peer == b.peer && a.payload == b.payload && a.ecn == b.ecn;
      };
      return fate == other.fate && std::ranges::equal(received, other.received, is_same);
    }
  };

  explicit Receiver(const Kind& kind) {
    ip::Options options = usual_options();
    options.vlan = kind.is_tagged ? std::optional(kVlan) : std::nullopt;
    open(options);
  }

  static Octets datagram(const Kind& kind, std::size_t payload_bytes, std::uint8_t seed) {
    Octets payload(payload_bytes);
    std::generate(payload.begin(), payload.end(), [&] { return seed++; });
    const Octets frame = kind.is_v6 ? datagram6(payload) : datagram4(payload);
    return kind.is_tagged ? frames::tagged(frame, kVlan) : frame;
  }

  Outcome outcome_of(const Octets& frame, Checksums checksums = Checksums::kUnknown) {
    const ip::FateCounts before = port_->fates();
    lab_.checksums = checksums;
    lab_.incoming.push_back(frame);
    Outcome outcome{ip::Fate::kDelivered, receive()};
    for (std::size_t index = 0; index < ip::kFates; ++index) {
      const auto fate = static_cast<ip::Fate>(index);
      outcome.fate = port_->fates().of(fate) != before.of(fate) ? fate : outcome.fate;
    }
    return outcome;
  }

  void TestBody() override {}
};

void expect_the_same(const Kind& kind, const Octets& frame, Checksums checksums) {
  Receiver fresh(kind);
  Receiver used(kind);
  ASSERT_EQ(used.outcome_of(Receiver::datagram(kind, 100, 1)).fate, ip::Fate::kDelivered);
  EXPECT_EQ(fresh.outcome_of(frame, checksums), used.outcome_of(frame, checksums));
}

TEST(LastHeader, ChangesNothingWhateverBitOfTheNextHeadersIsAnother) {
  for (const Kind& kind : kKinds) {
    const Octets next = Receiver::datagram(kind, 120, 2);
    for (std::size_t bit = 0; bit < headers_bytes(kind) * 8; ++bit) {
      SCOPED_TRACE(fmt::format("{}: byte {}, bit {}", kind.name, bit / 8, bit % 8));
      Octets frame = next;
      frame[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
      expect_the_same(kind, frame, Checksums::kUnknown);
      expect_the_same(kind, frame, Checksums::kGood);
      expect_the_same(kind, with_right_checksums(frame, kind), Checksums::kUnknown);
    }
  }
}

TEST(LastHeader, ChangesNothingForLengthsPaddingAndMissingChecksums) {
  for (const Kind& kind : kKinds) {
    SCOPED_TRACE(kind.name);
    for (const std::size_t bytes : {1U, 10U, 30U, 31U, 1'000U, 1'452U}) {
      const Octets whole = Receiver::datagram(kind, bytes, 3);
      for (const Checksums said : {Checksums::kUnknown, Checksums::kGood, Checksums::kBad}) {
        expect_the_same(kind, whole, said);
        expect_the_same(kind, frames::join(whole, Octets(7, 0xee)), said);
        expect_the_same(kind, Octets(whole.begin(), whole.end() - 1), said);
        expect_the_same(kind, frames::put16(whole, headers_bytes(kind) - 2, 0), said);
      }
    }
  }
}

// Not by the readers that it is there to save: only by itself.
TEST(LastHeader, ReadsADatagramOfAnotherLengthClassAndHopLimit) {
  const DeviceCapabilities device{.mac = frames::kOwnMac, .frame_bytes_max = 1'518};
  for (const Kind& kind : kKinds) {
    SCOPED_TRACE(kind.name);
    ip::Options options{.v4 = ip::Subnet::parse("10.9.0.1/24").value(),
                        .v6 = ip::Subnet::parse("fd09::1/64").value(),
                        .vlan = kind.is_tagged ? std::optional(kVlan) : std::nullopt,
                        .udp_port = kOwnPort};
    const auto self = ip::Interface::make(options, device).value();
    Octets first = Receiver::datagram(kind, 100, 1);
    const std::span<std::byte> bytes = std::as_writable_bytes(std::span(first));
    const auto packet =
        ip::read_packet(self, ip::read_link(self, bytes).value(), Checksums::kUnknown).value();
    const Peer peer = Peer::parse(kind.is_v6 ? "[fd09::2]:7000" : "10.9.0.2:7000").value();

    Octets next = Receiver::datagram(kind, 1'000, 9);
    const std::size_t ip = link_bytes(kind);
    next[ip + 1] ^= kind.is_v6 ? 0x20U : 0x02U;  // ECT(0)
    next[ip + (kind.is_v6 ? 7 : 8)] = 9;         // hops
    next = with_right_checksums(next, kind);
    const Frame frame{.bytes = std::as_writable_bytes(std::span(next))};
    ip::LastHeader last;
    Train out;
    EXPECT_FALSE(last.reads(frame, out)) << "nothing was delivered yet";
    last.remember(bytes.data(), packet, peer);
    ASSERT_TRUE(last.reads(frame, out));
    EXPECT_EQ(out.peer, peer);
    EXPECT_EQ(out.segment_bytes, 1'000);
    EXPECT_EQ(out.ecn, 2);
    EXPECT_EQ(out.bytes.data(), frame.bytes.data() + headers_bytes(kind));
    EXPECT_EQ(out.bytes.size(), 1'000U);
  }
}

}  // namespace
}  // namespace godwit::port

// Laws of the endpoint, tried on drawn frames and datagrams.
#include <algorithm>
#include <memory>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "dataplane/port/ip/checksum.h"
#include "dataplane/port/ip/memory_device.h"
#include "tests/dataplane/port/ip/endpoint_fixture.h"

namespace godwit::port {
namespace {

using frames::Octets;

std::span<const std::byte> bytes_of(const Octets& octets) {
  return std::as_bytes(std::span(octets));
}

RC_GTEST_PROP(Checksum, IsTheNaiveOneAtEveryLengthAndAlignment, ()) {
  const auto size = *rc::gen::inRange<std::size_t>(0, 4'000);
  const auto octets = *rc::gen::container<Octets>(size, rc::gen::arbitrary<std::uint8_t>());
  const auto skip = *rc::gen::inRange<std::size_t>(0, 65);
  const Octets part(octets.begin() + static_cast<std::ptrdiff_t>(std::min(skip, size)),
                    octets.end());
  const auto whole = bytes_of(octets).subspan(std::min(skip, size));
  const std::uint16_t naive = frames::checksum(part);
  const std::array<std::uint8_t, 2> expected = {static_cast<std::uint8_t>(naive >> 8U),
                                                static_cast<std::uint8_t>(naive & 0xffU)};
  RC_ASSERT(ip::checksum_of(ip::sum_of(whole)) == expected);
  RC_ASSERT(ip::checksum_of(ip::detail::sum_of_scalar(whole)) == expected);
}

// Sums and copies, each byte of them, from and to every alignment; and nothing around the copy.
RC_GTEST_PROP(Checksum, OfACopyIsThatOfTheBytesAndTheCopyIsExact, ()) {
  const auto size = *rc::gen::inRange<std::size_t>(0, 2'000);
  const auto skip = *rc::gen::inRange<std::size_t>(0, 65);
  const auto shift = *rc::gen::inRange<std::size_t>(0, 65);
  const auto octets = *rc::gen::container<Octets>(skip + size, rc::gen::arbitrary<std::uint8_t>());
  const auto from = bytes_of(octets).subspan(skip);
  constexpr std::byte kUntouched{0xa5};
  std::vector<std::byte> room(shift + size + 64, kUntouched);
  const ip::Sum sum = ip::copy_and_sum(from, room.data() + shift);
  RC_ASSERT(ip::fold(sum) == ip::fold(ip::detail::sum_of_scalar(from)));
  const auto copy = room.begin() + static_cast<std::ptrdiff_t>(shift);
  const auto end = copy + static_cast<std::ptrdiff_t>(size);
  RC_ASSERT(std::equal(from.begin(), from.end(), copy));
  const auto is_untouched = [](std::byte byte) { return byte == kUntouched; };
  RC_ASSERT(std::all_of(room.begin(), copy, is_untouched));
  RC_ASSERT(std::all_of(end, room.end(), is_untouched));
}

TEST(ChecksumTest, HoldsWhereSumsAreLargest) {
  for (const std::size_t size : {1U, 2U, 1'480U, 9'000U, 65'535U}) {
    const Octets ones(size, 0xff);
    EXPECT_EQ(ip::fold(ip::sum_of(bytes_of(ones))), size % 2 == 1 ? 0x00ff : 0xffff) << size;
  }
  // RFC 1071 section 3: 0001 f203 f4f5 f6f7 sum to ddf2.
  const Octets example = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
  EXPECT_EQ(ip::checksum_of(ip::sum_of(bytes_of(example))),
            (std::array<std::uint8_t, 2>{0xff - 0xdd, 0xff - 0xf2}));
}

ip::Options options_of(const char* v4, const char* v6, bool has_vlan) {
  return {.v4 = ip::Subnet::parse(v4).value(),
          .v6 = ip::Subnet::parse(v6).value(),
          .vlan = has_vlan ? std::optional<std::uint16_t>(7) : std::nullopt,
          .udp_port = kOwnPort};
}

RC_GTEST_PROP(IpPorts, CarryTrainsUnchanged, ()) {
  Random random(*rc::gen::arbitrary<std::uint64_t>());
  MemoryWire wire({.fills_checksums = *rc::gen::arbitrary<bool>()}, random);
  const bool has_vlan = *rc::gen::arbitrary<bool>();
  const auto a =
      IpPort::make(wire.open(0), options_of("10.9.0.1/24", "fd09::1/64", has_vlan)).value();
  const auto b =
      IpPort::make(wire.open(1), options_of("10.9.0.2/24", "fd09::2/64", has_vlan)).value();
  Instant now = Instant::from_ns(1);
  std::array<Train, 64> out{};
  for (const char* to : {"10.9.0.2:4433", "[fd09::2]:4433"}) {
    const auto segment = *rc::gen::inRange<std::size_t>(1, 1'453);
    const auto count = *rc::gen::inRange<std::size_t>(1, 9);
    const auto last = *rc::gen::inRange<std::size_t>(1, segment + 1);
    std::vector<std::byte> bytes((count - 1) * segment + last);
    std::generate(
        bytes.begin(), bytes.end(), [&] { return static_cast<std::byte>(random.next()); });
    const auto ecn = *rc::gen::inRange<std::uint8_t>(0, 4);
    const Train train{.peer = Peer::parse(to).value(),
                      .segment_bytes = static_cast<std::uint16_t>(segment),
                      .bytes = bytes,
                      .ecn = ecn,
                      .dscp = *rc::gen::inRange<std::uint8_t>(0, 64)};
    RC_ASSERT(a->transmit(now, {&train, 1}) == 1U);
    RC_ASSERT(b->receive(now, out) == 0U);  // answers the question
    RC_ASSERT(a->receive(now, out) == 0U);  // and what was held leaves
    const std::size_t got = b->receive(now, out);
    RC_ASSERT(got == count);
    std::size_t at = 0;
    for (const Train& one : std::span(out).first(got)) {
      RC_ASSERT(one.peer.same_host(a->local()) || one.peer.is_v6());
      RC_ASSERT(one.peer.udp_port() == kOwnPort);
      RC_ASSERT(one.ecn == ecn);
      RC_ASSERT(one.bytes.size() == std::min(segment, bytes.size() - at));
      RC_ASSERT(std::equal(
          one.bytes.begin(), one.bytes.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at)));
      at += one.bytes.size();
    }
    b->release(std::span(out).first(got));
  }
}

class Endpoint : public EndpointTest {
 public:
  Endpoint() { open(usual_options()); }
  using EndpointTest::datagram4;
  using EndpointTest::datagram6;
  using EndpointTest::fate_of;
  using EndpointTest::kPeer4;
  using EndpointTest::kPeer6;
  using EndpointTest::lab_;
  using EndpointTest::port_;
  using EndpointTest::receive;
  void TestBody() override {}
};

RC_GTEST_PROP(IpPorts, NeverDeliverWhatABitFlipChanged, ()) {
  Endpoint endpoint;
  const auto size = *rc::gen::inRange<std::size_t>(1, 200);
  const auto payload = *rc::gen::container<Octets>(size, rc::gen::arbitrary<std::uint8_t>());
  const bool is_v6 = *rc::gen::arbitrary<bool>();
  Octets frame = is_v6 ? Endpoint::datagram6(payload) : Endpoint::datagram4(payload);
  const auto bit = *rc::gen::inRange<std::size_t>(0, frame.size() * 8);
  frame[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
  endpoint.lab_.incoming.push_back(frame);
  for (const auto& one : endpoint.receive()) {
    RC_ASSERT(one.payload == payload);
    RC_ASSERT(one.peer == (is_v6 ? Endpoint::kPeer6 : Endpoint::kPeer4));
  }
  RC_ASSERT(endpoint.lab_.lent == 0U);
}

RC_GTEST_PROP(IpPorts, GiveEveryFrameOneFateAndGiveItBack, ()) {
  Endpoint endpoint;
  const auto before = endpoint.port_->fates().total();
  const auto junk = *rc::gen::container<std::vector<Octets>>(
      rc::gen::map(rc::gen::arbitrary<Octets>(), [](Octets octets) {
        // Half of them to us, of a type that is read.
        if (octets.size() >= 14 && octets[0] % 2 == 0) {
          std::copy(frames::kOwnMac.begin(), frames::kOwnMac.end(), octets.begin());
          octets[6] &= 0xfeU;
          octets[12] = octets[13] % 3 == 0 ? 0x86 : 0x08;
          octets[13] = octets[13] % 3 == 0 ? 0xdd : octets[13] % 3 == 1 ? 0x00 : 0x06;
        }
        return octets;
      }));
  endpoint.lab_.incoming.insert(endpoint.lab_.incoming.end(), junk.begin(), junk.end());
  const auto received = endpoint.receive();
  RC_ASSERT(endpoint.port_->fates().total() == before + junk.size());
  RC_ASSERT(endpoint.port_->fates().of(ip::Fate::kDelivered) == received.size());
  RC_ASSERT(endpoint.lab_.lent == 0U);
}

}  // namespace
}  // namespace godwit::port

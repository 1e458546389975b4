// For which of several workers a frame is; that what a worker delivers is for it, tests/fuzz asks.
#include "dataplane/port/ip/addressee.h"

#include <gtest/gtest.h>

#include "tests/dataplane/port/ip/endpoint_fixture.h"

namespace godwit::port {
namespace {

using namespace frames;
using ip::Addressee;

constexpr Addressee kToAnyone{};
constexpr Addressee kToEveryone{.kind = Addressee::Kind::kEveryone};
constexpr Addressee kToOwnPort{.kind = Addressee::Kind::kPort, .udp_port = kOwnPort};

Addressee whose(const Octets& frame) {
  return ip::addressee_of(std::as_bytes(std::span(frame)));
}

class AddresseeTest : public EndpointTest {
 protected:
  // A router's word about a datagram of ours.
  static Octets error4(std::uint8_t type, std::uint8_t code) {
    const Octets quote = ipv4(v4(1), v4(9), 17, udp(v4(1), v4(9), kOwnPort, 7000, Octets(20)));
    return ethernet(kOwnMac,
                    kPeerMac,
                    0x0800,
                    ipv4(v4(2), v4(1), 1, icmp4(type, code, join(Octets{0, 0, 5, 0}, quote))));
  }
  static Octets error6(std::uint8_t type) {
    const Octets quote = ipv6(v6(1), v6(9), 17, udp(v6(1), v6(9), kOwnPort, 7000, Octets(20)));
    return ethernet(
        kOwnMac,
        kPeerMac,
        0x86dd,
        ipv6(v6(2), v6(1), 58, icmp6(v6(2), v6(1), type, 0, join(Octets{0, 0, 5, 0}, quote))));
  }
};

TEST_F(AddresseeTest, OfADatagramIsThePortItIsSentTo) {
  EXPECT_EQ(whose(datagram4({1})), kToOwnPort);
  EXPECT_EQ(whose(datagram6({1})), kToOwnPort);
  EXPECT_EQ(whose(tagged(datagram4({1}), 7)), kToOwnPort);
  EXPECT_EQ(whose(tagged(datagram6({1}), 7)), kToOwnPort);
}

TEST_F(AddresseeTest, OfQuestionsAndAnswersAboutNeighboursIsEveryone) {
  EXPECT_EQ(whose(arp_reply(2, kPeerMac)), kToEveryone);
  EXPECT_EQ(whose(tagged(arp_reply(2, kPeerMac), 7)), kToEveryone);
  EXPECT_EQ(whose(advertisement(2, kPeerMac)), kToEveryone);
  EXPECT_EQ(whose(solicitation(v6(1), kOwnMac)), kToEveryone);
}

TEST_F(AddresseeTest, OfAWordAboutADatagramIsThePortThatSentIt) {
  EXPECT_EQ(whose(error4(3, 4)), kToOwnPort);
  EXPECT_EQ(whose(error6(2)), kToOwnPort);
  EXPECT_EQ(whose(error4(8, 0)), kToAnyone) << "an echo that only looks like it";
  EXPECT_EQ(whose(error6(128)), kToAnyone);
}

TEST_F(AddresseeTest, OfEverythingElseIsAnyone) {
  EXPECT_EQ(whose(ethernet(kOwnMac, kPeerMac, 0x88b5, Octets(46))), kToAnyone);
  EXPECT_EQ(whose(ethernet(kOwnMac, kPeerMac, 0x0800, ipv4(v4(2), v4(1), 6, Octets(20)))),
            kToAnyone);
  Octets fragment = datagram4(Octets(30));
  fragment[20] = 0x20;  // more of them follow
  EXPECT_EQ(whose(fragment), kToAnyone);
  Octets options = datagram4(Octets(30));
  options[14] = 0x46;
  EXPECT_EQ(whose(options), kToAnyone);
}

TEST_F(AddresseeTest, IsReadFromNoByteBeyondTheFrame) {
  for (const Octets& whole : {tagged(datagram4({1}), 7),
                              tagged(datagram6({1}), 7),
                              arp_reply(2, kPeerMac),
                              error4(3, 4),
                              error6(2)}) {
    for (std::size_t bytes = 0; bytes < whole.size(); ++bytes) {
      const Octets cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(bytes));
      whose(cut);  // the address sanitizer judges
    }
  }
}

}  // namespace
}  // namespace godwit::port

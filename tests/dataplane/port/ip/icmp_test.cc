// Echoes, and what routers say of the path's MTU.
#include "tests/dataplane/port/ip/endpoint_fixture.h"

namespace godwit::port {
namespace {

using namespace frames;
using ip::Fate;

class IcmpTest : public EndpointTest {
 protected:
  void SetUp() override {
    auto options = usual_options();
    options.neighbours = {{ip::Address::parse("10.9.0.254").value(), kOtherMac},
                          {ip::Address::parse("fe80::254").value(), kOtherMac}};
    open(options);
    ASSERT_TRUE(send(kFar4, Octets(1'472, 1)));
    ASSERT_TRUE(send(kFar6, Octets(1'452, 1)));
    sent_ = sent();
    ASSERT_EQ(sent_.size(), 2U);
  }

  static Octets from_peer4(const Octets& message) {
    return ethernet(kOwnMac, kPeerMac, 0x0800, ipv4(v4(2), v4(1), 1, message));
  }
  static Octets from_peer6(std::uint8_t type, std::uint8_t code, const Octets& rest) {
    return ethernet(
        kOwnMac, kPeerMac, 0x86dd, ipv6(v6(2), v6(1), 58, icmp6(v6(2), v6(1), type, code, rest)));
  }
  // A router quotes the datagram sent in SetUp.
  Octets needed(std::size_t mtu, std::size_t quoted = 28) const {
    const auto at = sent_[0].begin() + 14;
    return from_peer4(icmp4(
        3,
        4,
        join(Octets{0, 0}, big16(mtu), Octets(at, at + static_cast<std::ptrdiff_t>(quoted)))));
  }
  Octets too_big(std::size_t mtu, std::size_t quoted = 200) const {
    const auto at = sent_[1].begin() + 14;
    return from_peer6(
        2,
        0,
        join(big16(mtu >> 16U), big16(mtu), Octets(at, at + static_cast<std::ptrdiff_t>(quoted))));
  }

  static inline const Peer kFar4 = Peer::v4({192, 0, 2, 7}, kPeerPort);
  static inline const Peer kFar6 = Peer::parse("[2001:db8::7]:7000").value();
  std::vector<Octets> sent_;
};

TEST_F(IcmpTest, AnswersEchoesToTheByte) {
  const Octets body = {0x12, 0x34, 0, 1, 'p', 'i', 'n', 'g', '!'};
  EXPECT_EQ(fate_of(from_peer4(icmp4(8, 0, body))), Fate::kEcho);
  EXPECT_EQ(sent(),
            Frames{ethernet(kPeerMac, kOwnMac, 0x0800, ipv4(v4(1), v4(2), 1, icmp4(0, 0, body)))});
  EXPECT_EQ(fate_of(from_peer6(128, 0, body)), Fate::kEcho);
  EXPECT_EQ(
      sent(),
      Frames{ethernet(
          kPeerMac, kOwnMac, 0x86dd, ipv6(v6(1), v6(2), 58, icmp6(v6(1), v6(2), 129, 0, body)))});
}

TEST_F(IcmpTest, AnswersAFloodOfEchoesNoFasterThanItsLimit) {
  for (int count = 0; count < 1'000; ++count) {
    lab_.incoming.push_back(from_peer4(icmp4(8, 0, Octets(1'000))));
  }
  receive();
  EXPECT_EQ(sent().size(), 100U);
  EXPECT_EQ(port_->fates().of(Fate::kTooMany), 900U);
  now_ = now_ + Duration::ms(10);
  EXPECT_EQ(fate_of(from_peer4(icmp4(8, 0, {1, 2, 3, 4}))), Fate::kEcho);
}

TEST_F(IcmpTest, TellsThePathMtuThatARouterNamed) {
  EXPECT_EQ(fate_of(needed(1'400)), Fate::kPathMtu);
  EXPECT_EQ(fate_of(too_big(1'300)), Fate::kPathMtu);
  EXPECT_EQ(fate_of(needed(1'380)), Fate::kPathMtu) << "a second router, before anybody asked";
  const auto first = port_->poll_path_mtu();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->peer, kFar4);
  EXPECT_EQ(first->datagram_bytes, 1'380U - 28U);
  const auto second = port_->poll_path_mtu();
  ASSERT_TRUE(second);
  EXPECT_EQ(second->peer, kFar6);
  EXPECT_EQ(second->datagram_bytes, 1'300U - 48U);
  EXPECT_FALSE(port_->poll_path_mtu());
}

TEST_F(IcmpTest, DoesNotBelieveImpossibleWordsAboutThePathMtu) {
  for (const std::size_t mtu : {0U, 68U, 551U, 1'500U, 65'535U}) {
    EXPECT_EQ(fate_of(needed(mtu)), Fate::kUnheeded) << mtu;
  }
  for (const std::size_t mtu : {0U, 1'279U, 1'500U, 65'536U + 1'400U}) {
    EXPECT_EQ(fate_of(too_big(mtu)), Fate::kUnheeded) << mtu;
  }
  EXPECT_EQ(fate_of(needed(1'400, 27)), Fate::kUnheeded) << "the quote is too short";
  EXPECT_EQ(fate_of(too_big(1'400, 47)), Fate::kUnheeded);
  // Quotes of datagrams that were never sent.
  const Octets stranger = ipv4(v4(1), {192, 0, 2, 8}, 17, Octets(8));
  const Octets other_port =
      ipv4(v4(1), {192, 0, 2, 7}, 17, udp(v4(1), {192, 0, 2, 7}, kOwnPort + 1, kPeerPort, {1}));
  const Octets not_ours =
      ipv4(v4(3), {192, 0, 2, 7}, 17, udp(v4(3), {192, 0, 2, 7}, kOwnPort, kPeerPort, {1}));
  const Octets unsent =
      ipv4(v4(1), {192, 0, 2, 9}, 17, udp(v4(1), {192, 0, 2, 9}, kOwnPort, kPeerPort, {1}));
  for (const Octets& quote : {stranger, other_port, not_ours, unsent}) {
    EXPECT_EQ(fate_of(from_peer4(icmp4(3, 4, join(Octets{0, 0}, big16(1'400), quote)))),
              Fate::kUnheeded);
  }
  EXPECT_FALSE(port_->poll_path_mtu());
}

TEST_F(IcmpTest, KeepsABoundedNumberOfWords) {
  std::size_t taken = 0;
  for (std::uint8_t last = 1; last <= 50; ++last) {
    const Octets to = {192, 0, 2, last};
    const Peer peer = Peer::v4({192, 0, 2, last}, kPeerPort);
    ASSERT_TRUE(send(peer, {1}));
    const Octets quote = ipv4(v4(1), to, 17, udp(v4(1), to, kOwnPort, kPeerPort, {1}));
    const Fate fate = fate_of(from_peer4(icmp4(3, 4, join(Octets{0, 0}, big16(1'400), quote))));
    taken += fate == Fate::kPathMtu ? 1 : 0;
  }
  std::size_t told = 0;
  while (port_->poll_path_mtu()) {
    ++told;
  }
  EXPECT_EQ(told, taken);
  EXPECT_EQ(told, 16U);
}

TEST_F(IcmpTest, RefusesOtherAndBrokenMessages) {
  EXPECT_EQ(fate_of(from_peer4({8, 0, 0, 0})), Fate::kTruncated);
  EXPECT_EQ(fate_of(from_peer4({8, 0, 1, 2, 3, 4, 5, 6})), Fate::kBadChecksum);
  EXPECT_EQ(fate_of(from_peer4(icmp4(0, 0, Octets(4)))), Fate::kUnheeded) << "a reply";
  EXPECT_EQ(fate_of(from_peer4(icmp4(5, 1, Octets(32)))), Fate::kUnheeded) << "a redirect";
  EXPECT_EQ(fate_of(from_peer4(icmp4(3, 3, Octets(32)))), Fate::kUnheeded) << "unreachable";
  EXPECT_EQ(fate_of(from_peer6(134, 0, Octets(12))), Fate::kUnheeded) << "a router's advertisement";
  EXPECT_EQ(fate_of(from_peer6(137, 0, Octets(36))), Fate::kUnheeded) << "a redirect";
  const Octets all = {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  EXPECT_EQ(fate_of(ethernet({0x33, 0x33, 0, 0, 0, 1},
                             kPeerMac,
                             0x86dd,
                             ipv6(v6(2), all, 58, icmp6(v6(2), all, 128, 0, Octets(4))))),
            Fate::kUnheeded)
      << "an echo request to everybody";
  EXPECT_EQ(sent().size(), 0U);
}

}  // namespace
}  // namespace godwit::port

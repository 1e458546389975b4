// Datagrams through an endpoint, byte for byte, and every way in which a frame is refused.
#include "tests/dataplane/port/ip/endpoint_fixture.h"

namespace godwit::port {
namespace {

using namespace frames;
using ip::Fate;

class DatagramsTest : public EndpointTest {
 protected:
  void SetUp() override {
    auto options = usual_options();
    options.neighbours = {{ip::Address::parse("10.9.0.2").value(), kPeerMac},
                          {ip::Address::parse("fd09::2").value(), kPeerMac},
                          {ip::Address::parse("10.9.0.254").value(), kOtherMac}};
    open(options);
  }
};

TEST_F(DatagramsTest, WritesAnIpv4DatagramToTheByte) {
  ASSERT_TRUE(send(kPeer4, {'g', 'o', 'd'}, 0, 46, Ecn::kEct0));
  const Octets datagram = udp(v4(1), v4(2), kOwnPort, kPeerPort, {'g', 'o', 'd'});
  const Octets packet = ipv4(v4(1), v4(2), 17, datagram, 46 * 4 + 2);
  EXPECT_EQ(sent(), Frames{ethernet(kPeerMac, kOwnMac, 0x0800, packet)});
}

TEST_F(DatagramsTest, WritesAnIpv6DatagramToTheByte) {
  ASSERT_TRUE(send(kPeer6, {'w', 'i', 't', '!'}, 0, 10, Ecn::kEct1));
  const Octets datagram = udp(v6(1), v6(2), kOwnPort, kPeerPort, {'w', 'i', 't', '!'});
  const Octets packet = ipv6(v6(1), v6(2), 17, datagram, 64, 10 * 4 + 1);
  EXPECT_EQ(sent(), Frames{ethernet(kPeerMac, kOwnMac, 0x86dd, packet)});
}

TEST_F(DatagramsTest, TagsFramesOfAVlanAndTakesNoOthers) {
  auto options = usual_options();
  options.vlan = 7;
  options.neighbours = {{ip::Address::parse("10.9.0.2").value(), kPeerMac}};
  port_.reset();
  open(options);
  ASSERT_TRUE(send(kPeer4, {1, 2}));
  const Octets datagram = udp(v4(1), v4(2), kOwnPort, kPeerPort, {1, 2});
  EXPECT_EQ(
      sent(),
      Frames{tagged(ethernet(kPeerMac, kOwnMac, 0x0800, ipv4(v4(1), v4(2), 17, datagram)), 7)});
  EXPECT_EQ(fate_of(tagged(datagram4({1}), 7)), Fate::kDelivered);
  EXPECT_EQ(fate_of(tagged(datagram4({1}), 0x6007)), Fate::kDelivered) << "a priority is no matter";
  EXPECT_EQ(fate_of(tagged(datagram4({1}), 8)), Fate::kWrongVlan);
  EXPECT_EQ(fate_of(datagram4({1})), Fate::kWrongVlan);
}

TEST_F(DatagramsTest, CutsATrainAndSendsTheShorterRest) {
  Octets payload(2'500);
  for (std::size_t index = 0; index < payload.size(); ++index) {
    payload[index] = static_cast<std::uint8_t>(index * 7);
  }
  ASSERT_TRUE(send(kPeer4, payload, 1'000));
  const auto frames = sent();
  ASSERT_EQ(frames.size(), 3U);
  Octets joined;
  for (const Octets& frame : frames) {
    joined.insert(joined.end(), frame.begin() + 42, frame.end());
  }
  EXPECT_EQ(joined, payload);
  EXPECT_EQ(frames[2].size(), 42U + 500U);
  EXPECT_EQ(port_->counters().packets_sent, 3U);
}

TEST_F(DatagramsTest, DeliversWhatAPeerSentWithItsEcn) {
  lab_.incoming = {datagram4({1, 2, 3}, 3), datagram6({4, 5}, 2)};
  const auto received = receive();
  ASSERT_EQ(received.size(), 2U);
  EXPECT_EQ(received[0].peer, kPeer4);
  EXPECT_EQ(received[0].payload, (Octets{1, 2, 3}));
  EXPECT_EQ(received[0].ecn, 3);
  EXPECT_EQ(received[1].peer, kPeer6);
  EXPECT_EQ(received[1].payload, (Octets{4, 5}));
  EXPECT_EQ(received[1].ecn, 2);
  EXPECT_EQ(lab_.lent, 0U);
}

TEST_F(DatagramsTest, CutsOffThePaddingOfShortFrames) {
  lab_.incoming = {join(datagram4({9}), Octets(20, 0xee)), join(datagram6({8}), Octets(5, 0xee))};
  const auto received = receive();
  ASSERT_EQ(received.size(), 2U);
  EXPECT_EQ(received[0].payload, Octets{9});
  EXPECT_EQ(received[1].payload, Octets{8});
}

TEST_F(DatagramsTest, TakesIpv4WithoutAChecksumAndIpv6NotSo) {
  EXPECT_EQ(fate_of(put16(datagram4({1, 2}), 40, 0)), Fate::kDelivered);
  EXPECT_EQ(fate_of(put16(datagram6({1, 2}), 60, 0)), Fate::kBadUdp);
}

TEST_F(DatagramsTest, BelievesTheDeviceAboutChecksums) {
  lab_.checksums = Checksums::kBad;
  EXPECT_EQ(fate_of(datagram4({1})), Fate::kBadChecksum);
  lab_.checksums = Checksums::kGood;
  EXPECT_EQ(fate_of(put16(datagram4({1}), 40, 0x1234)), Fate::kDelivered);
}

TEST_F(DatagramsTest, LeavesChecksumsToADeviceThatFillsThemIn) {
  port_.reset();
  auto options = usual_options();
  options.neighbours = {{ip::Address::parse("10.9.0.2").value(), kPeerMac}};
  open(options, true);
  ASSERT_TRUE(send(kPeer4, {1, 2, 3}));
  const auto frames = sent();
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0][24] * 256 + frames[0][25], 0) << "IPv4's is the device's to fill in";
  // The pseudo header's sum, not inverted.
  const auto pseudo =
      static_cast<std::uint16_t>(~checksum(join(v4(1), v4(2), Octets{0, 17}, big16(8 + 3))));
  EXPECT_EQ(frames[0][40] * 256 + frames[0][41], pseudo);
}

TEST_F(DatagramsTest, SendsTheRestWhenTheDeviceHasRoomAgain) {
  lab_.transmit_max = 2;
  ASSERT_TRUE(send(kPeer4, Octets(4'000, 1), 1'000));
  EXPECT_EQ(sent().size(), 2U);
  // 62 places are left in the outbox; what does not fit is not taken.
  ASSERT_TRUE(send(kPeer4, Octets(62'000, 2), 1'000));
  EXPECT_FALSE(send(kPeer4, Octets(1'000, 3), 1'000));
  EXPECT_EQ(port_->counters().send_busy, 1U);
  lab_.transmit_max = 1'000;
  receive();
  const auto frames = sent();
  ASSERT_EQ(frames.size(), 64U);
  EXPECT_EQ(frames[1].back(), 1);
  EXPECT_EQ(frames[2].back(), 2);
}

TEST_F(DatagramsTest, TakesAWholeTrainOrNoneWhenBuffersAreShort) {
  lab_.reserve_max = 3;
  EXPECT_FALSE(send(kPeer4, Octets(4'000, 1), 1'000));
  EXPECT_EQ(sent().size(), 0U);
  EXPECT_EQ(lab_.lent, 0U);
  EXPECT_TRUE(send(kPeer4, Octets(3'000, 1), 1'000));
  EXPECT_EQ(sent().size(), 3U);
}

TEST_F(DatagramsTest, LosesAndCountsWhatCannotBeSent) {
  EXPECT_TRUE(send(kPeer4, Octets(1'473)));              // longer than the MTU
  EXPECT_TRUE(send(Peer::v4({10, 9, 0, 255}, 1), {1}));  // a broadcast
  EXPECT_TRUE(send(Peer::v4({224, 0, 0, 1}, 1), {1}));   // a group
  EXPECT_TRUE(send(Peer::v4({10, 9, 0, 1}, 1), {1}));    // oneself
  EXPECT_TRUE(send(Peer::v4({10, 9, 0, 2}, 0), {1}));    // no port
  EXPECT_EQ(sent().size(), 0U);
  EXPECT_EQ(port_->counters().send_errors, 5U);
  EXPECT_TRUE(send(kPeer4, Octets(1'472)));
  EXPECT_TRUE(send(Peer::v4({192, 0, 2, 1}, 1), {1}));
  const auto frames = sent();
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(Octets(frames[1].begin(), frames[1].begin() + 6), join(kOtherMac)) << "the gateway";
}

TEST_F(DatagramsTest, RefusesTruncatedFramesAtEveryLength) {
  for (const Octets& whole : {datagram4({1, 2, 3, 4}), datagram6({1, 2, 3, 4})}) {
    for (std::size_t length = 0; length < whole.size(); ++length) {
      EXPECT_TRUE(ip::is_refusal(
          fate_of(Octets(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)))))
          << length;
    }
  }
}

TEST_F(DatagramsTest, CountsEveryKindOfRefusedFrame) {
  const Octets good4 = datagram4({1, 2});
  const Octets good6 = datagram6({1, 2});
  const auto with = [](Octets frame, std::size_t at, std::uint8_t value) {
    frame[at] = value;
    return frame;
  };
  const auto v4_with_header = [&](std::size_t at, std::uint8_t value) {
    Octets header(good4.begin() + 14, good4.begin() + 34);
    header[at] = value;
    header = put16(put16(header, 10, 0), 10, checksum(put16(header, 10, 0)));
    return join(
        Octets(good4.begin(), good4.begin() + 14), header, Octets(good4.begin() + 34, good4.end()));
  };
  EXPECT_EQ(fate_of(Octets(13)), Fate::kTruncated);
  EXPECT_EQ(fate_of(ethernet(kPeerMac, kOwnMac, 0x0800, Octets(60))), Fate::kLooped);
  EXPECT_EQ(fate_of(ethernet(kOtherMac, kPeerMac, 0x0800, Octets(60))), Fate::kNotOurs);
  EXPECT_EQ(fate_of(ethernet(kOwnMac, kAllMacs, 0x0800, Octets(60))), Fate::kBadSource);
  EXPECT_EQ(fate_of(tagged(good4, 5)), Fate::kWrongVlan);
  EXPECT_EQ(fate_of(with(good4, 12, 0x12)), Fate::kUnknownType);
  EXPECT_EQ(fate_of(with(good4, 14, 0x55)), Fate::kBadIp);
  EXPECT_EQ(fate_of(with(good4, 14, 0x44)), Fate::kBadIp);
  EXPECT_EQ(fate_of(with(good4, 24, good4[24] ^ 1U)), Fate::kBadIp) << "header checksum";
  EXPECT_EQ(fate_of(with(good4, 14, 0x46)), Fate::kIpOptions);
  EXPECT_EQ(fate_of(v4_with_header(6, 0x20)), Fate::kIpFragment) << "more fragments";
  EXPECT_EQ(fate_of(v4_with_header(7, 0x01)), Fate::kIpFragment) << "an offset";
  EXPECT_EQ(fate_of(v4_with_header(3, 19)), Fate::kBadIp) << "shorter than its header";
  EXPECT_EQ(fate_of(v4_with_header(2, 5)), Fate::kTruncated);
  EXPECT_EQ(fate_of(v4_with_header(9, 6)), Fate::kUnknownProtocol);
  EXPECT_EQ(fate_of(v4_with_header(9, 58)), Fate::kUnknownProtocol) << "ICMPv6 in IPv4";
  EXPECT_EQ(fate_of(v4_with_header(15, 1)), Fate::kLooped) << "from our own address";
  EXPECT_EQ(fate_of(v4_with_header(15, 255)), Fate::kBadSource) << "from the broadcast address";
  EXPECT_EQ(fate_of(v4_with_header(12, 224)), Fate::kBadSource);
  EXPECT_EQ(fate_of(v4_with_header(12, 127)), Fate::kBadSource);
  EXPECT_EQ(fate_of(v4_with_header(19, 3)), Fate::kWrongHost);
  EXPECT_EQ(fate_of(join(kAllMacs, Octets(good4.begin() + 6, good4.end()))), Fate::kWrongHost);
  EXPECT_EQ(fate_of(with(good4, 37, 0x52)), Fate::kWrongPort);
  EXPECT_EQ(fate_of(with(good4, 39, 9)), Fate::kBadUdp) << "a length that does not fit";
  EXPECT_EQ(fate_of(datagram4({})), Fate::kBadUdp) << "empty";
  EXPECT_EQ(fate_of(with(good4, 43, 9)), Fate::kBadChecksum);
  EXPECT_EQ(fate_of(with(good6, 14, 0x50)), Fate::kBadIp);
  EXPECT_EQ(fate_of(with(good6, 20, 44)), Fate::kIpFragment);
  EXPECT_EQ(fate_of(with(good6, 20, 0)), Fate::kIpOptions);
  EXPECT_EQ(fate_of(with(good6, 20, 6)), Fate::kUnknownProtocol);
  EXPECT_EQ(fate_of(with(good6, 18, 5)), Fate::kTruncated);
  EXPECT_EQ(fate_of(with(good6, 37, 1)), Fate::kLooped);
  EXPECT_EQ(fate_of(with(good6, 22, 0xff)), Fate::kBadSource);
  EXPECT_EQ(fate_of(with(good6, 53, 9)), Fate::kWrongHost);
  EXPECT_EQ(fate_of(with(good6, 63, 9)), Fate::kBadChecksum);
  EXPECT_EQ(port_->counters().receive_errors, port_->fates().total());
  std::uint64_t refused = 0;
  for (const Refusal& refusal : port_->refusals()) {
    refused += refusal.count;
    EXPECT_TRUE(refusal.reason != "bad_checksum" || refusal.count == 2) << refusal.count;
  }
  EXPECT_EQ(refused, port_->fates().total());
  EXPECT_EQ(fate_of(good4), Fate::kDelivered) << "survived";
  EXPECT_EQ(fate_of(good6), Fate::kDelivered);
  EXPECT_EQ(lab_.sent.size(), 0U) << "nobody is told";
}

TEST_F(DatagramsTest, ReceivesPastABurstOfJunk) {
  for (int count = 0; count < 100; ++count) {
    lab_.incoming.push_back(Octets(13));
  }
  lab_.incoming.push_back(datagram4({5}));
  std::array<Train, 16> out{};
  const std::size_t count = port_->receive(now_, out);
  EXPECT_EQ(count, 1U) << "a caller must not take junk for silence";
  port_->release(std::span(out).first(count));
}

TEST_F(DatagramsTest, ReceivesAsMuchBesideJunkAsWithoutIt) {
  for (int count = 0; count < 60; ++count) {
    lab_.incoming.push_back(count % 4 == 0 ? datagram4({5}) : Octets(13));
  }
  std::array<Train, 16> out{};
  const std::size_t count = port_->receive(now_, out);
  EXPECT_EQ(count, 15U) << "a refused frame in a burst must not end the call";
  port_->release(std::span(out).first(count));
}

TEST(IpPortOptions, AreRefusedWithAReason) {
  ExactDevice::Lab lab;
  const auto refusal = [&](ip::Options options) {
    auto device = std::make_unique<ExactDevice>(
        lab, DeviceCapabilities{.mac = kOwnMac, .frame_bytes_max = 1518, .name = "exact"});
    auto port = IpPort::make(std::move(device), options);
    return port ? std::string() : port.error().message;
  };
  const auto v4_net = ip::Subnet::parse("10.9.0.1/24").value();
  EXPECT_EQ(refusal({.v4 = v4_net, .udp_port = 1}), "");
  EXPECT_NE(refusal({.udp_port = 1}), "") << "no address";
  EXPECT_NE(refusal({.v4 = v4_net}), "") << "no port";
  EXPECT_NE(refusal({.v4 = v4_net, .vlan = 4095, .udp_port = 1}), "");
  EXPECT_NE(refusal({.v4 = v4_net, .udp_port = 1, .mtu = 1505}), "") << "the device has 1504";
  EXPECT_NE(refusal({.v4 = v4_net, .vlan = 1, .udp_port = 1, .mtu = 1501}), "");
  EXPECT_NE(refusal({.v4 = v4_net, .udp_port = 1, .mtu = 500}), "");
  EXPECT_NE(
      refusal({.v4 = v4_net, .gateway_v4 = ip::Address::parse("10.8.0.1").value(), .udp_port = 1}),
      "");
  EXPECT_NE(refusal({.v4 = ip::Subnet::parse("10.9.0.255/24").value(), .udp_port = 1}), "");
  for (const char* gateway : {"10.9.0.1", "10.9.0.255", "fd09::2"}) {
    EXPECT_NE(
        refusal({.v4 = v4_net, .gateway_v4 = ip::Address::parse(gateway).value(), .udp_port = 1}),
        "")
        << gateway;
  }
  EXPECT_NE(
      refusal({.v4 = v4_net, .gateway_v6 = ip::Address::parse("fd09::2").value(), .udp_port = 1}),
      "")
      << "of a family without an address";
}

TEST(Subnets, AreParsedAndCompared) {
  for (const char* text : {"10.0.0.1",
                           "10.0.0.1/",
                           "10.0.0.1/33",
                           "10.0.0.1/0",
                           "10.0.0/8",
                           "x/8",
                           "fd00::1/129",
                           "224.0.0.1/24",
                           "::1/64",
                           "10.0.0.1/2x"}) {
    EXPECT_FALSE(ip::Subnet::parse(text)) << text;
  }
  const auto at = [](const char* text) { return ip::Address::parse(text).value(); };
  const auto narrow = ip::Subnet::parse("10.0.1.129/25").value();
  EXPECT_TRUE(narrow.contains(at("10.0.1.254")));
  EXPECT_FALSE(narrow.contains(at("10.0.1.1")));
  EXPECT_TRUE(narrow.is_edge(at("10.0.1.128")));
  EXPECT_TRUE(narrow.is_edge(at("10.0.1.255")));
  EXPECT_FALSE(narrow.is_edge(at("10.0.1.254")));
  EXPECT_FALSE(ip::Subnet::parse("10.0.0.0/31").value().is_edge(at("10.0.0.1")));
  const auto wide = ip::Subnet::parse("2001:db8:8000::1/33").value();
  EXPECT_TRUE(wide.contains(at("2001:db8:ffff::2")));
  EXPECT_FALSE(wide.contains(at("2001:db8:7fff::2")));
  EXPECT_EQ(at("2001:db8::1").format(), "2001:db8::1");
  EXPECT_EQ(at("10.0.0.1").format(), "10.0.0.1");
}

}  // namespace
}  // namespace godwit::port

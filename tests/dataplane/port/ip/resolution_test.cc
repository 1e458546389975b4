// ARP and neighbour discovery: asking, answering, holding, forgetting, defending.
#include <gmock/gmock.h>

#include "tests/dataplane/port/ip/resolution_fixture.h"

namespace godwit::port {
namespace {

using namespace frames;
using ip::Fate;
using ::testing::HasSubstr;

TEST_F(ResolutionTest, AsksByArpAndThenSendsWhatWasHeld) {
  ASSERT_TRUE(send(kPeer4, {1, 2, 3}));
  EXPECT_EQ(sent(), Frames{own_request(2)});
  EXPECT_EQ(fate_of(arp_reply(2, kPeerMac)), Fate::kNeighbour);
  const auto frames = sent();
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(destination(frames[0]), kPeerMac);
  EXPECT_EQ(frames[0].size(), 42U + 3U);
  ASSERT_TRUE(send(kPeer4, {4}));
  EXPECT_EQ(sent().size(), 1U) << "no further question";
}

TEST_F(ResolutionTest, AsksBySolicitationAndThenSendsWhatWasHeld) {
  ASSERT_TRUE(send(kPeer6, {1, 2, 3}));
  EXPECT_EQ(sent(), Frames{own_solicitation()});
  EXPECT_EQ(fate_of(advertisement(2, kPeerMac)), Fate::kNeighbour);
  const auto frames = sent();
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(destination(frames[0]), kPeerMac);
}

TEST_F(ResolutionTest, AsksForTheGatewayOfADistantPeer) {
  ASSERT_TRUE(send(Peer::v4({192, 0, 2, 1}, 9), {1}));
  EXPECT_EQ(sent(), Frames{own_request(254)});
  fate_of(arp_reply(254, kOtherMac));
  const auto frames = sent();
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(destination(frames[0]), kOtherMac);
}

TEST_F(ResolutionTest, HoldsTheEightLatestDatagrams) {
  for (std::uint8_t number = 0; number < 20; ++number) {
    ASSERT_TRUE(send(kPeer4, {number}));
  }
  EXPECT_EQ(lab_.lent, 8U);
  EXPECT_EQ(sent().size(), 1U) << "one question for all";
  fate_of(arp_reply(2, kPeerMac));
  const auto frames = sent();
  ASSERT_EQ(frames.size(), 8U);
  EXPECT_EQ(frames.front()[42], 12);
  EXPECT_EQ(frames.back()[42], 19);
  EXPECT_EQ(port_->neighbours().dropped, 12U);
  EXPECT_EQ(port_->counters().send_errors, 12U);
}

TEST_F(ResolutionTest, HoldsABoundedNumberForAllNeighboursTogether) {
  for (std::uint8_t last = 2; last < 102; ++last) {
    for (int count = 0; count < 3; ++count) {
      ASSERT_TRUE(send(Peer::v4({10, 9, 0, last}, 9), {1}));
    }
  }
  EXPECT_EQ(lab_.lent, ip::Neighbours::kHeldTotalMax);
}

TEST_F(ResolutionTest, AsksThreeTimesAndGivesUp) {
  ASSERT_TRUE(send(kPeer4, {1}));
  EXPECT_EQ(sent().size(), 1U);
  pass(999);
  EXPECT_EQ(sent().size(), 0U);
  pass(1);
  EXPECT_EQ(sent(), Frames{own_request(2)});
  pass(1'000);
  EXPECT_EQ(sent().size(), 1U);
  EXPECT_EQ(lab_.lent, 1U);
  pass(1'000);
  EXPECT_EQ(sent().size(), 0U);
  EXPECT_EQ(lab_.lent, 0U) << "what was held is dropped";
  EXPECT_EQ(port_->counters().neighbours_given_up, 1U);
  pass(60'000);
  EXPECT_EQ(sent().size(), 0U) << "nobody wants to send: nobody is asked";
  ASSERT_TRUE(send(kPeer4, {1}));
  EXPECT_EQ(sent().size(), 1U);
}

TEST_F(ResolutionTest, TellsOfANeighbourThatIsWantedAndSilent) {
  const Instant asked = now_;
  ASSERT_TRUE(send(kPeer4, {1}));
  ASSERT_TRUE(send(kPeer6, {1}));
  pass(2'999);
  EXPECT_TRUE(port_->troubles(now_).empty()) << "it may still answer";
  fate_of(advertisement(2, kPeerMac));
  pass(1);
  const auto troubles = port_->troubles(now_);
  ASSERT_EQ(troubles.size(), 1U) << "the other one has answered";
  EXPECT_EQ(troubles[0].kind, NeighbourTrouble::Kind::kSilent);
  EXPECT_EQ(troubles[0].address, "10.9.0.2");
  EXPECT_EQ(troubles[0].since, asked);
  pass(1'000);
  ASSERT_TRUE(send(kPeer4, {2}));
  ASSERT_EQ(port_->troubles(now_).size(), 1U) << "asked anew";
  EXPECT_EQ(port_->troubles(now_)[0].since, asked);
  EXPECT_EQ(port_->troubles(now_ + Duration::ms(60'001)).size(), 0U) << "nobody wants it now";
  fate_of(arp_reply(2, kPeerMac));
  EXPECT_TRUE(port_->troubles(now_).empty());
}

TEST_F(ResolutionTest, TellsOfAHostThatUsesItsAddress) {
  fate_of(request_from(1, kOtherMac, 7));
  pass(1'000);
  auto troubles = port_->troubles(now_);
  ASSERT_EQ(troubles.size(), 1U);
  EXPECT_EQ(troubles[0].kind, NeighbourTrouble::Kind::kConflict);
  EXPECT_EQ(troubles[0].address, "10.9.0.1");
  EXPECT_EQ(troubles[0].mac, "02:00:00:00:00:03");
  EXPECT_EQ(troubles[0].since, now_ - Duration::ms(1'000));
  EXPECT_EQ(fate_of(advertisement(1, kOtherMac)), Fate::kConflict) << "from our own address";
  troubles = port_->troubles(now_);
  ASSERT_EQ(troubles.size(), 2U) << "of both families";
  EXPECT_EQ(troubles[1].address, "fd09::1");
  EXPECT_TRUE(port_->troubles(now_ + Duration::ms(600'001)).empty()) << "it was not heard again";
}

TEST_F(ResolutionTest, AsksAnOldNeighbourAloneAndGoesOnSending) {
  ASSERT_TRUE(send(kPeer4, {1}));
  fate_of(arp_reply(2, kPeerMac));
  sent();
  now_ = now_ + Duration::ms(30'001);
  ASSERT_TRUE(send(kPeer4, {2}));
  const auto frames = sent();
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(frames[0][42], 2) << "the datagram, to the MAC known so far";
  EXPECT_EQ(frames[1], own_request(2, kPeerMac));
  for (int count = 0; count < 3; ++count) {
    pass(1'000);
  }
  EXPECT_EQ(port_->counters().neighbours_given_up, 1U);
  sent();
  ASSERT_TRUE(send(kPeer4, {3}));
  EXPECT_EQ(sent(), Frames{own_request(2)}) << "forgotten: everybody is asked";
}

TEST_F(ResolutionTest, AnswersRequestsAndSolicitations) {
  EXPECT_EQ(fate_of(request_from(2, kPeerMac)), Fate::kNeighbour);
  EXPECT_EQ(
      sent(),
      Frames{padded(ethernet(kPeerMac, kOwnMac, 0x0806, arp(2, kOwnMac, v4(1), kPeerMac, v4(2))))});
  EXPECT_EQ(fate_of(solicitation(kSolicited1, {0x33, 0x33, 0xff, 0, 0, 1})), Fate::kNeighbour);
  EXPECT_EQ(sent(), Frames{own_advertisement(kPeerMac, v6(2), 0x60)});
  EXPECT_EQ(fate_of(solicitation(v6(1), kOwnMac)), Fate::kNeighbour) << "a probe of reachability";
  EXPECT_EQ(sent(), Frames{own_advertisement(kPeerMac, v6(2), 0x60)});
  EXPECT_EQ(fate_of(request_from(2, kPeerMac, 77)), Fate::kWrongHost);
  EXPECT_EQ(sent().size(), 0U);
}

TEST_F(ResolutionTest, LearnsFromWhatItOverhearsAndLeavesTheAnswersToOthers) {
  lab_.is_overheard = true;
  ASSERT_TRUE(send(kPeer4, {1}));
  ASSERT_TRUE(send(kPeer6, {2}));
  sent();
  EXPECT_EQ(fate_of(arp_reply(2, kPeerMac)), Fate::kOverheard);
  EXPECT_EQ(fate_of(advertisement(2, kPeerMac)), Fate::kOverheard);
  EXPECT_EQ(sent().size(), 2U) << "what was held";
  EXPECT_EQ(fate_of(request_from(2, kPeerMac)), Fate::kOverheard);
  EXPECT_EQ(fate_of(solicitation(v6(1), kOwnMac)), Fate::kOverheard);
  EXPECT_EQ(fate_of(request_from(1, kOtherMac)), Fate::kOverheard) << "a conflict";
  EXPECT_EQ(fate_of(datagram4({3})), Fate::kOverheard) << "no device does so";
  const Octets echo = icmp6(v6(2), v6(1), 128, 0, Octets(8));
  EXPECT_EQ(fate_of(ethernet(kOwnMac, kPeerMac, 0x86dd, ipv6(v6(2), v6(1), 58, echo))),
            Fate::kOverheard);
  EXPECT_EQ(sent().size(), 0U);
  EXPECT_EQ(port_->counters().receive_errors, 0U);
}

TEST_F(ResolutionTest, AnswersThoseWhoWantItsAddressForThemselves) {
  const Octets probe = arp(1, kPeerMac, {0, 0, 0, 0}, Mac{}, v4(1));
  EXPECT_EQ(fate_of(ethernet(kAllMacs, kPeerMac, 0x0806, probe)), Fate::kNeighbour);
  EXPECT_EQ(sent().size(), 1U);
  const Octets nobody(16);
  const Octets rest = join(Octets(4), v6(1));
  EXPECT_EQ(fate_of(ethernet(
                {0x33, 0x33, 0xff, 0, 0, 1},
                kPeerMac,
                0x86dd,
                ipv6(nobody, kSolicited1, 58, icmp6(nobody, kSolicited1, 135, 0, rest), 255))),
            Fate::kNeighbour);
  EXPECT_EQ(sent(), Frames{own_advertisement(kAllNodesMac, kAllNodes, 0x20)});
}

TEST_F(ResolutionTest, AnnouncesItselfTwiceAndAgainWhenTheLinkComesBack) {
  const Frames announcement{own_request(1), own_advertisement(kAllNodesMac, kAllNodes, 0x20)};
  port_.reset();
  auto device = std::make_unique<ExactDevice>(
      lab_, DeviceCapabilities{.mac = kOwnMac, .frame_bytes_max = 1518, .name = "exact"});
  port_ = IpPort::make(std::move(device), usual_options()).value();
  receive();
  EXPECT_EQ(sent(), announcement);
  pass(1'999);
  EXPECT_EQ(sent().size(), 0U);
  pass(1);
  EXPECT_EQ(sent(), announcement);
  pass(10'000);
  EXPECT_EQ(sent().size(), 0U);
  lab_.is_up = false;
  pass(1'000);
  pass(1'000);
  lab_.is_up = true;
  pass(1'000);
  EXPECT_EQ(sent(), announcement);
}

TEST_F(ResolutionTest, CountsHowOftenTheLinkWentDown) {
  EXPECT_EQ(port_->counters().link_downs, 0U);
  for (const bool is_up : {false, false, true, true, false, true}) {
    lab_.is_up = is_up;
    pass(100);
  }
  EXPECT_EQ(port_->counters().link_downs, 2U);
}

TEST_F(ResolutionTest, AsksAnewWhenTheLinkCameBack) {
  ASSERT_TRUE(send(kPeer4, {1}));
  fate_of(arp_reply(2, kPeerMac));
  lab_.is_up = false;
  pass(100);
  lab_.is_up = true;
  pass(100);
  sent();
  ASSERT_TRUE(send(kPeer4, {2}));
  const auto frames = sent();
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(frames[1], own_request(2, kPeerMac));
}

TEST_F(ResolutionTest, DefendsItsAddressOncePerTenSeconds) {
  const Octets claim = request_from(1, kOtherMac, 1);
  EXPECT_EQ(fate_of(claim), Fate::kConflict);
  EXPECT_EQ(sent(), Frames{own_request(1)});
  EXPECT_EQ(fate_of(claim), Fate::kConflict);
  EXPECT_EQ(sent().size(), 0U);
  now_ = now_ + Duration::ms(9'999);
  EXPECT_EQ(fate_of(claim), Fate::kConflict);
  EXPECT_EQ(sent().size(), 0U);
  now_ = now_ + Duration::ms(1);
  EXPECT_EQ(fate_of(claim), Fate::kConflict);
  EXPECT_EQ(sent().size(), 1U);
  EXPECT_EQ(fate_of(advertisement(1, kOtherMac, 0x20)), Fate::kConflict) << "our own IP as source";
  EXPECT_EQ(sent(), Frames{own_advertisement(kAllNodesMac, kAllNodes, 0x20)});
  now_ = now_ + Duration::ms(10'000);
  const Octets rest = join(Octets{0x20, 0, 0, 0}, v6(1), Octets{2, 1}, kOtherMac);
  const Octets from = v6(9);
  EXPECT_EQ(fate_of(ethernet(kAllNodesMac,
                             kOtherMac,
                             0x86dd,
                             ipv6(from, kAllNodes, 58, icmp6(from, kAllNodes, 136, 0, rest), 255))),
            Fate::kConflict);
  EXPECT_EQ(sent(), Frames{own_advertisement(kAllNodesMac, kAllNodes, 0x20)});
}

TEST_F(ResolutionTest, LearnsOnlyFromWhatConcernsIt) {
  // Nobody sent to these: no entry, however often they speak.
  for (int count = 0; count < 20'000; ++count) {
    lab_.incoming.push_back(arp_reply(static_cast<std::uint8_t>(2 + count % 250), kOtherMac));
    if (lab_.incoming.size() == 1'000) {
      receive();
    }
  }
  ASSERT_TRUE(send(kPeer4, {1}));
  EXPECT_EQ(sent(), Frames{own_request(2)}) << "still to be asked";
}

TEST_F(ResolutionTest, TakesAnotherMacButNotAtOnce) {
  ASSERT_TRUE(send(kPeer4, {1}));
  fate_of(arp_reply(2, kPeerMac));
  sent();
  fate_of(arp_reply(2, kOtherMac));
  ASSERT_TRUE(send(kPeer4, {1}));
  EXPECT_EQ(destination(sent().at(0)), kPeerMac) << "within the second";
  now_ = now_ + Duration::ms(1'000);
  ::testing::internal::CaptureStderr();
  fate_of(request_from(2, kOtherMac, 2));  // gratuitous: the host moved
  EXPECT_THAT(
      ::testing::internal::GetCapturedStderr(),
      HasSubstr("10.9.0.2 now says it has MAC 02:00:00:00:00:03, before 02:00:00:00:00:02"));
  ASSERT_TRUE(send(kPeer4, {1}));
  EXPECT_EQ(destination(sent().at(0)), kOtherMac);
  EXPECT_EQ(port_->counters().neighbours_changed, 1U);
}

TEST_F(ResolutionTest, TellsOfEachChangedMacUntilThereAreTooMany) {
  ASSERT_TRUE(send(kPeer4, {1}));
  fate_of(arp_reply(2, kPeerMac));
  ::testing::internal::CaptureStderr();
  for (int second = 1; second <= 20; ++second) {
    pass(1'000);
    fate_of(arp_reply(2, second % 2 == 0 ? kPeerMac : kOtherMac));
  }
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(port_->counters().neighbours_changed, 20U);
  // Five at once, and one in ten seconds.
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 6) << said;
}

TEST_F(ResolutionTest, KeepsAKnownMacWhenAnAdvertisementDoesNotOverride) {
  ASSERT_TRUE(send(kPeer6, {1}));
  fate_of(advertisement(2, kPeerMac));
  sent();
  now_ = now_ + Duration::ms(5'000);
  fate_of(advertisement(2, kOtherMac, 0x40));
  ASSERT_TRUE(send(kPeer6, {1}));
  EXPECT_EQ(destination(sent().at(0)), kPeerMac);
}

TEST_F(ResolutionTest, NeverLearnsAStaticNeighbour) {
  port_.reset();
  auto options = usual_options();
  options.neighbours = {{ip::Address::parse("10.9.0.2").value(), kPeerMac}};
  open(options);
  now_ = now_ + Duration::ms(60'000);
  receive();
  fate_of(arp_reply(2, kOtherMac));
  ASSERT_TRUE(send(kPeer4, {1}));
  const auto frames = sent();
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(destination(frames[0]), kPeerMac);
}

TEST_F(ResolutionTest, RefusesBrokenArpAndDiscovery) {
  const Octets good = request_from(2, kPeerMac);
  const auto with = [](Octets frame, std::size_t at, std::uint8_t value) {
    frame[at] = value;
    return frame;
  };
  EXPECT_EQ(fate_of(Octets(good.begin(), good.begin() + 41)), Fate::kTruncated);
  EXPECT_EQ(fate_of(with(good, 15, 6)), Fate::kBadArp) << "another hardware";
  EXPECT_EQ(fate_of(with(good, 16, 9)), Fate::kBadArp) << "another protocol";
  EXPECT_EQ(fate_of(with(good, 18, 8)), Fate::kBadArp);
  EXPECT_EQ(fate_of(with(good, 21, 3)), Fate::kBadArp) << "reverse ARP";
  EXPECT_EQ(fate_of(with(good, 22, 0xff)), Fate::kBadArp) << "a group as the sender";
  EXPECT_EQ(fate_of(with(good, 28, 224)), Fate::kBadArp);
  EXPECT_EQ(fate_of(ethernet(kAllMacs, kPeerMac, 0x0806, arp(1, kOwnMac, v4(1), Mac{}, v4(1)))),
            Fate::kLooped);

  const auto discovery = [](std::uint8_t type, std::uint8_t hops, const Octets& rest) {
    return ethernet(kOwnMac,
                    kPeerMac,
                    0x86dd,
                    ipv6(v6(2), v6(1), 58, icmp6(v6(2), v6(1), type, 0, rest), hops));
  };
  const Octets target = join(Octets(4), v6(1));
  EXPECT_EQ(fate_of(discovery(135, 255, target)), Fate::kNeighbour) << "without the option";
  EXPECT_EQ(fate_of(discovery(135, 254, target)), Fate::kBadNeighbour) << "from off the link";
  EXPECT_EQ(fate_of(discovery(135, 255, Octets(10))), Fate::kBadNeighbour);
  EXPECT_EQ(fate_of(discovery(135, 255, join(target, Octets{1, 0, 0, 0, 0, 0, 0, 0}))),
            Fate::kBadNeighbour)
      << "an option without a length";
  EXPECT_EQ(fate_of(discovery(135, 255, join(target, Octets{1, 2, 0, 0, 0, 0, 0, 0}))),
            Fate::kBadNeighbour);
  EXPECT_EQ(fate_of(discovery(135, 255, join(target, Octets{1}))), Fate::kBadNeighbour);
  EXPECT_EQ(fate_of(discovery(135, 255, join(Octets(4), kAllNodes))), Fate::kBadNeighbour);
  Octets broken = discovery(135, 255, target);
  broken.back() ^= 1U;
  EXPECT_EQ(fate_of(broken), Fate::kBadChecksum);
}

TEST_F(ResolutionTest, ForgetsTheNeighbourUsedLongestAgoWhenTheCacheIsFull) {
  // 10.9.1.0 and on: more next hops than entries.
  port_.reset();
  auto options = usual_options();
  options.v4 = ip::Subnet::parse("10.9.0.1/16").value();
  open(options);
  const auto peer = [](std::size_t index) {
    return Peer::v4({10,
                     9,
                     static_cast<std::uint8_t>(1 + index / 250),
                     static_cast<std::uint8_t>(1 + index % 250)},
                    9);
  };
  const auto reply = [](std::size_t index) {
    const Octets sender = {10,
                           9,
                           static_cast<std::uint8_t>(1 + index / 250),
                           static_cast<std::uint8_t>(1 + index % 250)};
    return ethernet(kOwnMac, kPeerMac, 0x0806, arp(2, kPeerMac, sender, kOwnMac, v4(1)));
  };
  for (std::size_t index = 0; index < ip::Neighbours::kEntries + 1; ++index) {
    now_ = now_ + Duration::us(1);
    ASSERT_TRUE(send(peer(index), {1}));
    fate_of(reply(index));
  }
  sent();
  ASSERT_TRUE(send(peer(1), {1}));
  EXPECT_EQ(sent().at(0)[12 + 1], 0x00) << "the second is still known: a datagram";
  ASSERT_TRUE(send(peer(0), {1}));
  EXPECT_EQ(sent().at(0)[12 + 1], 0x06) << "the first is not: ARP";
}

TEST_F(ResolutionTest, ALinkThatComesUpLateIsNoLossOfIt) {
  port_.reset();
  lab_.is_up = false;
  auto device = std::make_unique<ExactDevice>(
      lab_, DeviceCapabilities{.mac = kOwnMac, .frame_bytes_max = 1518, .name = "exact"});
  port_ = IpPort::make(std::move(device), usual_options()).value();
  pass(100);
  sent();
  lab_.is_up = true;
  pass(1'000);
  EXPECT_EQ(port_->counters().link_downs, 0U);
  EXPECT_EQ(sent(), (Frames{own_request(1), own_advertisement(kAllNodesMac, kAllNodes, 0x20)}));
}

}  // namespace
}  // namespace godwit::port

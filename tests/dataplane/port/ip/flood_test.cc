// Floods of questions and answers about neighbours, by either family.
#include <gtest/gtest.h>

#include "tests/dataplane/port/ip/resolution_fixture.h"

namespace godwit::port {
namespace {

using namespace frames;
using ip::Fate;

TEST_F(ResolutionTest, AnswersAFloodNoFasterThanItsLimit) {
  std::size_t answers = 0;
  for (int millisecond = 0; millisecond < 100; ++millisecond) {
    for (int count = 0; count < 100; ++count) {
      lab_.incoming.push_back(request_from(static_cast<std::uint8_t>(2 + count), kPeerMac));
    }
    receive();
    now_ = now_ + Duration::ms(1);
    answers += sent().size();
  }
  // A burst of 100 and one per millisecond.
  EXPECT_EQ(answers, 100U + 99U);
  EXPECT_EQ(port_->fates().of(Fate::kTooMany), 10'000U - answers);
  EXPECT_EQ(lab_.lent, 0U);
}

TEST_F(ResolutionTest, AnswersAFloodOfSolicitationsNoFasterThanItsLimit) {
  std::size_t answers = 0;
  for (int millisecond = 0; millisecond < 100; ++millisecond) {
    for (int count = 0; count < 100; ++count) {
      lab_.incoming.push_back(solicitation(v6(1), kOwnMac));
    }
    receive();
    now_ = now_ + Duration::ms(1);
    answers += sent().size();
  }
  EXPECT_EQ(answers, 100U + 99U) << "as of questions by ARP";
  EXPECT_EQ(port_->fates().of(Fate::kTooMany), 10'000U - answers);
  EXPECT_EQ(lab_.lent, 0U);
}

// Answers that nobody asked for, of ever other neighbours.
TEST_F(ResolutionTest, LearnsNothingFromAFloodOfUnaskedAnswersAndKeepsItsNeighbours) {
  ASSERT_TRUE(send(kPeer4, {1}));
  ASSERT_TRUE(send(kPeer6, {1}));
  fate_of(arp_reply(2, kPeerMac));
  fate_of(advertisement(2, kPeerMac));
  sent();
  for (int count = 0; count < 20'000; ++count) {
    const auto last = static_cast<std::uint8_t>(3 + count % 250);
    lab_.incoming.push_back(count % 2 == 0 ? advertisement(last, kOtherMac)
                                           : arp_reply(last, kOtherMac));
    if (count % 100 == 0) {
      receive();
    }
  }
  receive();
  EXPECT_TRUE(sent().empty());
  for (const Peer& peer : {kPeer4, kPeer6}) {
    ASSERT_TRUE(send(peer, {2}));
    const auto frames = sent();
    ASSERT_EQ(frames.size(), 1U);
    EXPECT_EQ(destination(frames[0]), kPeerMac);
  }
  ASSERT_TRUE(send(Peer::v4({10, 9, 0, 3}, kPeerPort), {1}));
  EXPECT_EQ(sent(), Frames{own_request(3)}) << "not known, so it is asked";
  EXPECT_EQ(port_->counters().neighbours_changed, 0U);
}

TEST_F(ResolutionTest, AnswersAKnownNeighbourInAFloodOfStrangers) {
  ASSERT_TRUE(send(kPeer4, {1}));
  ASSERT_TRUE(send(kPeer6, {1}));
  fate_of(arp_reply(2, kPeerMac));
  fate_of(advertisement(2, kPeerMac));
  const auto flood = [&] {
    for (int count = 0; count < 200; ++count) {
      lab_.incoming.push_back(request_from(static_cast<std::uint8_t>(10 + count), kOtherMac));
    }
    receive();
    sent();
  };
  for (int second = 0; second < 10; ++second) {
    flood();
    EXPECT_EQ(fate_of(request_from(9, kOtherMac)), Fate::kTooMany);
    EXPECT_EQ(fate_of(request_from(2, kPeerMac)), Fate::kNeighbour);
    EXPECT_EQ(fate_of(solicitation(v6(1), kOwnMac)), Fate::kNeighbour);
    EXPECT_EQ(sent().size(), 2U) << "an answer to each family's neighbour";
    now_ = now_ + Duration::ms(1'000);
  }
}

TEST_F(ResolutionTest, AnswersWhoeverSpeaksInANeighboursNameNoFasterThanItsLimit) {
  ASSERT_TRUE(send(kPeer4, {1}));
  ASSERT_TRUE(send(Peer::v4({10, 9, 0, 3}, kPeerPort), {1}));
  fate_of(arp_reply(2, kPeerMac));
  fate_of(arp_reply(3, kPeerMac));
  sent();
  for (int count = 0; count < 1'000; ++count) {
    lab_.incoming.push_back(request_from(2, kPeerMac));
  }
  receive();
  // Five of its own, and the strangers' hundred.
  EXPECT_EQ(sent().size(), 5U + 100U);
  EXPECT_EQ(fate_of(request_from(3, kPeerMac)), Fate::kNeighbour) << "another neighbour";
}

}  // namespace
}  // namespace godwit::port

// What an answer tells that came after its dial was given up.

#include "dataplane/transport/late_answers.h"

#include <array>

#include <gtest/gtest.h>

#include "tests/support/instants.h"

namespace godwit::transport {
namespace {

using Kind = LateAnswers::Kind;

const port::Peer kCalled = port::Peer::v4({10, 0, 0, 1}, 4433);
const port::Peer kAnother = port::Peer::v4({10, 0, 0, 2}, 4433);

ConnectionId id(std::uint64_t number) {
  std::array<std::uint8_t, kConnectionIdBytes> bytes{};
  for (std::uint8_t& byte : bytes) {
    byte = static_cast<std::uint8_t>(number);
    number >>= 8U;
  }
  return {bytes.data(), bytes.size()};
}

void give_up(LateAnswers& late, std::int64_t began_ms, const port::Peer& peer, ConnectionId one) {
  late.on_given_up(at_ms(began_ms + 500), at_ms(began_ms), peer, std::span(&one, 1));
}

TEST(LateAnswers, TellHowLongTheDialHadToWait) {
  LateAnswers late;
  give_up(late, 1'000, kCalled, id(1));
  give_up(late, 1'600, kCalled, id(2));
  EXPECT_TRUE(late.is_empty());
  EXPECT_EQ(late.on_packet(at_ms(1'800), kCalled, id(1)), Kind::kFirst);
  EXPECT_EQ(late.round_trip(kCalled), Duration::ms(800));
  EXPECT_EQ(late.round_trip(kAnother), Duration::zero());
  // The second datagram of the same answer tells nothing, the answer to another dial does.
  EXPECT_EQ(late.on_packet(at_ms(1'900), kCalled, id(1)), Kind::kAgain);
  EXPECT_EQ(late.round_trip(kCalled), Duration::ms(800));
  EXPECT_EQ(late.on_packet(at_ms(2'310), kCalled, id(2)), Kind::kAgain);
  EXPECT_EQ(late.round_trip(kCalled), Duration::ms(710));
}

TEST(LateAnswers, AreNoneWithAnUnknownIdOrFromAnotherPeer) {
  LateAnswers late;
  give_up(late, 0, kCalled, id(1));
  EXPECT_EQ(late.on_packet(at_ms(800), kCalled, id(2)), Kind::kNone);
  EXPECT_EQ(late.on_packet(at_ms(800), kAnother, id(1)), Kind::kNone);
  EXPECT_TRUE(late.is_empty());
}

TEST(LateAnswers, AreNotBelievedWhenTheyAreTooLate) {
  LateAnswers late;
  give_up(late, 0, kCalled, id(1));
  EXPECT_EQ(late.on_packet(at_ms(LateAnswers::kRttMax.count_ms() + 1), kCalled, id(1)),
            Kind::kAgain);
  EXPECT_TRUE(late.is_empty());
  give_up(late, 10'000, kCalled, id(2));
  EXPECT_EQ(late.on_packet(at_ms(10'000 + LateAnswers::kRttMax.count_ms()), kCalled, id(2)),
            Kind::kFirst);
  EXPECT_EQ(late.round_trip(kCalled), LateAnswers::kRttMax);
}

TEST(LateAnswers, AreForgottenWithTheSessionThatMeasuresBetter) {
  LateAnswers late;
  give_up(late, 0, kCalled, id(1));
  give_up(late, 0, kAnother, id(2));
  late.on_packet(at_ms(900), kCalled, id(1));
  late.on_packet(at_ms(900), kAnother, id(2));
  late.forget(kCalled);
  EXPECT_EQ(late.round_trip(kCalled), Duration::zero());
  EXPECT_EQ(late.round_trip(kAnother), Duration::ms(900));
  give_up(late, 20'000, kCalled, id(3));
  EXPECT_EQ(late.on_packet(at_ms(20'900), kCalled, id(3)), Kind::kFirst);
  late.forget_all();
  EXPECT_TRUE(late.is_empty());
}

TEST(LateAnswers, KeepNoMoreDialsThanTheirLimitAndMakeRoomWithTime) {
  LateAnswers late;
  for (std::uint64_t number = 0; number < LateAnswers::kDialsMax + 10; ++number) {
    give_up(late, 0, kCalled, id(number));
  }
  EXPECT_EQ(late.on_packet(at_ms(900), kCalled, id(LateAnswers::kDialsMax - 1)), Kind::kFirst);
  EXPECT_EQ(late.on_packet(at_ms(900), kCalled, id(LateAnswers::kDialsMax)), Kind::kNone);
  const std::int64_t later = LateAnswers::kKept.count_ms();
  give_up(late, later, kAnother, id(9'999));
  EXPECT_EQ(late.on_packet(at_ms(later + 900), kAnother, id(9'999)), Kind::kFirst);
  EXPECT_EQ(late.on_packet(at_ms(later + 900), kCalled, id(0)), Kind::kNone);
}

}  // namespace
}  // namespace godwit::transport

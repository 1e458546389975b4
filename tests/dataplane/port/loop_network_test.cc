#include <array>
#include <vector>

#include <gtest/gtest.h>

#include "dataplane/port/loop/network.h"

namespace godwit::port {
namespace {

const Peer kA = Peer::v4({10, 0, 0, 1}, 1);
const Peer kB = Peer::v4({10, 0, 0, 2}, 2);

class LoopNetworkTest : public ::testing::Test {
 protected:
  // Sends `count` datagrams of `size` bytes in one train; the first byte numbers them.
  void send(Instant now, std::size_t count, std::size_t size) {
    std::vector<std::byte> bytes(count * size);
    for (std::size_t index = 0; index < count; ++index) {
      bytes[index * size] = static_cast<std::byte>(index);
    }
    const Train train{
        .peer = kB, .segment_bytes = static_cast<std::uint16_t>(size), .bytes = bytes, .ecn = 0};
    EXPECT_EQ(a_->transmit(now, {&train, 1}), 1U);
  }
  std::vector<int> received(Instant now) {
    std::vector<int> numbers;
    std::array<Train, 16> out{};
    for (std::size_t count = b_->receive(now, out); count > 0; count = b_->receive(now, out)) {
      for (std::size_t index = 0; index < count; ++index) {
        numbers.push_back(std::to_integer<int>(out[index].bytes[0]));
        EXPECT_EQ(out[index].peer, kA);
      }
      b_->release({out.data(), count});
    }
    return numbers;
  }

  Random random_{1};
  LoopNetwork network_{random_};
  std::unique_ptr<Port> a_ = network_.open(kA);
  std::unique_ptr<Port> b_ = network_.open(kB);
  Instant start_ = Instant::from_ns(1000);
};

TEST_F(LoopNetworkTest, DeliversAfterTheDelayAndNotBefore) {
  network_.set_link(kA, kB, {.delay = Duration::ms(10)});
  send(start_, 2, 100);
  EXPECT_EQ(network_.next_event(), start_ + Duration::ms(10));
  EXPECT_TRUE(received(start_ + Duration::ms(10) - Duration::ns(1)).empty());
  EXPECT_EQ(received(start_ + Duration::ms(10)), (std::vector<int>{0, 1}));
  EXPECT_EQ(network_.next_event(), Instant::never());
}

TEST_F(LoopNetworkTest, SpacesDatagramsByTheRateOnLayer3) {
  network_.set_link(kA, kB, {.rate = BitRate::mbps(8)});  // a byte per microsecond
  send(start_, 3, 972);                                   // 1,000 bytes with IPv4 and UDP
  EXPECT_EQ(received(start_ + Duration::us(1000)), (std::vector<int>{0}));
  EXPECT_EQ(received(start_ + Duration::us(1999)), (std::vector<int>{}));
  EXPECT_EQ(received(start_ + Duration::us(3000)), (std::vector<int>{1, 2}));
}

TEST_F(LoopNetworkTest, DropsTheTailOfAFullQueue) {
  network_.set_link(kA, kB, {.rate = BitRate::mbps(8), .queue_bytes = 3000});
  send(start_, 10, 972);
  EXPECT_EQ(received(start_ + Duration::ms(100)), (std::vector<int>{0, 1, 2}));
  EXPECT_EQ(network_.link_counters(kA, kB).packets_dropped, 7U);
}

TEST_F(LoopNetworkTest, LosesTheShareItWasTold) {
  network_.set_link(kA, kB, {.loss = 0.25});
  std::size_t arrived = 0;
  for (int round = 0; round < 200; ++round) {
    send(start_, 50, 100);
    arrived += received(start_).size();
  }
  // 10,000 draws: 7,500 expected, standard deviation 43.
  EXPECT_NEAR(static_cast<double>(arrived), 7500.0, 5 * 43.0);
}

TEST_F(LoopNetworkTest, DuplicatesAndHoldsBack) {
  network_.set_link(kA, kB, {.duplicate = 1.0});
  send(start_, 1, 100);
  EXPECT_EQ(received(start_).size(), 2U);
  network_.set_link(kA, kB, {.reorder = 1.0, .reorder_delay = Duration::ms(7)});
  send(start_, 1, 100);
  EXPECT_TRUE(received(start_ + Duration::ms(6)).empty());
  EXPECT_EQ(received(start_ + Duration::ms(7)).size(), 1U);
}

TEST_F(LoopNetworkTest, ACutLosesWhatIsUnderWayAndWhatFollows) {
  network_.set_link(kA, kB, {.delay = Duration::ms(10)});
  send(start_, 1, 100);
  network_.set_link(kA, kB, {.delay = Duration::ms(10), .cut = true});
  send(start_, 1, 100);
  EXPECT_TRUE(received(start_ + Duration::ms(20)).empty());
  EXPECT_EQ(network_.link_counters(kA, kB).packets_lost, 2U);
  network_.set_link(kA, kB, {.delay = Duration::ms(10)});
  send(start_, 1, 100);
  EXPECT_EQ(received(start_ + Duration::ms(20)).size(), 1U);
}

TEST_F(LoopNetworkTest, APortThatDiedReceivesNothingWhenItComesBack) {
  network_.set_link(kA, kB, {.delay = Duration::ms(10)});
  send(start_, 1, 100);
  b_.reset();
  network_.advance(start_ + Duration::ms(20));
  b_ = network_.open(kB);
  EXPECT_TRUE(received(start_ + Duration::ms(20)).empty());
}

TEST_F(LoopNetworkTest, CarriesTheCodepoints) {
  std::vector<std::byte> bytes(150);
  const Train train{.peer = kB, .segment_bytes = 100, .bytes = bytes, .ecn = 2, .dscp = 46};
  a_->transmit(start_, {&train, 1});
  std::array<Train, 4> out{};
  ASSERT_EQ(b_->receive(start_, out), 2U);
  EXPECT_EQ(out[1].dscp, 46);
  EXPECT_EQ(out[1].ecn, 2);
  b_->release(std::span(out).first(2));
}

TEST_F(LoopNetworkTest, CorruptionFlipsOneBit) {
  network_.set_link(kA, kB, {.corrupt = 1.0});
  send(start_, 1, 100);
  std::array<Train, 1> out{};
  ASSERT_EQ(b_->receive(start_, out), 1U);
  int bits = 0;
  for (const std::byte byte : out[0].bytes) {
    bits += __builtin_popcount(std::to_integer<unsigned>(byte));
  }
  EXPECT_EQ(bits, 1);
  b_->release(out);
}

}  // namespace
}  // namespace godwit::port

// Two endpoints joined by a wire in memory under virtual time.
#include <array>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "dataplane/port/ip/ip_port.h"
#include "dataplane/port/ip/memory_device.h"
#include "tests/support/allocation_guard.h"

namespace godwit::port {
namespace {

class PairTest : public ::testing::Test {
 protected:
  static constexpr std::uint16_t kPort = 4433;

  void open(const MemoryWireOptions& options) {
    wire_ = std::make_unique<MemoryWire>(options, random_);
    const std::array<const char*, 2> v4 = {"10.9.0.1/24", "10.9.0.2/24"};
    const std::array<const char*, 2> v6 = {"fd09::1/64", "fd09::2/64"};
    for (std::size_t end = 0; end < 2; ++end) {
      ports_[end] = IpPort::make(wire_->open(end),
                                 {.v4 = ip::Subnet::parse(v4[end]).value(),
                                  .v6 = ip::Subnet::parse(v6[end]).value(),
                                  .udp_port = kPort})
                        .value();
    }
  }

  // Lets everything that is due happen; returns what arrived at the end, first byte of each.
  std::vector<int> arrived(std::size_t end) {
    std::vector<int> numbers;
    for (std::size_t one : {std::size_t{0}, std::size_t{1}, std::size_t{0}, std::size_t{1}}) {
      std::array<Train, 16> out{};
      while (const std::size_t count = ports_[one]->receive(now_, out)) {
        for (const Train& train : std::span(out).first(count)) {
          if (one == end) {
            numbers.push_back(std::to_integer<int>(train.bytes[0]));
          }
        }
        ports_[one]->release(std::span(out).first(count));
      }
    }
    return numbers;
  }

  void send(std::size_t end, const Peer& to, std::vector<std::byte>& bytes, std::size_t segment) {
    const Train train{
        .peer = to, .segment_bytes = static_cast<std::uint16_t>(segment), .bytes = bytes};
    EXPECT_EQ(ports_[end]->transmit(now_, {&train, 1}), 1U);
  }

  Random random_{1};
  std::unique_ptr<MemoryWire> wire_;
  std::array<std::unique_ptr<IpPort>, 2> ports_;
  Instant now_ = Instant::from_ns(1'000'000'000);
  const Peer kTo1 = Peer::v4({10, 9, 0, 2}, kPort);
  const Peer kTo1v6 = Peer::parse("[fd09::2]:4433").value();
};

TEST_F(PairTest, ResolvesOverADelayAndDelivers) {
  open({.delay = Duration::ms(1)});
  std::vector<std::byte> bytes(1'000, std::byte{5});
  for (int second = 0; second < 4; ++second) {  // announcements
    arrived(1);
    now_ = now_ + Duration::ms(1'000);
  }
  send(0, kTo1, bytes, bytes.size());
  EXPECT_EQ(wire_->next_event(), now_ + Duration::ms(1)) << "the question";
  for (int millisecond = 0; millisecond < 2; ++millisecond) {
    now_ = now_ + Duration::ms(1);
    EXPECT_TRUE(arrived(1).empty());
  }
  now_ = now_ + Duration::ms(1);
  EXPECT_EQ(arrived(1), std::vector{5}) << "question, answer, datagram";
}

TEST_F(PairTest, CarriesBothFamiliesWithChecksumsFilledInByTheDevice) {
  for (const bool fills : {false, true}) {
    ports_ = {};
    open({.fills_checksums = fills});
    for (std::size_t size : {1U, 2U, 3U, 63U, 64U, 65U, 1'001U, 1'452U}) {
      std::vector<std::byte> bytes(size, std::byte{7});
      send(0, kTo1, bytes, size);
      send(0, kTo1v6, bytes, size);
      EXPECT_EQ(arrived(1), (std::vector{7, 7})) << size;
    }
    EXPECT_EQ(ports_[1]->counters().receive_errors, 0U);
  }
}

TEST_F(PairTest, LosesWhatTheLinkLosesAndComesBack) {
  open({});
  std::vector<std::byte> bytes(100, std::byte{1});
  send(0, kTo1, bytes, 100);
  EXPECT_EQ(arrived(1).size(), 1U);
  wire_->set_loss(0.5);
  std::size_t count = 0;
  for (int round = 0; round < 1'000; ++round) {
    send(0, kTo1, bytes, 100);
    count += arrived(1).size();
  }
  EXPECT_NEAR(static_cast<double>(count), 500.0, 5 * 15.8);  // standard deviation 15.8
  wire_->set_loss(0);
  wire_->set_link(false);
  EXPECT_FALSE(ports_[0]->link_up());
  send(0, kTo1, bytes, 100);
  EXPECT_TRUE(arrived(1).empty());
  EXPECT_GE(ports_[0]->counters().send_errors, 1U);
  now_ = now_ + Duration::ms(60'000);
  wire_->set_link(true);
  EXPECT_TRUE(ports_[0]->link_up());
  send(0, kTo1, bytes, 100);
  EXPECT_EQ(arrived(1).size(), 1U);
}

TEST_F(PairTest, SurvivesAWireThatLosesHalfOfAllQuestions) {
  open({});
  wire_->set_loss(0.5);
  std::vector<std::byte> bytes(100, std::byte{1});
  std::size_t count = 0;
  for (int second = 0; second < 300; ++second) {
    send(0, kTo1, bytes, 100);
    now_ = now_ + Duration::ms(1'000);
    count += arrived(1).size();
  }
  EXPECT_GT(count, 75U);
}

TEST_F(PairTest, RefusesATrainWhileAllBuffersAreLent) {
  open({.frames = 8});
  std::vector<std::byte> bytes(100, std::byte{1});
  send(0, kTo1, bytes, 100);
  EXPECT_EQ(arrived(1).size(), 1U);
  std::vector<std::byte> eight(800, std::byte{2});
  send(0, kTo1, eight, 100);
  const Train train{.peer = kTo1, .segment_bytes = 100, .bytes = bytes};
  EXPECT_EQ(ports_[0]->transmit(now_, {&train, 1}), 0U);
  std::array<Train, 16> out{};
  const std::size_t count = ports_[1]->receive(now_, out);
  EXPECT_EQ(count, 8U);
  EXPECT_EQ(ports_[0]->transmit(now_, {&train, 1}), 0U) << "lent to the receiver";
  ports_[1]->release(std::span(out).first(count));
  EXPECT_EQ(ports_[0]->transmit(now_, {&train, 1}), 1U);
}

TEST_F(PairTest, AllocatesNothingAfterConstruction) {
  open({.frames = 1'024});
  std::vector<std::byte> bytes(16 * 1'452, std::byte{3});
  std::array<Train, 64> out{};
  const testing_support::AllocationGuard guard;
  std::uint64_t delivered = 0;
  for (int round = 0; round < 2'000; ++round) {
    // New peers now and then: resolution, giving up, eviction.
    const Peer absent = Peer::v4({10, 9, 0, static_cast<std::uint8_t>(3 + round % 200)}, kPort);
    const std::array<Train, 3> trains = {
        Train{.peer = kTo1, .segment_bytes = 1'452, .bytes = bytes},
        Train{.peer = kTo1v6, .segment_bytes = 1'452, .bytes = bytes},
        Train{.peer = absent, .segment_bytes = 1'452, .bytes = std::span(bytes).first(100)}};
    ports_[0]->transmit(now_, trains);
    for (auto& port : ports_) {
      while (const std::size_t count = port->receive(now_, out)) {
        delivered += count;
        port->release(std::span(out).first(count));
      }
    }
    now_ = now_ + Duration::ms(50);
  }
  EXPECT_EQ(guard.allocations(), 0U);
  EXPECT_GT(delivered, 60'000U);
}

}  // namespace
}  // namespace godwit::port

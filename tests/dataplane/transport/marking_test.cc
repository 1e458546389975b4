// The codepoints of real QUIC packets, read from captures of the sender's port.

#include "dataplane/transport/marking.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "dataplane/port/with/capture.h"
#include "tests/dataplane/port/pcap_reader.h"
#include "tests/dataplane/transport/world.h"
#include "tests/support/temporary_folder.h"

namespace godwit::transport {
namespace {

using port::testing::CapturedPacket;
using port::testing::PcapReader;
using testing::Site;
using testing::World;

// All different, so that each packet tells what it is taken for.
constexpr Markings kAll{.codepoints = {40, 18, 10, 1}};
constexpr int kControl = 40 << 2;
constexpr int kUrgent = 18 << 2;
constexpr int kNormal = 10 << 2;
constexpr int kBulk = 1 << 2;
constexpr std::size_t kFull = 1400;  // payload of packets that are nearly or wholly full

bool is_handshake(const CapturedPacket& packet) {
  return (static_cast<unsigned char>(packet.payload.at(0)) & 0x80U) != 0;  // a long header
}

// Two joined sites, and everything that the first one sends and receives in a file.
class MarkingTest : public ::testing::Test {
 protected:
  void join(const Markings& markings, const port::LinkConditions& conditions) {
    world_.emplace(9, QuicOptions{.markings = markings});
    world_->decorate = [this](std::unique_ptr<port::Port> port) {
      const bool is_first = std::exchange(is_first_, false);
      return is_first ? port::with_capture(std::move(port), {.path = path_}).value()
                      : std::move(port);
    };
    a_ = &world_->site("fra");
    b_ = &world_->site("nyc");
    world_->join(*a_, *b_, conditions, BitRate::mbps(50));
    session_ = world_->dial(*a_, *b_);
    ASSERT_TRUE(world_->run_until(
        [this] {
          return a_->of(session_).is_established && !b_->seen.empty() &&
                 b_->seen[0]->is_established;
        },
        Duration::ms(5000)));
    world_->run(Duration::ms(500));
  }
  // Sends transfers until all have arrived.
  void send(std::size_t count, Precedence precedence) {
    std::size_t sent = 0;
    const std::uint64_t all = b_->transfers_received + count;
    a_->on_turn = [&](Instant now, Site&) {
      while (sent < count && session_->wants_transfer()) {
        session_->send_transfer(now, std::vector<std::byte>(20'000), precedence);
        ++sent;
      }
    };
    EXPECT_TRUE(
        world_->run_until([&] { return b_->transfers_received == all; }, Duration::ms(20'000)));
    a_->on_turn = nullptr;
  }
  // What passed so far, and the end of the capture. Only the first site's packets if `sent`.
  std::vector<CapturedPacket> packets(bool sent = true) {
    world_.reset();
    auto all = PcapReader::read(path_);
    std::erase_if(all, [sent](const CapturedPacket& packet) {
      return (packet.from == std::string("\x0a\0\0\x01", 4)) != sent;
    });
    return all;
  }
  static std::size_t full_ones(const std::vector<CapturedPacket>& packets, int traffic_class) {
    return static_cast<std::size_t>(
        std::count_if(packets.begin(), packets.end(), [traffic_class](const auto& packet) {
          return packet.payload.size() >= kFull && packet.traffic_class == traffic_class &&
                 !is_handshake(packet);
        }));
  }

  const testing_support::TemporaryFolder folder_;
  const std::string path_ = (folder_ / "a.pcap").string();
  bool is_first_ = true;
  std::optional<World> world_;
  Site* a_ = nullptr;
  Site* b_ = nullptr;
  Session* session_ = nullptr;
};

TEST_F(MarkingTest, IsOffUnlessSomebodyWishesIt) {
  join({}, {.delay = Duration::ms(5)});
  send(10, Precedence::kUrgent);
  const auto all = packets();
  EXPECT_GE(all.size(), 100U);
  EXPECT_TRUE(std::all_of(
      all.begin(), all.end(), [](const auto& packet) { return packet.traffic_class == 0; }));
}

TEST_F(MarkingTest, TheCaptureShowsQuicBetweenTheRightPorts) {
  join({}, {.delay = Duration::ms(5)});
  for (const bool sent : {true, false}) {
    const auto all = packets(sent);
    ASSERT_FALSE(all.empty());
    for (const auto& packet : all) {
      EXPECT_EQ(packet.from_port, 4433);
      EXPECT_EQ(packet.to_port, 4433);
    }
    // RFC 9000 section 17.2: a long header of version 1 opens the conversation.
    EXPECT_TRUE(is_handshake(all.front()));
    EXPECT_EQ(all.front().payload.substr(1, 4), std::string("\0\0\0\x01", 4));
    EXPECT_GE(all.front().payload.size(), 1200U);
  }
}

TEST_F(MarkingTest, EachClassHasItsOwn) {
  join(kAll, {.delay = Duration::ms(5)});
  send(5, Precedence::kUrgent);
  send(5, Precedence::kNormal);
  send(5, Precedence::kBulk);
  const auto all = packets();
  for (const auto& packet : all) {
    if (is_handshake(packet)) {
      EXPECT_EQ(packet.traffic_class, kControl);
    }
  }
  // 100,000 bytes of each in full packets of some 1,420 usable bytes.
  for (const int traffic_class : {kUrgent, kNormal, kBulk}) {
    EXPECT_GE(full_ones(all, traffic_class), 60U) << traffic_class;
    EXPECT_LE(full_ones(all, traffic_class), 75U) << traffic_class;
  }
  EXPECT_EQ(full_ones(all, kControl), 0U);
  EXPECT_EQ(full_ones(all, 0), 0U);
}

TEST_F(MarkingTest, WhoOnlyReceivesAnswersAsControl) {
  join(kAll, {.delay = Duration::ms(5)});
  send(20, Precedence::kBulk);
  const auto answers = packets(false);
  EXPECT_GE(answers.size(), 10U);
  // The loop network carries codepoints, so the capture of the receiving end shows them. Its probe
  // of the path is as full as a transfer's packets and marked as they are.
  EXPECT_EQ(full_ones(answers, kNormal), 1U);
  EXPECT_EQ(std::count_if(answers.begin(),
                          answers.end(),
                          [](const auto& packet) { return packet.traffic_class != kControl; }),
            1);
}

TEST_F(MarkingTest, ControlDoesNotTakeBulkAlong) {
  join(kAll, {.delay = Duration::ms(5)});
  std::size_t controls = 0;
  std::size_t sent = 0;
  a_->on_turn = [&](Instant now, Site&) {
    while (sent < 100 && session_->wants_transfer()) {
      session_->send_transfer(now, std::vector<std::byte>(20'000), Precedence::kBulk);
      if (++sent % 5 == 0) {
        controls += session_->send_control(now, std::vector<std::byte>(100)) ? 1U : 0U;
      }
    }
  };
  EXPECT_TRUE(
      world_->run_until([&] { return b_->transfers_received == 100; }, Duration::ms(20'000)));
  EXPECT_EQ(controls, 20U);
  const auto all = packets();
  // A packet that begins with control is filled up with bulk; nothing else is marked so.
  EXPECT_GE(full_ones(all, kControl), 10U);
  EXPECT_LE(full_ones(all, kControl), 20U);
  EXPECT_GE(full_ones(all, kBulk), 1300U);
}

TEST_F(MarkingTest, RepairsKeepTheClassOfWhatIsSent) {
  join(kAll, {.delay = Duration::ms(5), .loss = 0.02});
  send(200, Precedence::kBulk);
  const auto all = packets();
  EXPECT_GE(full_ones(all, kBulk), 2800U);
  EXPECT_LE(full_ones(all, kControl) + full_ones(all, kUrgent) + full_ones(all, kNormal), 2U);
}

TEST(Markings, TheStandardOnesAreThoseOfTheRfcs) {
  constexpr Markings kStandard = Markings::standard();
  EXPECT_EQ(kStandard.of(Precedence::kControl), 40);  // CS5, RFC 4594 section 3
  EXPECT_EQ(kStandard.of(Precedence::kUrgent), 18);   // AF21, likewise
  EXPECT_EQ(kStandard.of(Precedence::kNormal), 0);
  EXPECT_EQ(kStandard.of(Precedence::kBulk), 1);  // LE, RFC 8622
}

}  // namespace
}  // namespace godwit::transport

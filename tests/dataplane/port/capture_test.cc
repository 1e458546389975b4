#include "dataplane/port/with/capture.h"

#include <array>
#include <chrono>
#include <filesystem>
#include <memory>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/port/loop/network.h"
#include "dataplane/port/with/capture_file.h"
#include "dataplane/port/with/headers.h"
#include "tests/dataplane/port/pcap_reader.h"
#include "tests/support/temporary_folder.h"

namespace godwit::port {
namespace {

using testing::CapturedPacket;
using ::testing::HasSubstr;
using testing::PcapReader;

const Peer kHere = Peer::v4({10, 0, 0, 1}, 4433);
const Peer kThere = Peer::v4({10, 0, 0, 2}, 5544);
constexpr std::int64_t kMidnight = 1'767'225'600'000'000'000;  // 2026-01-01

std::string text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::vector<std::byte> pattern(std::size_t size) {
  std::vector<std::byte> bytes(size);
  for (std::size_t at = 0; at < size; ++at) {
    bytes[at] = static_cast<std::byte>(at * 37 + at / 251);
  }
  return bytes;
}

class CaptureTest : public ::testing::Test {
 protected:
  std::unique_ptr<Port> capturing(std::unique_ptr<Port> port) {
    auto made =
        with_capture(std::move(port),
                     {.path = path_, .bytes_max = kCaptureBytesMin, .unix_ns_at_zero = kMidnight});
    EXPECT_TRUE(made.has_value()) << made.error().message;
    return std::move(*made);
  }

  const testing_support::TemporaryFolder folder_;
  const std::string path_ = (folder_ / "a.pcap").string();
  Random random_{1};
  LoopNetwork network_{random_};
};

TEST_F(CaptureTest, WritesBothDirectionsWithTheirAddressesAndTimes) {
  auto a = capturing(network_.open(kHere));
  auto b = network_.open(kThere);
  auto bytes = pattern(2 * 1200 + 333);
  const Train there{.peer = kThere, .segment_bytes = 1200, .bytes = bytes, .ecn = 2, .dscp = 40};
  EXPECT_EQ(a->transmit(Instant::from_ns(5), {&there, 1}), 1U);
  const Train back{.peer = kHere, .segment_bytes = 1200, .bytes = std::span(bytes).first(700)};
  b->transmit(Instant::from_ns(6), {&back, 1});
  std::array<Train, 4> out{};
  ASSERT_EQ(a->receive(Instant::from_ns(2'000'000'007), out), 1U);
  out[0].bytes[0] = std::byte{0xee};  // the caller decrypts in place
  a->release(std::span(out).first(1));
  a.reset();

  const auto packets = PcapReader::read(path_);
  ASSERT_EQ(packets.size(), 4U);
  for (std::size_t index = 0; index < 3; ++index) {
    const CapturedPacket& packet = packets[index];
    EXPECT_EQ(packet.version, 4);
    EXPECT_EQ(packet.from, std::string("\x0a\x00\x00\x01", 4));
    EXPECT_EQ(packet.to, std::string("\x0a\x00\x00\x02", 4));
    EXPECT_EQ(packet.from_port, 4433);
    EXPECT_EQ(packet.to_port, 5544);
    EXPECT_EQ(packet.traffic_class, 40 * 4 + 2);
    EXPECT_EQ(packet.unix_ns, static_cast<std::uint64_t>(kMidnight) + 5);
    EXPECT_EQ(packet.payload, text(std::span(bytes).subspan(index * 1200, index < 2 ? 1200 : 333)));
  }
  EXPECT_EQ(packets[3].from_port, 5544);
  EXPECT_EQ(packets[3].to_port, 4433);
  EXPECT_EQ(packets[3].unix_ns, static_cast<std::uint64_t>(kMidnight) + 2'000'000'007);
  EXPECT_EQ(packets[3].payload, text(std::span(bytes).first(700)));
}

TEST_F(CaptureTest, ChangesNothingForTheCaller) {
  auto a = capturing(network_.open(kHere));
  EXPECT_EQ(a->local(), kHere);
  EXPECT_STREQ(a->capabilities().name, "loop");
  auto bytes = pattern(100);
  const Train train{.peer = kThere, .segment_bytes = 100, .bytes = bytes};
  a->transmit(Instant::from_ns(5), {&train, 1});
  EXPECT_EQ(a->counters().packets_sent, 1U);
}

TEST_F(CaptureTest, MayBeReadWhileItGoesOn) {
  auto a = capturing(network_.open(kHere));
  auto bytes = pattern(100);
  const Train train{.peer = kThere, .segment_bytes = 100, .bytes = bytes};
  a->transmit(Instant::from_ns(0), {&train, 1});
  std::array<Train, 1> out{};
  a->receive(Instant::from_ns(1'000'000'000), out);
  std::size_t seen = 0;
  for (int attempt = 0; attempt < 500 && seen == 0; ++attempt) {
    a->wait(Duration::ms(1));
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    seen = std::filesystem::file_size(path_) > 24 ? PcapReader::read(path_).size() : 0;
  }
  EXPECT_EQ(seen, 1U);
}

TEST_F(CaptureTest, IsForTheOwnersEyes) {
  auto file = CaptureFile::create(path_, kCaptureBytesMin);
  ASSERT_TRUE(file.has_value());
  const auto mode = std::filesystem::status(path_).permissions();
  EXPECT_EQ(mode, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST_F(CaptureTest, SaysWhatItCannotWrite) {
  const auto missing = CaptureFile::create((folder_ / "no/where").string(), kCaptureBytesMin);
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code, Code::kIo);
  EXPECT_THAT(missing.error().message, HasSubstr("no/where: No such file or directory"));
  EXPECT_EQ(CaptureFile::create(path_, Bytes::mib(1)).error().code, Code::kInvalid);
  // A link is not followed: the file is written by a daemon, perhaps where others may write.
  std::filesystem::create_symlink(folder_ / "target", folder_ / "link");
  EXPECT_FALSE(CaptureFile::create((folder_ / "link").string(), kCaptureBytesMin).has_value());
}

TEST_F(CaptureTest, NeverGrowsBeyondItsBoundAndKeepsTheNewest) {
  const auto payload = pattern(1400);
  std::int64_t written = 0;
  {
    auto file = CaptureFile::create(path_, kCaptureBytesMin).value();
    std::array<std::byte, kHeadersBytesMax> headers{};
    for (int part = 0; part < 40; ++part) {
      for (int packet = 0; packet < 150; ++packet) {
        const std::size_t bytes =
            write_headers({.from = kHere, .to = kThere, .payload = payload}, headers);
        file->append(written++, std::span(headers).first(bytes), payload);
      }
      file->flush();
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    ASSERT_EQ(file->counters().packets + file->counters().left_out, 6000U);
    ASSERT_EQ(file->counters().left_out, 0U);
  }
  const auto older = PcapReader::read(path_ + ".1");
  const auto newer = PcapReader::read(path_);
  EXPECT_LE(std::filesystem::file_size(path_) + std::filesystem::file_size(path_ + ".1"),
            kCaptureBytesMin.count());
  ASSERT_FALSE(older.empty());
  ASSERT_FALSE(newer.empty());
  EXPECT_EQ(newer.back().unix_ns, static_cast<std::uint64_t>(written - 1));
  EXPECT_EQ(older.back().unix_ns + 1, newer.front().unix_ns);
  EXPECT_GE(older.size() + newer.size(), 700U);
}

// Makes the capture's own descriptor of `path` one that waits.
void let_it_block(const std::string& path, int reader) {
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    const int descriptor = std::stoi(entry.path().filename().string());
    if (std::filesystem::read_symlink(entry.path(), gone) == path && descriptor != reader) {
      EXPECT_EQ(::fcntl(descriptor, F_SETFL, 0), 0);
    }
  }
}

TEST_F(CaptureTest, EndsWithItsReader) {
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  EXPECT_FALSE(CaptureFile::create(path_, kCaptureBytesMin).has_value());  // nobody reads
  const int reader = ::open(path_.c_str(), O_RDONLY | O_NONBLOCK);
  auto file = CaptureFile::create(path_, kCaptureBytesMin).value();
  ::close(reader);
  for (int attempt = 0; attempt < 500 && file->counters().left_out == 0; ++attempt) {
    file->append(attempt, {}, pattern(100));
    file->flush();
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_GT(file->counters().left_out, 0U);
}

// A disk that takes nothing: a pipe nobody reads from stands for it.
TEST_F(CaptureTest, LeavesPacketsOutInsteadOfWaiting) {
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  const int reader = ::open(path_.c_str(), O_RDONLY | O_NONBLOCK);
  ASSERT_GE(reader, 0);
  const auto payload = pattern(60'000);
  auto file = CaptureFile::create(path_, Bytes::mib(64)).value();
  let_it_block(path_, reader);
  // 16 chunks of 512 KiB hold 139 of them at most; the pipe itself takes 64 KiB.
  for (int packet = 0; packet < 1000; ++packet) {
    file->append(packet, {}, payload);
  }
  const CaptureCounters counters = file->counters();
  EXPECT_EQ(counters.packets + counters.left_out, 1000U);
  EXPECT_GE(counters.left_out, 800U);
  EXPECT_GE(counters.packets, 100U);
  ::close(reader);  // the thread's write fails, the capture ends, and so does the test
  file.reset();
}

// Of every size and between all kinds of ends, the checksums are right: the reader looks.
RC_GTEST_PROP(CaptureLaw, EveryPacketReadsBack, ()) {
  const testing_support::TemporaryFolder folder;
  const std::string path = (folder / "law.pcap").string();
  const auto host4 =
      *rc::gen::container<std::array<std::uint8_t, 4>>(rc::gen::arbitrary<std::uint8_t>());
  const auto host6 =
      *rc::gen::container<std::array<std::uint8_t, 16>>(rc::gen::arbitrary<std::uint8_t>());
  const auto port = *rc::gen::arbitrary<std::uint16_t>();
  const auto payload = *rc::gen::container<std::vector<std::uint8_t>>(
      *rc::gen::inRange<std::size_t>(1, 1600), rc::gen::arbitrary<std::uint8_t>());
  const bool v6 = *rc::gen::arbitrary<bool>();
  const Datagram datagram{.from = v6 ? Peer::v6(host6, port) : Peer::v4(host4, port),
                          .to = *rc::gen::arbitrary<bool>() == v6 ? Peer::v6(host6, 9) : kThere,
                          .traffic_class = *rc::gen::arbitrary<std::uint8_t>(),
                          .payload = std::as_bytes(std::span(payload))};
  {
    auto file = CaptureFile::create(path, kCaptureBytesMin).value();
    std::array<std::byte, kHeadersBytesMax> headers{};
    const std::size_t bytes = write_headers(datagram, headers);
    file->append(1, std::span(headers).first(bytes), datagram.payload);
  }
  const auto packets = PcapReader::read(path);
  RC_ASSERT(packets.size() == 1U);
  RC_ASSERT(packets[0].payload == text(datagram.payload));
  RC_ASSERT(packets[0].from_port == port);
  RC_ASSERT(packets[0].traffic_class == datagram.traffic_class);
  RC_ASSERT(packets[0].version == (v6 && datagram.to.is_v6() ? 6 : 4));
  if (!v6) {
    RC_ASSERT(packets[0].from == text(std::as_bytes(std::span(host4))));
  } else if (!datagram.to.is_v6()) {
    RC_ASSERT(packets[0].from == std::string(4, '\0'));
  }
}

}  // namespace
}  // namespace godwit::port

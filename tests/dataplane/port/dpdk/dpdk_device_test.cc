// Devices that need nothing of the machine: DPDK's own rings and its bottomless pit.

#include "dataplane/port/dpdk/dpdk_device.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <set>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "dataplane/base/system_time.h"
#include "tests/support/allocation_guard.h"

namespace godwit::port {
namespace {

using ::testing::HasSubstr;

constexpr Duration kForEver = Duration::seconds(3'600);  // a test that waits so long has hung

std::unique_ptr<Device> open(const DpdkOptions& options) {
  auto device = make_dpdk_device(options);
  EXPECT_TRUE(device.has_value()) << device.error().message;
  return device ? std::move(*device) : nullptr;
}

// What comes out of `net_ring0` is what went in.
std::unique_ptr<Device> open_ring(const char* name = "net_ring0") {
  return open({.device = name, .huge_pages = HugePages::kNever});
}

void fill(Frame& frame, std::size_t bytes, std::size_t seed) {
  frame.bytes = frame.bytes.first(bytes);
  for (std::size_t at = 0; at < bytes; ++at) {
    frame.bytes[at] = static_cast<std::byte>(at * 7 + seed);
  }
}

bool is_filled(const Frame& frame, std::size_t bytes, std::size_t seed) {
  bool equal = frame.bytes.size() == bytes;
  for (std::size_t at = 0; equal && at < bytes; ++at) {
    equal = frame.bytes[at] == static_cast<std::byte>(at * 7 + seed);
  }
  return equal;
}

void send(Device& device, std::size_t bytes, std::size_t seed) {
  std::array<Frame, 1> frame{};
  ASSERT_EQ(device.reserve(frame), 1U);
  fill(frame[0], bytes, seed);
  ASSERT_EQ(device.transmit(system_now(), frame), 1U);
}

TEST(DpdkDevice, CarriesFramesInOrderAndUnchanged) {
  const auto device = open_ring();
  constexpr std::size_t kCount = 200;
  std::array<Frame, kCount> out{};
  ASSERT_EQ(device->reserve(out), kCount);
  for (std::size_t index = 0; index < kCount; ++index) {
    EXPECT_EQ(out[index].bytes.size(), device->capabilities().frame_bytes_max);
    fill(out[index], 60 + index, index);
  }
  ASSERT_EQ(device->transmit(system_now(), out), kCount);
  std::array<Frame, kCount> in{};
  ASSERT_EQ(device->receive(system_now(), in), kCount);
  for (std::size_t index = 0; index < kCount; ++index) {
    EXPECT_TRUE(is_filled(in[index], 60 + index, index)) << index;
  }
  device->release(in);
  const DeviceCounters counters = device->counters();
  EXPECT_EQ(counters.frames_sent, kCount);
  EXPECT_EQ(counters.frames_received, kCount);
  EXPECT_EQ(counters.bytes_sent, 200 * 60 + 199 * 200 / 2);
  EXPECT_EQ(counters.bytes_received, counters.bytes_sent);
}

TEST(DpdkDevice, AllocatesNothingOnceItIsOpen) {
  const auto device = open_ring("net_ring9");
  std::array<Frame, 64> frames{};
  const auto carry = [&] {
    ASSERT_EQ(device->reserve(frames), frames.size());
    for (Frame& frame : frames) {
      frame.bytes = frame.bytes.first(1'500);
    }
    ASSERT_EQ(device->transmit(system_now(), frames), frames.size());
    device->wait(Duration::us(10));
    ASSERT_EQ(device->receive(system_now(), frames), frames.size());
    device->release(frames);
    device->wait(Duration::us(10));
  };
  carry();  // the thread becomes known to DPDK
  const testing_support::AllocationGuard guard;
  for (int round = 0; round < 1'000; ++round) {
    carry();
  }
  EXPECT_EQ(device->counters().frames_received, 1'001 * frames.size());
  EXPECT_EQ(guard.allocations(), 0U);
}

// One per page, at one place of it, is what DPDK would do: a sixteenth of the cache for all
// headers.
TEST(DpdkDevice, LaysBuffersAtManyPlacesOfAPage) {
  const auto device = open_ring();
  constexpr std::uintptr_t kPageBytes = 4'096;
  constexpr std::uintptr_t kLineBytes = 64;
  std::array<Frame, 64> frames{};
  ASSERT_EQ(device->reserve(frames), frames.size());
  std::set<std::uintptr_t> lines;
  for (const Frame& frame : frames) {
    lines.insert(reinterpret_cast<std::uintptr_t>(frame.bytes.data()) % kPageBytes / kLineBytes);
  }
  device->release(frames);
  EXPECT_GT(lines.size(), 32U);
}

TEST(DpdkDevice, WithoutAnAddressIsGivenOne) {
  const auto one = open_ring("net_ring7");
  const auto other = open_ring("net_ring8");
  const Mac mac = one->capabilities().mac;
  EXPECT_EQ(mac[0] & 3U, 2U) << "locally administered, of one host";
  EXPECT_NE(mac, other->capabilities().mac);
  EXPECT_EQ(mac, one->capabilities().mac);
}

TEST(DpdkDevice, HoldsAFrameOfItsMtuWithOneTag) {
  const auto plain = open_ring("net_ring6");
  EXPECT_EQ(plain->capabilities().frame_bytes_max, 1'518U);
  send(*plain, 1'518, 3);
  const auto jumbo = open({.device = "net_ring1", .mtu = 9'000, .huge_pages = HugePages::kNever});
  EXPECT_EQ(jumbo->capabilities().frame_bytes_max, 9'018U);
  send(*jumbo, 9'018, 5);
  std::array<Frame, 2> in{};
  ASSERT_EQ(jumbo->receive(system_now(), in), 1U);
  EXPECT_TRUE(is_filled(in[0], 9'018, 5));
  jumbo->release(std::span(in).first(1));
}

TEST(DpdkDevice, GivesNoMoreFramesThanThereAreAndAllOfThemAgain) {
  const auto device = open({.device = "net_null0", .huge_pages = HugePages::kNever});
  std::vector<Frame> all(100'000);
  for (int round = 0; round < 3; ++round) {
    const std::size_t count = device->reserve(all);
    EXPECT_GT(count, 2'000U);
    EXPECT_LT(count, 4'096U);
    device->release(std::span(all).first(count));
  }
}

TEST(DpdkDevice, TakesFewerFramesWhenTheQueueIsFull) {
  const auto device = open_ring("net_ring2");
  std::size_t sent = 0;
  std::array<Frame, 32> frames{};
  std::size_t taken = frames.size();
  while (taken == frames.size() && device->reserve(frames) == frames.size()) {
    for (Frame& frame : frames) {
      fill(frame, 60, 0);
    }
    taken = device->transmit(system_now(), frames);
    sent += taken;
  }
  ASSERT_LT(taken, frames.size());
  EXPECT_EQ(device->counters().transmit_busy, frames.size() - taken);
  EXPECT_EQ(device->counters().frames_sent, sent);
  device->release(std::span(frames).subspan(taken));
}

TEST(DpdkDevice, WaitEndsWithAFrameOrAWakeOrAReadableDescriptor) {
  const auto device = open_ring("net_ring3");
  std::array<Frame, 1> in{};
  send(*device, 60, 1);
  device->wait(kForEver);
  ASSERT_EQ(device->receive(system_now(), in), 1U);
  EXPECT_TRUE(is_filled(in[0], 60, 1));
  device->release(in);

  device->wake();  // before it sleeps
  device->wait(kForEver);
  std::thread waker([&] { device->wake(); });  // or while it does
  device->wait(kForEver);
  waker.join();

  const int event = ::eventfd(1, EFD_CLOEXEC);
  device->watch(event);
  device->wait(kForEver);
  device->unwatch(event);
  const Instant before = system_now();
  device->wait(Duration::ms(5));  // the event is still there, and nobody looks at it
  EXPECT_GE(system_now() - before, Duration::ms(5));
  ::close(event);
}

TEST(DpdkDevice, DoesNotSleepWhenItMustNot) {
  const auto device = open_ring("net_ring4");
  device->wait(Duration::zero());
  device->wait(Duration::zero() - kForEver);
}

TEST(DpdkDevice, ThatSpinsHearsItsWaker) {
  const auto device =
      open({.device = "net_ring5", .huge_pages = HugePages::kNever, .idle = IdleMode::kSpin});
  std::thread waker([&] { device->wake(); });
  device->wait(kForEver);
  waker.join();
}

TEST(DpdkDevice, LendsEachQueuePairOnceAndStopsWithTheLast) {
  DpdkOptions options{
      .device = "net_null1", .queues = 2, .udp_port_first = 4'433, .huge_pages = HugePages::kNever};
  auto first = open(options);
  options.queue = 1;
  auto second = open(options);
  const auto again = make_dpdk_device(options);
  ASSERT_FALSE(again.has_value());
  EXPECT_THAT(again.error().message, HasSubstr("queue pair 1 has an owner"));
  first.reset();
  options.queue = 0;
  options.mtu = 9'000;
  const auto other = make_dpdk_device(options);
  ASSERT_FALSE(other.has_value());
  EXPECT_THAT(other.error().message,
              HasSubstr("was started with 2 queue pairs, an MTU of 1500 and UDP ports from 4433"));
  second.reset();
  EXPECT_NE(open(options), nullptr);  // anew, with another MTU
}

TEST(DpdkDevice, SaysWhatIsWrong) {
  struct Row {
    DpdkOptions options;
    Code code;
    const char* said;
  };
  const std::array<Row, 8> rows{{
      {{.device = "eth0"}, Code::kInvalid, "\"eth0\" is no device"},
      {{.device = "net_ring9", .mtu = 1'279}, Code::kInvalid, "an MTU of 1279"},
      {{.device = "net_ring9", .mtu = 9'001}, Code::kInvalid, "an MTU of 9001"},
      {{.device = "net_ring9", .queues = 0}, Code::kInvalid, "0 queue pairs"},
      {{.device = "net_ring9", .queues = 2}, Code::kInvalid, "UDP ports from 0 on"},
      {{.device = "net_ring9", .queues = 4, .udp_port_first = 65'533}, Code::kInvalid, "65533 on"},
      {{.device = "net_ring9", .queues = 1, .queue = 1}, Code::kInvalid, "no queue pair 1 of 1"},
      {{.device = "af_packet:nothere0"}, Code::kNotFound, "interface nothere0"},
  }};
  for (Row row : rows) {
    row.options.huge_pages = HugePages::kNever;
    const auto device = make_dpdk_device(row.options);
    ASSERT_FALSE(device.has_value()) << row.said;
    EXPECT_EQ(device.error().code, row.code) << device.error().message;
    EXPECT_THAT(device.error().message, HasSubstr(row.said));
  }
  DpdkOptions unknown{.device = "net_nonsense0", .huge_pages = HugePages::kNever};
  const auto device = make_dpdk_device(unknown);
  ASSERT_FALSE(device.has_value());
  EXPECT_THAT(device.error().message, HasSubstr("net_nonsense0: DPDK cannot attach it"));
}

}  // namespace
}  // namespace godwit::port

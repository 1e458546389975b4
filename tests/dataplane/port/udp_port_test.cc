// The kernel's sockets on loopback, by both engines: the same promises for both.

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "dataplane/base/system_time.h"
#include "dataplane/port/udp.h"
#include "dataplane/port/udp_socket.h"
#include "tests/dataplane/port/opens.h"

namespace godwit::port {
namespace {

struct EngineAt {
  UdpEngine engine;
  const char* address;
};

class UdpPort : public ::testing::TestWithParam<EngineAt> {
 protected:
  std::unique_ptr<Port> open(unsigned buffers = 64) {
    auto port = make_udp_port({.local = Peer::parse(GetParam().address).value(),
                               .engine = GetParam().engine,
                               .socket_buffer_bytes = 1 << 20,
                               .receive_buffers = buffers});
    EXPECT_TRUE(port.has_value()) << port.error().message;
    return std::move(*port);
  }
  void SetUp() override {
    a_ = open();
    b_ = open();
  }

  static std::vector<std::byte> pattern(std::size_t size, unsigned seed) {
    std::vector<std::byte> bytes(size);
    for (std::size_t at = 0; at < size; ++at) {
      bytes[at] = static_cast<std::byte>(at * 31 + at / 255 + seed);
    }
    return bytes;
  }

  // Everything that arrives within a second or until `bytes` have come, end to end.
  static std::vector<std::byte> collect(Port& port, std::size_t bytes, std::size_t* trains) {
    std::vector<std::byte> all;
    std::array<Train, 8> out{};
    const Instant end = system_now() + Duration::ms(1000);
    while (all.size() < bytes && system_now() < end) {
      const std::size_t count = port.receive(system_now(), out);
      for (std::size_t index = 0; index < count; ++index) {
        all.insert(all.end(), out[index].bytes.begin(), out[index].bytes.end());
      }
      *trains += count;
      port.release({out.data(), count});
      if (count == 0) {
        port.wait(Duration::ms(20));
      }
    }
    return all;
  }

  // A sleep may end early now and then (a signal, the end of another ring), but not again and
  // again: that would be a busy loop.
  static bool sleeps_for(Port& port, Duration time) {
    const Instant end = system_now() + time;
    int naps = 0;
    while (system_now() < end && naps < 1000) {
      port.wait(end - system_now());
      ++naps;
    }
    return system_now() >= end;
  }

  std::unique_ptr<Port> a_;
  std::unique_ptr<Port> b_;
};

TEST_P(UdpPort, BindsAPortOfTheSystemsChoice) {
  EXPECT_NE(a_->local().udp_port(), 0);
  EXPECT_NE(a_->local(), b_->local());
  EXPECT_STREQ(a_->capabilities().name,
               GetParam().engine == UdpEngine::kUring ? "io_uring" : "epoll");
}

TEST_P(UdpPort, CarriesATrainWholeAndInFewPieces) {
  auto bytes = pattern(40 * 1452 + 700, 1);
  const Train train{.peer = b_->local(), .segment_bytes = 1452, .bytes = bytes, .ecn = 0};
  ASSERT_EQ(a_->transmit(system_now(), {&train, 1}), 1U);
  std::size_t trains = 0;
  EXPECT_EQ(collect(*b_, bytes.size(), &trains), bytes);
  // GRO keeps a GSO train together on loopback.
  EXPECT_LE(trains, 4U);
  EXPECT_EQ(a_->counters().packets_sent, 41U);
  EXPECT_EQ(b_->counters().packets_received, 41U);
  EXPECT_EQ(b_->counters().bytes_received, bytes.size());
}

TEST_P(UdpPort, TellsTheSegmentSizeAndTheSource) {
  auto bytes = pattern(3 * 1200, 2);
  const Train train{.peer = b_->local(), .segment_bytes = 1200, .bytes = bytes, .ecn = 0};
  a_->transmit(system_now(), {&train, 1});
  std::array<Train, 4> out{};
  std::size_t count = 0;
  for (int attempt = 0; attempt < 50 && count == 0; ++attempt) {
    b_->wait(Duration::ms(20));
    count = b_->receive(system_now(), out);
  }
  ASSERT_GE(count, 1U);
  EXPECT_EQ(out[0].peer, a_->local());
  EXPECT_EQ(out[0].segment_bytes, 1200);
  b_->release({out.data(), count});
}

TEST_P(UdpPort, ReusesItsBuffersForEver) {
  auto small = open(4);
  std::size_t trains = 0;
  for (unsigned round = 0; round < 100; ++round) {
    auto bytes = pattern(1200, round);
    const Train train{.peer = small->local(), .segment_bytes = 1200, .bytes = bytes, .ecn = 0};
    ASSERT_EQ(a_->transmit(system_now(), {&train, 1}), 1U);
    ASSERT_EQ(collect(*small, bytes.size(), &trains), bytes);
  }
  EXPECT_EQ(small->counters().trains_received, 100U);
}

TEST_P(UdpPort, KeepsGoingAfterItsBuffersRanOut) {
  auto small = open(2);
  auto bytes = pattern(1000, 3);
  const Train train{.peer = small->local(), .segment_bytes = 1000, .bytes = bytes, .ecn = 0};
  std::array<Train, 8> held{};
  std::size_t count = 0;
  for (int sent = 0; sent < 6; ++sent) {
    a_->transmit(system_now(), {&train, 1});
    small->wait(Duration::ms(10));
    count += small->receive(system_now(), std::span(held).subspan(count));
  }
  EXPECT_EQ(count, 2U);
  EXPECT_GE(small->counters().receive_starved, 1U);
  small->release({held.data(), count});
  std::size_t trains = 0;
  EXPECT_EQ(collect(*small, 4 * bytes.size(), &trains).size(), 4 * bytes.size());
}

// Kilobytes of this process that are in memory.
long resident_kb() {
  std::ifstream status("/proc/self/statm");
  long all = 0;
  long resident = 0;
  status >> all >> resident;
  return resident * (::sysconf(_SC_PAGESIZE) / 1024);
}

// So that nobody makes the process grow by what he sends.
TEST_P(UdpPort, TakesTheMemoryOfItsBuffersAtTheStart) {
  malloc_trim(0);  // or it may get memory that ports of earlier tests have touched
  const long before = resident_kb();
  const auto port = open(256);
  EXPECT_GE(resident_kb() - before, 256 * 64);
}

// What is under way is in the port's buffers, in the socket's, or dropped, and nowhere else.
TEST_P(UdpPort, CountsWhatTheKernelDrops) {
  const auto slow = open(2);  // two receive buffers, and the socket's
  constexpr std::size_t kSent = 20'000;
  auto bytes = pattern(1'000, 1);
  const Train train{.peer = slow->local(), .segment_bytes = 1'000, .bytes = bytes};
  for (std::size_t sent = 0; sent < kSent; sent += a_->transmit(system_now(), {&train, 1})) {
  }
  EXPECT_EQ(a_->counters().receive_dropped, 0U);
  const std::uint64_t dropped = slow->counters().receive_dropped;
  EXPECT_GT(dropped, 0U);
  std::array<Train, 8> out{};
  while (slow->counters().packets_received + dropped < kSent) {  // or the test hangs and is ended
    slow->release(std::span(out).first(slow->receive(system_now(), out)));
    slow->wait(Duration::ms(1));
  }
  EXPECT_EQ(slow->counters().packets_received + slow->counters().receive_dropped, kSent);
}

TEST_P(UdpPort, SendsManyTrainsInOneCall) {
  auto bytes = pattern(1200, 4);
  const std::vector<Train> trains(
      100, Train{.peer = b_->local(), .segment_bytes = 1200, .bytes = bytes, .ecn = 0});
  EXPECT_EQ(a_->transmit(system_now(), trains), 100U);
  std::size_t received = 0;
  EXPECT_EQ(collect(*b_, 100 * bytes.size(), &received).size(), 100 * bytes.size());
}

TEST_P(UdpPort, CountsWhatTheKernelRefuses) {
  auto bytes = pattern(100, 5);
  // Port 0 is no destination.
  const Train train{
      .peer = b_->local().with_port(0), .segment_bytes = 100, .bytes = bytes, .ecn = 0};
  EXPECT_EQ(a_->transmit(system_now(), {&train, 1}), 1U);
  EXPECT_EQ(a_->counters().send_errors, 1U);
}

TEST_P(UdpPort, SleepsUntilTheTimeIsUp) {
  EXPECT_TRUE(sleeps_for(*a_, Duration::ms(50)));
}

TEST_P(UdpPort, ADatagramEndsTheSleep) {
  auto bytes = pattern(100, 6);
  const Train train{.peer = a_->local(), .segment_bytes = 100, .bytes = bytes, .ecn = 0};
  std::thread sender([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    b_->transmit(system_now(), {&train, 1});
  });
  const Instant before = system_now();
  a_->wait(Duration::ms(5000));
  EXPECT_LE(system_now() - before, Duration::ms(2000));
  sender.join();
}

TEST_P(UdpPort, AnotherThreadEndsTheSleepByWake) {
  std::thread waker([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    a_->wake();
  });
  const Instant before = system_now();
  a_->wait(Duration::ms(5000));
  EXPECT_LE(system_now() - before, Duration::ms(2000));
  waker.join();
  // The wake is used up: the next sleep lasts.
  EXPECT_TRUE(sleeps_for(*a_, Duration::ms(30)));
}

TEST_P(UdpPort, AWatchedDescriptorEndsEverySleepWhileItIsReadable) {
  const int event = ::eventfd(0, EFD_NONBLOCK);
  a_->watch(event);
  const std::uint64_t one = 1;
  ASSERT_EQ(::write(event, &one, sizeof(one)), 8);
  for (int round = 0; round < 3; ++round) {
    const Instant before = system_now();
    a_->wait(Duration::ms(3000));
    EXPECT_LE(system_now() - before, Duration::ms(1500));
  }
  std::uint64_t value = 0;
  ASSERT_EQ(::read(event, &value, sizeof(value)), 8);
  EXPECT_TRUE(sleeps_for(*a_, Duration::ms(40)));
  a_->unwatch(event);
  ::close(event);
  EXPECT_TRUE(sleeps_for(*a_, Duration::ms(30)));
}

TEST_P(UdpPort, FreesItsAddressWhenItDies) {
  const Peer address = a_->local();
  a_->wait(Duration::ms(5));
  a_.reset();
  auto again = make_udp_port({.local = address, .engine = GetParam().engine});
  EXPECT_TRUE(again.has_value()) << (again ? "" : again.error().message);
}

// What this machine has is tried, and the count shows how much that was. epoll on IPv4 must be
// there.
std::vector<EngineAt> cases_of_this_machine() {
  std::vector<EngineAt> found{{UdpEngine::kEpoll, "127.0.0.1:0"}};
  for (const EngineAt& one : {EngineAt{UdpEngine::kUring, "127.0.0.1:0"},
                              EngineAt{UdpEngine::kUring, "[::1]:0"},
                              EngineAt{UdpEngine::kEpoll, "[::1]:0"}}) {
    if (opens(one.address, one.engine)) {
      found.push_back(one);
    }
  }
  return found;
}

INSTANTIATE_TEST_SUITE_P(Engines, UdpPort, ::testing::ValuesIn(cases_of_this_machine()));

TEST(UdpPortCases, AreCounted) {
  const auto cases = cases_of_this_machine();
  std::printf("count: port engines and address families %zu of 4\n", cases.size());
  EXPECT_GE(cases.size(), 1U);
}

TEST(MakeUdpPort, TakesEpollWhenTheEnvironmentSaysSo) {
  ::setenv("GODWIT_PORT_ENGINE", "epoll", 1);
  auto port = make_udp_port({.local = Peer::parse("127.0.0.1:0").value()});
  ::unsetenv("GODWIT_PORT_ENGINE");
  ASSERT_TRUE(port.has_value());
  EXPECT_STREQ((*port)->capabilities().name, "epoll");
}

// As after kill -9: the kernel still holds the address of a process that is gone.
TEST(MakeUdpPort, WaitsForAnAddressThatIsGivenBackSoon) {
  auto held = make_udp_port({.local = Peer::parse("127.0.0.1:0").value()});
  ASSERT_TRUE(held);
  const Peer address = (*held)->local();
  std::thread owner([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    held->reset();
  });
  const auto port = make_udp_port({.local = address});
  owner.join();
  EXPECT_TRUE(port) << port.error().message;
}

TEST(MakeUdpPort, NamesTheAddressThatIsTaken) {
  auto first = make_udp_port({.local = Peer::parse("127.0.0.1:0").value()});
  ASSERT_TRUE(first.has_value());
  const auto second = make_udp_port({.local = (*first)->local()});
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, Code::kIo);
  EXPECT_NE(second.error().message.find((*first)->local().format()), std::string::npos);
}

TEST(UdpSends, WhatWasRefusedAheadOfWhatWentIsNotOfferedAgain) {
  const auto done = [](const std::vector<int>& results) { return done_with(results); };
  EXPECT_EQ(done({1400, 1400}), 2U);
  EXPECT_EQ(done({1400, -EAGAIN, -ENOBUFS}), 1U);
  EXPECT_EQ(done({1400, -EAGAIN, 700, -EAGAIN}), 3U);
  EXPECT_EQ(done({-EAGAIN, -EPERM}), 2U);
  EXPECT_EQ(done({-EAGAIN}), 0U);
}

}  // namespace
}  // namespace godwit::port

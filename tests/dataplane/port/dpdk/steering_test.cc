// Frames that came to one worker's queue and are another's. The threads run under ThreadSanitizer
// in `tests/check full`: nothing here is written by two of them without an order.

#include "dataplane/port/dpdk/steering.h"

#include <array>
#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <poll.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <unistd.h>

#include "dataplane/port/dpdk/eal.h"
#include "tests/dataplane/port/ip/frames.h"

namespace godwit::port {
namespace {

using frames::Octets;

constexpr std::uint16_t kFirstPort = 4'433;

Octets datagram_for(std::uint16_t port, const Octets& payload) {
  using namespace frames;
  return ethernet(
      kOwnMac, kPeerMac, 0x0800, ipv4(v4(2), v4(1), 17, udp(v4(2), v4(1), 7'000, port, payload)));
}

Octets arp_question() {
  using namespace frames;
  return ethernet(kAllMacs, kPeerMac, 0x0806, arp(1, kPeerMac, v4(2), Mac{}, v4(1)));
}

std::uint8_t last_byte(const rte_mbuf* frame) {
  return *rte_pktmbuf_mtod_offset(frame, const std::uint8_t*, frame->data_len - 1);
}

class SteeringTest : public ::testing::Test {
 protected:
  static constexpr unsigned kBuffers = 8'191;

  void SetUp() override {
    EalOptions environment;
    environment.huge_pages = HugePages::kNever;
    ASSERT_TRUE(start_eal(environment));
    pool_ = rte_pktmbuf_pool_create("steering", kBuffers, 0, 0, 512, SOCKET_ID_ANY);
    ASSERT_NE(pool_, nullptr);
  }
  void TearDown() override {
    steering_.reset();
    EXPECT_EQ(rte_mempool_avail_count(pool_), kBuffers) << "every frame was given back";
    rte_mempool_free(pool_);
  }

  void make(std::uint16_t workers) {
    steering_ = Steering::make(workers, kFirstPort).value();
    for (std::uint16_t worker = 0; worker < workers; ++worker) {
      steering_->open(worker);
    }
  }
  rte_mbuf* buffer(const Octets& octets) {
    rte_mbuf* made = rte_pktmbuf_alloc(pool_);
    std::memcpy(rte_pktmbuf_append(made, static_cast<std::uint16_t>(octets.size())),
                octets.data(),
                octets.size());
    return made;
  }
  // What the worker keeps of these, as their last bytes; they are given back.
  std::vector<int> kept(std::uint16_t worker, const std::vector<Octets>& all) {
    std::vector<rte_mbuf*> buffers;
    for (const Octets& octets : all) {
      buffers.push_back(buffer(octets));
    }
    return told(std::span(buffers).first(steering_->sort(worker, buffers, counts_)));
  }
  std::vector<int> taken(std::uint16_t worker) {
    std::vector<int> all;
    std::array<rte_mbuf*, 32> out{};
    while (const std::size_t count = steering_->take(worker, out)) {
      const std::vector<int> some = told(std::span(out).first(count));
      all.insert(all.end(), some.begin(), some.end());
    }
    return all;
  }
  std::vector<int> told(std::span<rte_mbuf*> buffers) {
    std::vector<int> bytes;
    for (rte_mbuf* one : buffers) {
      bytes.push_back(steering_->is_copy(*one) ? -1 : last_byte(one));
      rte_pktmbuf_free(one);
    }
    return bytes;
  }

  // How often the worker's bell was rung; it is silent then.
  std::uint64_t rang(std::uint16_t worker) {
    std::uint64_t times = 0;
    return ::read(steering_->bell(worker), &times, sizeof(times)) == sizeof(times) ? times : 0;
  }

  rte_mempool* pool_ = nullptr;
  std::unique_ptr<Steering> steering_;
  Steering::Counts counts_;
};

TEST_F(SteeringTest, KeepsItsOwnInOrderAndHandsTheOthersOver) {
  make(4);
  const auto to = [](std::uint16_t worker, std::uint8_t mark) {
    return datagram_for(static_cast<std::uint16_t>(kFirstPort + worker), {mark});
  };
  EXPECT_EQ(kept(1, {to(1, 1), to(0, 2), to(3, 3), to(1, 4), to(0, 5)}), (std::vector{1, 4}));
  EXPECT_EQ(kept(2, {to(0, 6)}), std::vector<int>{});
  EXPECT_EQ(taken(0).size(), 3U);
  EXPECT_EQ(taken(3), std::vector{3});
  EXPECT_EQ(taken(1), std::vector<int>{});
  EXPECT_EQ(taken(2), std::vector<int>{});
  EXPECT_EQ(counts_.handed_over, 4U);
  EXPECT_EQ(counts_.missed, 0U);
}

TEST_F(SteeringTest, KeepsWhatIsForNoWorker) {
  make(2);
  EXPECT_EQ(kept(1, {datagram_for(kFirstPort - 1, {1}), datagram_for(kFirstPort + 2, {2}), {3}}),
            (std::vector{1, 2, 3}));
  EXPECT_EQ(counts_.handed_over, 0U);
}

TEST_F(SteeringTest, LetsEveryoneHearOfNeighbours) {
  make(4);
  EXPECT_EQ(kept(2, {arp_question()}), std::vector{1}) << "the original, to be answered";
  for (const std::uint16_t other : std::array<std::uint16_t, 3>{0, 1, 3}) {
    EXPECT_EQ(taken(other), std::vector{-1}) << "a copy";
  }
  EXPECT_EQ(counts_.handed_over, 3U);
}

TEST_F(SteeringTest, LosesAndCountsWhatFindsNoRoom) {
  make(2);
  constexpr std::uint64_t kRounds = 1'100;
  for (std::uint64_t round = 0; round < kRounds; ++round) {
    kept(0, {arp_question()});
  }
  EXPECT_EQ(kRounds - counts_.missed, 512U) << "half a ring";
  for (std::uint64_t round = 0; round < kRounds; ++round) {
    kept(0, {datagram_for(kFirstPort + 1, {7})});
  }
  EXPECT_EQ(counts_.handed_over, 2 * kRounds);
  EXPECT_EQ(2 * kRounds - counts_.missed, 1'023U) << "a ring holds one less than its size";
  EXPECT_EQ(taken(1).size(), 1'023U);
}

TEST_F(SteeringTest, LosesWhatIsForAWorkerThatIsGone) {
  make(2);
  kept(0, {datagram_for(kFirstPort + 1, {1})});
  steering_->close(1);
  kept(0, {datagram_for(kFirstPort + 1, {2})});
  EXPECT_EQ(counts_.missed, 1U);
  steering_->open(1);
  EXPECT_EQ(taken(1), std::vector<int>{}) << "nothing of before";
}

TEST_F(SteeringTest, RingsTheBellOfWhoDozes) {
  make(2);
  const auto rings = [&] { return rang(1) > 0; };
  kept(0, {datagram_for(kFirstPort + 1, {1})});
  EXPECT_FALSE(rings()) << "it is awake";
  EXPECT_FALSE(steering_->doze(1)) << "there is something";
  EXPECT_EQ(taken(1), std::vector{1});
  EXPECT_TRUE(steering_->doze(1));
  kept(0, {datagram_for(kFirstPort + 1, {2})});
  EXPECT_TRUE(rings());
  steering_->rouse(1);
  EXPECT_EQ(taken(1), std::vector{2});
}

TEST_F(SteeringTest, RingsForAllWhomABurstIsFor) {
  make(4);
  for (const std::uint16_t other : std::array<std::uint16_t, 3>{0, 1, 3}) {
    ASSERT_TRUE(steering_->doze(other));
  }
  const Octets for0 = datagram_for(kFirstPort, {1});
  const Octets for3 = datagram_for(kFirstPort + 3, {1});
  kept(2, {for0, for3, for0, for0, for3});
  EXPECT_EQ(rang(0), 1U);
  EXPECT_EQ(rang(1), 0U) << "nothing is for it";
  EXPECT_EQ(rang(3), 1U);
  kept(2, {arp_question(), arp_question()});
  EXPECT_EQ(rang(0), 0U) << "it is awake";
  EXPECT_EQ(rang(1), 1U);
}

// Workers that get each other's frames and rest whenever there is nothing to do. Buffers are made
// before and given back after: DPDK's pools are not ThreadSanitizer's to judge.
class SteeringThreads : public SteeringTest, public ::testing::WithParamInterface<int> {};

TEST_P(SteeringThreads, LoseNothingButWhatIsCounted) {
  const auto workers = static_cast<std::uint16_t>(GetParam());
  constexpr std::size_t kBursts = 60;
  constexpr std::size_t kBurst = 16;
  make(workers);
  struct Worker {
    std::vector<rte_mbuf*> queue;  // what its own queue gets
    std::vector<rte_mbuf*> got;
    Steering::Counts counts;
  };
  std::vector<Worker> all(workers);
  for (Worker& one : all) {
    for (std::size_t index = 0; index < kBursts * kBurst; ++index) {
      const auto port = static_cast<std::uint16_t>(kFirstPort + index % workers);
      one.queue.push_back(buffer(datagram_for(port, {static_cast<std::uint8_t>(index / workers)})));
    }
  }
  std::atomic<int> busy = workers;
  const auto work = [&](std::uint16_t self) {
    Worker& own = all[self];
    std::array<rte_mbuf*, 32> out{};
    std::size_t at = 0;
    bool is_busy = true;
    while (busy.load() > 0) {
      const std::size_t taken = steering_->take(self, out);
      own.got.insert(own.got.end(), out.begin(), out.begin() + static_cast<std::ptrdiff_t>(taken));
      if (at < own.queue.size()) {
        const auto burst = std::span(own.queue).subspan(at, kBurst);
        const std::size_t count = steering_->sort(self, burst, own.counts);
        own.got.insert(
            own.got.end(), burst.begin(), burst.begin() + static_cast<std::ptrdiff_t>(count));
        at += kBurst;
      } else if (is_busy) {
        is_busy = false;
        --busy;
      }
      if (taken == 0 && at % (4 * kBurst) == 0 && steering_->doze(self)) {
        pollfd bell{.fd = steering_->bell(self), .events = POLLIN, .revents = 0};
        ::poll(&bell, 1, 1);
        std::uint64_t events = 0;
        [[maybe_unused]] const ssize_t cleared = ::read(bell.fd, &events, sizeof(events));
        steering_->rouse(self);
      }
    }
  };
  std::vector<std::thread> threads;
  for (std::uint16_t self = 0; self < workers; ++self) {
    threads.emplace_back(work, self);
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  std::size_t got = 0;
  std::uint64_t missed = 0;
  std::uint64_t handed_over = 0;
  for (std::uint16_t self = 0; self < workers; ++self) {
    std::array<rte_mbuf*, 32> out{};
    while (const std::size_t count = steering_->take(self, out)) {
      all[self].got.insert(
          all[self].got.end(), out.begin(), out.begin() + static_cast<std::ptrdiff_t>(count));
    }
    for (rte_mbuf* frame : all[self].got) {
      const Octets port = frames::big16(static_cast<std::uint16_t>(kFirstPort + self));
      EXPECT_EQ(std::memcmp(rte_pktmbuf_mtod_offset(frame, const void*, 36), port.data(), 2), 0);
    }
    got += all[self].got.size();
    missed += all[self].counts.missed;
    handed_over += all[self].counts.handed_over;
    rte_pktmbuf_free_bulk(all[self].got.data(), static_cast<unsigned>(all[self].got.size()));
  }
  const std::size_t sent = std::size_t{workers} * kBursts * kBurst;
  EXPECT_EQ(got + missed, sent);
  EXPECT_EQ(handed_over, sent - sent / workers);
}

INSTANTIATE_TEST_SUITE_P(Workers, SteeringThreads, ::testing::Values(2, 4));

// A bell that was not rung would leave the sleeper asleep: the test would hang and be ended.
TEST_F(SteeringTest, NeverForgetsASleeper) {
  make(2);
  constexpr int kRounds = 2'000;
  std::vector<rte_mbuf*> buffers;
  for (int round = 0; round < kRounds; ++round) {
    buffers.push_back(buffer(datagram_for(kFirstPort + 1, {1})));
  }
  std::vector<rte_mbuf*> got;
  std::atomic<std::size_t> seen = 0;
  std::thread sleeper([&] {
    std::array<rte_mbuf*, 32> out{};
    while (got.size() < kRounds) {
      const std::size_t count = steering_->take(1, out);
      got.insert(got.end(), out.begin(), out.begin() + static_cast<std::ptrdiff_t>(count));
      seen.store(got.size());
      if (got.size() < kRounds && steering_->doze(1)) {
        pollfd bell{.fd = steering_->bell(1), .events = POLLIN, .revents = 0};
        ::poll(&bell, 1, -1);
        std::uint64_t events = 0;
        [[maybe_unused]] const ssize_t cleared = ::read(bell.fd, &events, sizeof(events));
        steering_->rouse(1);
      }
    }
  });
  for (std::size_t round = 0; round < kRounds; ++round) {
    steering_->sort(0, {&buffers[round], 1}, counts_);
    while (seen.load() <= round) {
      std::this_thread::yield();
    }
  }
  sleeper.join();
  EXPECT_EQ(counts_.missed, 0U);
  rte_pktmbuf_free_bulk(got.data(), static_cast<unsigned>(got.size()));
}

}  // namespace
}  // namespace godwit::port

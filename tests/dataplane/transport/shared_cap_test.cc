// A cap that several workers keep together.
#include "dataplane/transport/shared_cap.h"

#include <array>
#include <atomic>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tests/dataplane/transport/sharers.h"

namespace godwit::transport {
namespace {

constexpr BitRate kCap = BitRate::bps(100'000'000);

Instant sharers_ms(std::int64_t ms) {
  return Instant::from_ns(5'000'000'000 + ms * 1'000'000);
}

TEST(SharedCap, LetsAWorkerThatIsAloneSendAsIfTheCapWereItsOwn) {
  Sharers workers(kCap, 4);
  LinkShaper alone(kCap);
  Instant now = sharers_ms(0);
  for (int train = 0; train < 1'000; ++train) {
    ASSERT_EQ(workers.shapers[2].ready_at(), alone.ready_at()) << train;
    now = std::max(now, alone.ready_at());
    const bool has_waited = train % 20 != 0;
    const std::size_t packets = 1 + static_cast<std::size_t>(train) % 4;
    ASSERT_TRUE(workers.send(2, now, packets, has_waited));
    alone.charge(now, packets * Sharers::kPacket, has_waited);
  }
}

TEST(SharedCap, IsSharedEvenlyByWorkersThatAreAllBusy) {
  for (const std::uint32_t count : {2U, 4U}) {
    Sharers workers(kCap, count);
    std::vector<std::size_t> all;
    for (std::size_t worker = 0; worker < count; ++worker) {
      all.push_back(worker);
    }
    workers.run(all, sharers_ms(0), sharers_ms(1'000));
    for (const std::size_t worker : all) {
      EXPECT_NEAR(workers.share(worker, sharers_ms(0), sharers_ms(1'000)), 1.0 / count, 0.02);
    }
    EXPECT_LE(workers.excess_max(), workers.burst_max());
  }
}

TEST(SharedCap, PassesOnWhatAnIdleWorkerDoesNotUseAndGivesItBackAtOnce) {
  Sharers workers(kCap, 2);
  workers.run({0}, sharers_ms(0), sharers_ms(500));
  workers.run({0, 1}, sharers_ms(500), sharers_ms(1'000));
  workers.run({1}, sharers_ms(1'000), sharers_ms(1'500));
  EXPECT_NEAR(workers.share(0, sharers_ms(0), sharers_ms(500)), 1.0, 0.02);
  EXPECT_NEAR(workers.share(0, sharers_ms(500), sharers_ms(1'000)), 0.5, 0.02);
  EXPECT_NEAR(workers.share(1, sharers_ms(500), sharers_ms(550)), 0.5, 0.06);
  EXPECT_NEAR(workers.share(1, sharers_ms(1'000), sharers_ms(1'500)), 1.0, 0.02);
  EXPECT_LE(workers.excess_max(), workers.burst_max());
}

TEST(SharedCap, IsKeptByWorkersWhoseLinkTakesAPath) {
  Sharers workers(kCap, 2);
  const port::Peer own = port::Peer::parse("192.0.2.1:1").value();
  for (LinkShaper& shaper : workers.shapers) {
    shaper.use_path(own, port::Peer::parse("192.0.2.2:1").value());
  }
  workers.run({0, 1}, sharers_ms(0), sharers_ms(1'000));
  EXPECT_NEAR(workers.share(0, sharers_ms(0), sharers_ms(1'000)), 0.5, 0.02);
  EXPECT_LE(workers.excess_max(), workers.burst_max());
}

TEST(SharedCap, PassesOnWhatSomeDoNotUseToAllWhoAreBusy) {
  Sharers workers(kCap, 4);
  workers.run({1, 2}, sharers_ms(0), sharers_ms(1'000));
  const double first = workers.share(1, sharers_ms(0), sharers_ms(1'000));
  const double second = workers.share(2, sharers_ms(0), sharers_ms(1'000));
  EXPECT_NEAR(first + second, 1.0, 0.02);
  EXPECT_GE(first, 0.25);
  EXPECT_GE(second, 0.25);
  EXPECT_LE(workers.excess_max(), workers.burst_max());
}

TEST(SharedCap, GivesALateWorkerItsPartBesideOneThatNeverSleeps) {
  Sharers workers(kCap, 2);
  workers.run(
      {1}, sharers_ms(-500), sharers_ms(0));  // what nobody else wanted is not held against it
  Instant wakes = sharers_ms(0);
  for (Instant now = sharers_ms(0); now < sharers_ms(1'000); now += Duration::us(10)) {
    while (workers.send(0, now)) {
    }
    if (now >= wakes) {
      while (workers.send(1, now)) {
      }
      wakes = workers.shapers[1].ready_at() + Duration::ms(3);
    }
  }
  EXPECT_GE(workers.share(1, sharers_ms(0), sharers_ms(1'000)), 0.48);
  EXPECT_GE(workers.share(0, sharers_ms(0), sharers_ms(1'000)), 0.48);
  EXPECT_LE(workers.excess_max(), workers.burst_max());
}

TEST(SharedCap, IsPlannedWithAsTheOthersLeaveIt) {
  Sharers workers(kCap, 2);
  const auto planned = [&](std::size_t worker) {
    return static_cast<double>(workers.shapers[worker].expected().bits_per_second());
  };
  EXPECT_EQ(planned(0), 48.5e6) << "nothing is known yet";
  workers.shapers[1].on_arrival(sharers_ms(0), {.rtt = Duration::ms(30)});
  workers.run({0}, sharers_ms(0), sharers_ms(500));
  workers.shapers[1].on_arrival(sharers_ms(500), {.rtt = Duration::ms(30)});
  EXPECT_EQ(planned(0), 97e6);
  EXPECT_EQ(planned(1), 48.5e6);
  workers.run({0, 1}, sharers_ms(500), sharers_ms(1'000));
  EXPECT_NEAR(planned(0), 48.5e6, 2e6);
  EXPECT_NEAR(planned(1), 48.5e6, 2e6);
  workers.run({1}, sharers_ms(1'000), sharers_ms(1'300));
  EXPECT_EQ(planned(1), 97e6);
  // A fifth of it is taken.
  for (std::int64_t ms = 1'300; ms < 1'700; ms += 1) {
    workers.run({1}, sharers_ms(ms), sharers_ms(ms + 1));
    if (ms % 5 == 0) {
      workers.shapers[0].charge(sharers_ms(ms), 12'125, false);
    }
  }
  EXPECT_NEAR(planned(1), 0.8 * 97e6, 3e6);
}

TEST(SharedCap, OfALinkThatYieldsIsTakenInStepsOfTheParts) {
  Sharers workers(BitRate::mbps(20), 4);
  LinkShaper& shaper = workers.shapers[0];
  shaper.set_yields(Yields::kAll);
  const auto arrive = [&](std::int64_t ms, Duration rtt) {
    shaper.on_arrival(sharers_ms(ms), {.rtt = rtt});
    return static_cast<double>(shaper.rate().bits_per_second());
  };
  arrive(0, Duration::ms(40));
  for (std::int64_t ms = 50; ms < 10'000; ms += 50) {
    arrive(ms, Duration::ms(140));
  }
  const double least = arrive(10'000, Duration::ms(140));
  EXPECT_NEAR(least, 19.4e6 / 4 * 0.02, 1e3);
  EXPECT_NEAR(arrive(10'300, Duration::ms(40)) - least, 19.4e6 / 4 * 0.01, 1e3);
  for (std::int64_t ms = 10'400; ms < 60'000; ms += 50) {
    arrive(ms, Duration::ms(40));
  }
  EXPECT_EQ(shaper.rate(), BitRate::mbps(19.4)) << "what the others leave";
}

// More threads than cores, so that some are interrupted in the middle wherever this runs.
TEST(SharedCap, BooksEveryTrainOfEveryThread) {
  constexpr std::int64_t kThreads = 8;
  constexpr std::int64_t kTrains = 1'000'000;
  SharedCap shared(BitRate::bps(10'000'000'000), kThreads);
  std::atomic<int> ready{0};
  std::vector<std::thread> threads;
  for (std::int64_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      ++ready;
      while (ready < kThreads) {
        std::this_thread::yield();
      }
      for (std::int64_t train = 0; train < kTrains; ++train) {
        shared.book(Instant::from_ns(0), 97);  // 80 ns at 9.7 Gbit/s
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(shared.sent(), kThreads * kTrains * 97U);
  EXPECT_EQ(shared.ready_at(), Instant::from_ns(kThreads * kTrains * 80));
}

// Two threads that never wait. Their time is what both have read of it so far, in steps of 1 µs.
TEST(SharedCap, LosesNothingAndPassesNothingMoreBetweenThreads) {
  constexpr std::int64_t kSteps = 400'000;
  Sharers workers(kCap, 2);
  std::atomic<std::int64_t> steps{0};
  std::array<std::uint64_t, 2> sent{};
  const auto work = [&](std::size_t worker) {
    LinkShaper& shaper = workers.shapers[worker];
    for (;;) {
      const std::int64_t step = steps.fetch_add(1, std::memory_order_relaxed);
      if (step >= kSteps) {
        return;
      }
      const Instant now = Instant::from_ns(step * 1'000);
      if (shaper.allows(now)) {
        const std::uint64_t bytes = shaper.train_packets(Sharers::kPacket) * Sharers::kPacket;
        shaper.charge(now, bytes, true);
        sent.at(worker) += bytes;
      }
    }
  };
  std::thread other([&] { work(1); });
  work(0);
  other.join();
  const std::uint64_t both = sent[0] + sent[1];
  EXPECT_EQ(workers.shared.sent(), both);
  // 400 ms of 97 Mbit/s.
  EXPECT_LE(static_cast<double>(both),
            4'850'000 + workers.burst_max() + 2 * static_cast<double>(workers.train_bytes()));
  EXPECT_GE(both, 4'700'000U);
}

}  // namespace
}  // namespace godwit::transport

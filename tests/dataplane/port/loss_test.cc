#include "dataplane/port/with/loss.h"

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "dataplane/port/loop/network.h"

namespace godwit::port {
namespace {

const Peer kLossyA = Peer::v4({10, 0, 0, 1}, 1);
const Peer kLossyB = Peer::v4({10, 0, 0, 2}, 2);
constexpr std::size_t kBytes = 100;
constexpr Instant kNow = Instant::from_ns(1000);

// A perfect network; what is lost is lost by a's decorator.
class LossTest : public ::testing::Test {
 protected:
  void lose(const LossChannel& sent, const LossChannel& received, std::uint64_t seed = 7) {
    a_.reset();
    a_ = std::make_unique<LossPort>(network_.open(kLossyA), sent, received, seed);
  }

  // Trains of `train` datagrams, numbered through in their first four bytes; the last datagram of
  // a train is shorter.
  static void send(Port& from, const Peer& to, std::uint32_t count, std::uint32_t train) {
    for (std::uint32_t first = 0; first < count; first += train) {
      std::vector<std::byte> bytes(train * kBytes - 10);
      for (std::uint32_t index = 0; index < train; ++index) {
        const std::uint32_t number = first + index;
        std::copy_n(reinterpret_cast<const std::byte*>(&number),
                    sizeof(number),
                    bytes.begin() + index * kBytes);
      }
      const Train one{.peer = to, .segment_bytes = kBytes, .bytes = bytes};
      EXPECT_EQ(from.transmit(kNow, {&one, 1}), 1U);
    }
  }

  static std::vector<std::uint32_t> numbers(Port& at) {
    std::vector<std::uint32_t> found;
    std::array<Train, 8> out{};
    for (std::size_t count = at.receive(kNow, out); count > 0; count = at.receive(kNow, out)) {
      for (std::size_t index = 0; index < count; ++index) {
        const Train& train = out[index];
        for (std::size_t place = 0; place < train.bytes.size(); place += train.segment_bytes) {
          std::uint32_t number = 0;
          std::copy_n(
              train.bytes.data() + place, sizeof(number), reinterpret_cast<std::byte*>(&number));
          found.push_back(number);
        }
      }
      at.release({out.data(), count});
    }
    return found;
  }

  Random random_{1};
  LoopNetwork network_{random_};
  std::unique_ptr<Port> b_ = network_.open(kLossyB);
  std::unique_ptr<LossPort> a_;
};

TEST_F(LossTest, LosesNothingUnlessAsked) {
  lose({}, {});
  send(*a_, kLossyB, 100, 10);
  EXPECT_EQ(numbers(*b_).size(), 100U);
  send(*b_, kLossyA, 100, 10);
  EXPECT_EQ(numbers(*a_).size(), 100U);
  EXPECT_EQ(a_->sent().lost + a_->received().lost, 0U);
}

TEST_F(LossTest, LosesTheShareItWasToldWhenSending) {
  lose({.loss_good = 0.1}, {});
  send(*a_, kLossyB, 10'000, 20);
  const auto arrived = numbers(*b_);
  // 10,000 draws: 9,000 expected, standard deviation 30.
  EXPECT_NEAR(static_cast<double>(arrived.size()), 9000.0, 5 * 30.0);
  EXPECT_EQ(a_->sent().offered, 10'000U);
  EXPECT_EQ(a_->sent().lost, 10'000U - arrived.size());
  EXPECT_EQ(a_->received().offered, 0U);
  // What arrives is what was sent, in its order.
  EXPECT_TRUE(std::is_sorted(arrived.begin(), arrived.end()));
}

TEST_F(LossTest, LosesTheShareItWasToldWhenReceiving) {
  lose({}, {.loss_good = 0.3});
  send(*b_, kLossyA, 10'000, 20);
  const auto arrived = numbers(*a_);
  // 7,000 expected, standard deviation 46.
  EXPECT_NEAR(static_cast<double>(arrived.size()), 7000.0, 5 * 46.0);
  EXPECT_EQ(a_->received().lost, 10'000U - arrived.size());
}

TEST_F(LossTest, LosesAllOfItAndStillTakesAndReleases) {
  lose({.loss_good = 1.0}, {.loss_good = 1.0});
  send(*a_, kLossyB, 100, 10);
  EXPECT_TRUE(numbers(*b_).empty());
  send(*b_, kLossyA, 100, 10);
  EXPECT_TRUE(numbers(*a_).empty());
}

// Losses come in bursts of 1 / to_good datagrams, and in all they are what the chain says.
TEST_F(LossTest, LosesInBursts) {
  const LossChannel channel{.loss_good = 0.0, .loss_bad = 1.0, .to_bad = 0.01, .to_good = 0.25};
  EXPECT_NEAR(channel.mean(), 0.01 / 0.26, 1e-12);
  lose(channel, {});
  constexpr std::uint32_t kCount = 100'000;
  send(*a_, kLossyB, kCount, 50);
  const auto arrived = numbers(*b_);
  std::uint32_t next = 0;
  std::uint32_t bursts = 0;
  for (const std::uint32_t number : arrived) {
    bursts += number != next ? 1 : 0;
    next = number + 1;
  }
  const double lost = kCount - static_cast<double>(arrived.size());
  // About 960 bursts of 4: their count deviates by 3 %, the sum by 4.5 %.
  EXPECT_NEAR(lost / kCount, channel.mean(), 5 * 0.045 * channel.mean());
  EXPECT_NEAR(lost / bursts, 4.0, 0.7);
}

TEST_F(LossTest, IndependentLossesHaveNoBursts) {
  lose({.loss_good = 0.04}, {});
  send(*a_, kLossyB, 100'000, 50);
  const auto arrived = numbers(*b_);
  std::uint32_t next = 0;
  std::uint32_t bursts = 0;
  for (const std::uint32_t number : arrived) {
    bursts += number != next ? 1 : 0;
    next = number + 1;
  }
  EXPECT_NEAR((100'000.0 - static_cast<double>(arrived.size())) / bursts, 1.0 / 0.96, 0.1);
}

TEST_F(LossTest, EqualSeedsLoseTheSame) {
  const LossChannel channel{.loss_good = 0.05, .to_bad = 0.02};
  std::vector<std::vector<std::uint32_t>> runs;
  for (const std::uint64_t seed : {11U, 11U, 12U}) {
    lose(channel, {}, seed);
    send(*a_, kLossyB, 1000, 10);
    runs.push_back(numbers(*b_));
  }
  EXPECT_EQ(runs[0], runs[1]);
  EXPECT_NE(runs[0], runs[2]);
}

// A shortened train goes back to the port as the port lent it.
TEST_F(LossTest, GivesBackWhatThePortLent) {
  struct Strict final : Port {
    std::array<std::byte, 3 * kBytes> memory{};
    std::size_t lent = 0;
    Capabilities capabilities() const override { return {.train_bytes_max = 65'000}; }
    Peer local() const override { return kLossyA; }
    std::size_t receive(Instant, std::span<Train> out) override {
      if (lent == 1) {
        return 0;
      }
      lent = 1;
      out[0] = {.peer = kLossyB, .segment_bytes = kBytes, .bytes = memory};
      return 1;
    }
    void release(std::span<const Train> trains) override {
      EXPECT_EQ(trains.size(), 1U);
      EXPECT_EQ(trains[0].bytes.data(), memory.data());
      EXPECT_EQ(trains[0].bytes.size(), memory.size());
      lent = 0;
    }
    std::size_t transmit(Instant, std::span<const Train>) override { return 0; }
    void wait(Duration) override {}
    void wake() override {}
    void watch(int) override {}
    void unwatch(int) override {}
    Counters counters() const override { return {}; }
  };
  auto strict = std::make_unique<Strict>();
  Strict& port = *strict;
  LossPort loss(std::move(strict), {}, {.loss_good = 0.5}, 3);
  std::size_t kept = 0;
  for (int round = 0; round < 100; ++round) {
    std::array<Train, 4> out{};
    const std::size_t count = loss.receive(kNow, out);
    for (std::size_t index = 0; index < count; ++index) {
      kept += out[index].bytes.size() / kBytes;
    }
    loss.release({out.data(), count});
    EXPECT_EQ(port.lent, 0U);
  }
  EXPECT_GT(kept, 0U);
  // A port that takes nothing: the caller is told.
  std::array<std::byte, kBytes> bytes{};
  const Train train{.peer = kLossyB, .segment_bytes = kBytes, .bytes = bytes};
  LossPort busy(std::make_unique<Strict>(), {}, {}, 3);
  EXPECT_EQ(busy.transmit(kNow, {&train, 1}), 0U);
}

}  // namespace
}  // namespace godwit::port

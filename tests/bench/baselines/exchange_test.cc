// The baselines between sites in one process over loopback: every delta arrives, once.
#include <cmath>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "bench/baselines/delay_line.h"
#include "bench/baselines/frame.h"
#include "bench/baselines/tcp_async.h"
#include "bench/baselines/tcp_bsp.h"
#include "dataplane/base/system_time.h"

namespace godwit::baselines {
namespace {

constexpr std::size_t kElements = 50'000;
constexpr std::size_t kSites = 3;

MeshOptions mesh_options(std::size_t site, unsigned first_port) {
  MeshOptions options;
  options.site = site;
  options.congestion_control = "cubic";
  for (std::size_t i = 0; i < kSites; ++i) {
    options.addresses.push_back("127.0.0.1:" + std::to_string(first_port + i));
  }
  return options;
}

// A port range of this test process: tests run beside one another.
unsigned first_port() {
  static unsigned next = 20'000 + static_cast<unsigned>(getpid()) % 10'000;
  next += kSites;
  return next;
}

using Make = std::function<std::unique_ptr<trainer::Exchange>(std::size_t site)>;

// Every site publishes `steps` deltas of (site + 1) in every element, then collects until it has
// what the others published or two seconds have passed. Returns the first and the last element of
// each.
std::vector<std::pair<float, float>> run_sites(const Make& make, std::uint64_t steps) {
  std::vector<std::pair<float, float>> out(kSites);
  std::vector<std::thread> threads;
  for (std::size_t site = 0; site < kSites; ++site) {
    threads.emplace_back([&, site] {
      const auto exchange = make(site);
      ASSERT_TRUE(exchange->connect(system_now() + Duration::seconds(10)));
      std::vector<float> parameters(kElements, 0.0F);
      const std::vector<float> delta(kElements, static_cast<float>(site + 1));
      const float expected = static_cast<float>((1 + 2 + 3 - (site + 1)) * steps);
      for (std::uint64_t step = 1; step <= steps; ++step) {
        ASSERT_TRUE(exchange->publish(step, delta));
        ASSERT_TRUE(exchange->collect(step, parameters));
      }
      const Instant deadline = system_now() + Duration::seconds(5);
      while (!exchange->lockstep() && system_now() < deadline &&
             (parameters.front() < expected || parameters.back() < expected)) {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
        ASSERT_TRUE(exchange->collect(steps, parameters));
      }
      out[site] = {parameters.front(), parameters.back()};
      // Nobody leaves before everybody has read: a closed connection is an error to the others.
      std::this_thread::sleep_for(std::chrono::milliseconds(300));
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  return out;
}

void expect_all_arrived(const std::vector<std::pair<float, float>>& got, std::uint64_t steps) {
  for (std::size_t site = 0; site < kSites; ++site) {
    const float expected = static_cast<float>((6 - (site + 1)) * steps);
    EXPECT_FLOAT_EQ(got[site].first, expected) << site;
    EXPECT_FLOAT_EQ(got[site].second, expected) << site;
  }
}

TEST(TcpAsync, EveryDeltaArrivesOnceHoweverItWasMerged) {
  const unsigned port = first_port();
  expect_all_arrived(run_sites(
                         [port](std::size_t site) {
                           return std::make_unique<TcpAsync>(mesh_options(site, port), kElements);
                         },
                         40),
                     40);
}

TEST(TcpBsp, EveryRoundHasEverybodysSum) {
  const unsigned port = first_port();
  expect_all_arrived(run_sites(
                         [port](std::size_t site) {
                           return std::make_unique<TcpBsp>(
                               mesh_options(site, port), kElements, 5, [] { return false; });
                         },
                         20),
                     20);
}

TEST(TcpBsp, WhatIsNotAWholeRoundIsNotExchanged) {
  const unsigned port = first_port();
  expect_all_arrived(run_sites(
                         [port](std::size_t site) {
                           return std::make_unique<TcpBsp>(
                               mesh_options(site, port), kElements, 8, [] { return false; });
                         },
                         15),
                     8);
}

class DelayLineTest : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directory(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("godwit-line-" + std::to_string(getpid()));
};

TEST_F(DelayLineTest, EveryDeltaArrivesOnce) {
  expect_all_arrived(run_sites(
                         [this](std::size_t site) {
                           DelayLineOptions options;
                           options.site = site;
                           options.delays.assign(kSites, Duration::ms(20));
                           options.folder = folder_.string();
                           return std::make_unique<DelayLine>(options, kElements);
                         },
                         12),
                     12);
}

TEST_F(DelayLineTest, NothingArrivesBeforeTheDelayHasPassed) {
  const auto make = [this](std::size_t site) {
    DelayLineOptions options;
    options.site = site;
    options.delays.assign(2, Duration::ms(150));
    options.folder = folder_.string();
    return std::make_unique<DelayLine>(options, kElements);
  };
  const auto from = make(0);
  const auto to = make(1);
  std::thread other([&] { ASSERT_TRUE(from->connect(system_now() + Duration::seconds(5))); });
  ASSERT_TRUE(to->connect(system_now() + Duration::seconds(5)));
  other.join();
  std::vector<float> parameters(kElements, 0.0F);
  const Instant published = system_now();
  ASSERT_TRUE(from->publish(1, std::vector<float>(kElements, 1.0F)));
  while (parameters[0] == 0.0F && system_now() - published < Duration::seconds(3)) {
    ASSERT_TRUE(to->collect(1, parameters));
  }
  EXPECT_EQ(parameters[0], 1.0F);
  EXPECT_GE(system_now() - published, Duration::ms(150));
}

TEST(FrameReader, TakesAFrameApartWhereverTheReadsEnd) {
  std::vector<float> values = {1.5F, -2.25F, 3.0F};
  const FrameHeader header = {.magic = kFrameMagic, .count = 3, .number = 7};
  std::vector<std::byte> wire(sizeof header + 12);
  std::memcpy(wire.data(), &header, sizeof header);
  std::memcpy(wire.data() + sizeof header, values.data(), 12);
  for (std::size_t cut = 1; cut < wire.size(); ++cut) {
    FrameReader reader(3);
    std::vector<float> got(3, 0.0F);
    const auto add = [&](std::size_t first, std::span<const float> part) {
      std::copy(part.begin(), part.end(), got.begin() + static_cast<std::ptrdiff_t>(first));
    };
    ASSERT_TRUE(reader.feed(std::span(wire).first(cut), false, add));
    ASSERT_TRUE(reader.feed(std::span(wire).subspan(cut), false, add));
    EXPECT_EQ(got, values) << cut;
    EXPECT_EQ(reader.frames(), 1U);
    EXPECT_EQ(reader.number(), 7U);
  }
}

TEST(FrameReader, RefusesAnotherSizeAndAnotherMagicNumber) {
  const auto ignore = [](std::size_t, std::span<const float>) {};
  for (const FrameHeader& header : {FrameHeader{.magic = kFrameMagic, .count = 4, .number = 1},
                                    FrameHeader{.magic = 1, .count = 3, .number = 1}}) {
    FrameReader reader(3);
    const auto bytes = std::as_bytes(std::span(&header, 1));
    EXPECT_EQ(reader.feed(bytes, false, ignore).error().code, Code::kCorrupt);
  }
}

}  // namespace
}  // namespace godwit::baselines

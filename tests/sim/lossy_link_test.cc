// Two real gateways, QUIC between them, and a scarce link that loses packets: what training has
// left behind must leave at the link's rate once it ends, not at a fraction of it.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "dataplane/base/log.h"
#include "tests/sim/simulator.h"
#include "tests/sim/two_sites.h"

namespace godwit::sim {
namespace {

constexpr std::uint64_t kElements = 65'536;  // two tiles
constexpr std::uint64_t kMagnitude = 1 << 20;
constexpr BitRate kRate = BitRate::mbps(1);
constexpr Duration kDelay = Duration::ms(20);

Scenario train_and_stop(double loss) {
  Scenario scenario =
      two_training_sites({.delay = kDelay, .rate = kRate, .jitter = {}, .loss = loss},
                         {.elements = kElements,
                          .magnitude = kMagnitude,
                          .to_gateway_bytes = std::size_t{1} << 20U,
                          .to_client_bytes = std::size_t{1} << 21U});
  scenario.heal = scenario.begin + Duration::seconds(8);
  return scenario;
}

// The sum of n publishes of values up to m has some log2(m) + log2(n) / 2 bits an element: 23 for
// these. A third is for the link's 97 %, headers, what is lost, and round trips.
Duration drained_within() {
  return kRate.time_for(Bytes(kElements * 23 / 8 * 4 / 3)) + Duration::ms(500);
}

TEST(LossyLink, WhatIsLeftWhenTrainingEndsLeavesAtTheLinksRate) {
  log::set_level(log::Level::kOff);
  for (const double loss : {0.0, 0.01, 0.03}) {
    const RunResult result = Simulator(train_and_stop(loss)).run();
    EXPECT_TRUE(result.violations.empty()) << result.violations.front();
    fmt::print("equal sums {} ms after the last publish, {} % lost; at the link's rate {} ms\n",
               result.settle_time.count_ms(),
               loss * 100,
               drained_within().count_ms());
    EXPECT_LE(result.settle_time, drained_within());
  }
}

}  // namespace
}  // namespace godwit::sim

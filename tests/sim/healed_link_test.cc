// Two real gateways, QUIC between them, and a link that is cut for half a minute again and again:
// how long after it healed have changes passed both ways?
#include <algorithm>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "dataplane/base/log.h"
#include "tests/sim/simulator.h"
#include "tests/sim/two_sites.h"

namespace godwit::sim {
namespace {

constexpr int kCuts = 6;
constexpr Duration kCut = Duration::seconds(30);

// Each cut ends at another phase of the dials.
Scenario cut_again_and_again(Duration delay, BitRate rate) {
  Scenario scenario = two_training_sites({.delay = delay, .rate = rate, .jitter = {}, .loss = 0},
                                         {.elements = 4'000,
                                          .magnitude = 1 << 10,
                                          .to_gateway_bytes = std::size_t{1} << 16U,
                                          .to_client_bytes = std::size_t{1} << 18U});
  scenario.heal = scenario.begin + Duration::seconds(3);
  for (int i = 0; i < kCuts; ++i) {
    Fault cut;
    cut.at = scenario.heal;
    cut.b = 1;
    cut.lasts = kCut + Duration::ms(170 * i);
    scenario.faults.push_back(cut);
    scenario.heal = cut.at + cut.lasts + Duration::seconds(5);
  }
  return scenario;
}

void expect_carried(Duration delay, BitRate rate, Duration promised) {
  const RunResult result = Simulator(cut_again_and_again(delay, rate)).run();
  EXPECT_TRUE(result.violations.empty()) << result.violations.front();
  ASSERT_EQ(result.carried_after.size(), std::size_t{kCuts});
  for (const Duration after : result.carried_after) {
    fmt::print("carried both ways {} ms after it healed; promised {} ms\n",
               after.count_ms(),
               promised.count_ms());
    EXPECT_LE(after, promised);
  }
}

Duration second_and(int round_trips, Duration delay) {
  return Duration::ms(1000) + delay * (2 * round_trips);
}

TEST(HealedLink, CarriesChangesBothWaysWithinASecondAndTwoRoundTrips) {
  log::set_level(log::Level::kOff);
  for (const Duration delay : {Duration::ms(1), Duration::us(36'500), Duration::ms(164)}) {
    expect_carried(delay, BitRate::mbps(16), second_and(2, delay));
  }
}

}  // namespace
}  // namespace godwit::sim

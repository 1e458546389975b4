// Two real gateways, QUIC between them, and a scarce link that loses packets: what training has
// left behind must leave at the link's rate once it ends, not at a fraction of it.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "dataplane/base/log.h"
#include "tests/sim/simulator.h"

namespace godwit::sim {
namespace {

constexpr std::uint64_t kElements = 65'536;  // two tiles
constexpr std::uint64_t kMagnitude = 1 << 20;
constexpr BitRate kRate = BitRate::mbps(1);
constexpr Duration kDelay = Duration::ms(20);

ClientDraw busy_trainer(std::size_t site) {
  ClientDraw client;
  client.site = site;
  client.publishes = client.subscribes = client.named = true;
  client.publishes_max = 60;
  client.unsafe_max = 4;
  client.period = Duration::ms(200);
  client.dense = 1.0;
  client.magnitude = kMagnitude;
  client.to_gateway_bytes = std::size_t{1} << 20U;
  client.to_client_bytes = std::size_t{1} << 21U;
  return client;
}

Scenario train_and_stop(double loss) {
  Scenario scenario;
  scenario.options = {.seed = 1, .level = Level::kQuic, .sites = 2};
  scenario.sites = {"ams", "bom"};
  scenario.links.assign(4, LinkDraw{.delay = kDelay, .rate = kRate, .jitter = {}, .loss = loss});
  TopicDraw& topic = scenario.topics.emplace_back();
  topic.name = "model";
  topic.element_count = kElements;
  topic.fraction_bits = 20;
  scenario.clients = {busy_trainer(0), busy_trainer(1)};
  scenario.begin = Instant::from_ns(1'000'000'000);
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

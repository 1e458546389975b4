// Real gateways on a simulated wide area network: many seeds, no violation.
//
// A ctest entry runs a share of the seeds: `--share=I/N` and `--seeds=COUNT` for all shares
// together. GODWIT_LENGTH=full makes it ten times as many.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "dataplane/base/log.h"
#include "tests/sim/campaign.h"

namespace godwit::sim {
namespace {

struct Share {
  std::uint64_t index = 0;
  std::uint64_t count = 1;
  std::uint64_t seeds = 40;
  int level = 1;
};
Share g_share;

CampaignOptions share_options() {
  const char* length = std::getenv("GODWIT_LENGTH");
  const std::uint64_t factor = length != nullptr && std::string_view(length) == "full" ? 10 : 1;
  const std::uint64_t each = g_share.seeds * factor / g_share.count;
  CampaignOptions options;
  options.level = g_share.level == 2 ? Level::kQuic : Level::kStub;
  options.first_seed = 1 + g_share.index * each;
  options.seeds = each;
  return options;
}

TEST(Simulation, ComesToEqualAndExactSumsWhateverFails) {
  const CampaignOptions options = share_options();
  const CampaignResult result = run_campaign(options);
  fmt::print("{}\n", summary(options, result));
  fmt::print("count: level-{} seeds {}\n", static_cast<int>(options.level), result.seeds);
  EXPECT_EQ(result.violated, 0U);
  EXPECT_GT(result.publishes, options.seeds);
  EXPECT_GT(result.crashes, options.seeds / 8) << "the faults are not what they claim to be";
  EXPECT_GT(result.departures + result.narrowings, options.seeds / 16);
}

TEST(Simulation, RepeatsASeedToTheLastEvent) {
  const CampaignOptions options = share_options();
  for (std::uint64_t i = 0; i < 3; ++i) {
    const RunOptions run{.seed = options.first_seed + i, .level = options.level};
    const RunResult one = run_on_fresh_thread(run);
    const RunResult other = run_on_fresh_thread(run);
    EXPECT_EQ(one.hash, other.hash) << command(run);
    EXPECT_EQ(one.events, other.events) << command(run);
    EXPECT_GT(one.events, 0U);
  }
}

TEST(Simulation, TellsTwoSeedsApart) {
  const CampaignOptions options = share_options();
  const RunResult one = run_on_fresh_thread({.seed = options.first_seed, .level = options.level});
  const RunResult other =
      run_on_fresh_thread({.seed = options.first_seed + 1, .level = options.level});
  EXPECT_NE(one.hash, other.hash);
}

}  // namespace
}  // namespace godwit::sim

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; ++i) {
    auto& share = godwit::sim::g_share;
    unsigned long long a = 0;
    unsigned long long b = 0;
    if (std::sscanf(argv[i], "--share=%llu/%llu", &a, &b) == 2 && b > 0) {
      share.index = a;
      share.count = b;
    } else if (std::sscanf(argv[i], "--seeds=%llu", &a) == 1) {
      share.seeds = a;
    } else if (std::sscanf(argv[i], "--level=%llu", &a) == 1) {
      share.level = static_cast<int>(a);
    }
  }
  godwit::log::set_level(godwit::log::Level::kOff);
  return RUN_ALL_TESTS();
}

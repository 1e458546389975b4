// Every rule of the protocol is switched off once: the simulator must notice within a stated number
// of seeds, or it would not notice a mistake of ours either.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "dataplane/base/log.h"
#include "tests/sim/campaign.h"

namespace godwit::sim {
namespace {

// At most so many seeds until a broken rule shows; README.md has what each takes.
constexpr std::uint64_t kSeedsMax = 100;

TEST(Mutants, AreAllKilledWithinAHundredSeeds) {
  log::set_level(log::Level::kOff);
  const int last = static_cast<int>(Mutant::kCount);
  int killed = 0;
  for (int i = 1; i < last; ++i) {
    CampaignOptions options;
    options.mutant = static_cast<Mutant>(i);
    options.seeds = kSeedsMax;
    options.stop_at_first = true;
    const CampaignResult result = run_campaign(options);
    EXPECT_EQ(result.violated, 1U) << name(options.mutant) << " survived " << kSeedsMax << " seeds";
    killed += result.violated > 0 ? 1 : 0;
    const std::string& report = result.report;
    const std::size_t from = std::min(report.find('\n'), report.size());
    fmt::print("{:28} seed {:3}{}\n",
               name(options.mutant),
               result.first_violated,
               report.substr(from, report.find('\n', from + 1) - from).substr(1, 110));
  }
  fmt::print("count: mutants killed {} of {}\n", killed, last - 1);
}

}  // namespace
}  // namespace godwit::sim

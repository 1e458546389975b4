#include "tests/sim/campaign.h"

#include <algorithm>
#include <cstdio>
#include <thread>

#include <fmt/format.h>

namespace godwit::sim {

RunResult run_on_fresh_thread(const RunOptions& options) {
  RunResult result;
  std::thread thread([&] { result = run_seed(options); });
  thread.join();
  return result;
}

CampaignResult run_campaign(const CampaignOptions& options) {
  CampaignResult sum;
  for (std::uint64_t i = 0; i < options.seeds; ++i) {
    const RunOptions run{.seed = options.first_seed + i,
                         .level = options.level,
                         .mutant = options.mutant,
                         .sites = options.sites};
    if (options.verbose) {
      fmt::print("{}", describe(draw_scenario(run)));
      std::fflush(stdout);
    }
    const RunResult result = run_on_fresh_thread(run);
    ++sum.seeds;
    sum.crashes += result.crashes;
    sum.client_crashes += result.client_crashes;
    sum.departures += result.departures;
    sum.narrowings += result.narrowings;
    sum.cuts += result.cuts;
    sum.losses += result.losses;
    sum.publishes += result.publishes;
    sum.clocks_reached += result.clocks_reached;
    sum.turns += result.turns;
    sum.virtual_time += result.virtual_time;
    sum.settle_max = std::max(sum.settle_max, result.settle_time);
    sum.hash = (sum.hash ^ result.hash) * 0x9e3779b97f4a7c15U;
    if (options.verbose) {
      fmt::print(
          "  hash {:016x} of {} events, {} turns, {} messages, {:.3f} s, settled {:.3f} s after "
          "healing\n",
          result.hash,
          result.events,
          result.turns,
          result.messages,
          result.virtual_time.to_seconds(),
          result.settle_time.to_seconds());
    }
    if (result.violations.empty()) {
      continue;
    }
    sum.first_violated = sum.violated++ == 0 ? run.seed : sum.first_violated;
    sum.report += fmt::format("seed {}:\n", run.seed);
    for (const std::string& violation : result.violations) {
      sum.report += fmt::format("  {}\n", violation);
    }
    sum.report += fmt::format("  repeat it: {}\n", command(run));
    if (options.stop_at_first) {
      break;
    }
  }
  return sum;
}

std::string summary(const CampaignOptions& options, const CampaignResult& result) {
  return fmt::format(
      "{}level {}: {} seeds, {} violations, {} gateway crashes, {} client crashes, {} "
      "departures, {} policies narrowed, {} cuts, {} states lost, {} publishes, {} clocks reached, "
      "{} turns, {:.0f} s of virtual time, settled within "
      "{:.1f} s, hash {:016x}",
      result.report,
      static_cast<int>(options.level),
      result.seeds,
      result.violated,
      result.crashes,
      result.client_crashes,
      result.departures,
      result.narrowings,
      result.cuts,
      result.losses,
      result.publishes,
      result.clocks_reached,
      result.turns,
      result.virtual_time.to_seconds(),
      result.settle_max.to_seconds(),
      result.hash);
}

std::optional<Mutant> find_mutant(std::string_view text) {
  for (int i = 1; i < static_cast<int>(Mutant::kCount); ++i) {
    const auto mutant = static_cast<Mutant>(i);
    if (name(mutant) == text) {
      return mutant;
    }
  }
  return std::nullopt;
}

}  // namespace godwit::sim

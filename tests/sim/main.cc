// godwit-sim: runs seeds of the simulator and says what happened.
//
//   godwit-sim --seed 17 --verbose            one run, with everything that it drew
//   godwit-sim --seeds 2000 [--seed FIRST]    many, and the counts; exit 1 if any was violated
//   godwit-sim --mutant apply-twice           seeds until the broken rule is noticed
#include <chrono>
#include <cstdio>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "dataplane/base/log.h"
#include "tests/sim/campaign.h"

namespace {

int run(int argc, char** argv) {
  godwit::sim::CampaignOptions options;
  std::string mutant;
  int level = 1;
  bool verbose = false;
  CLI::App app{"Real gateways on a simulated wide area network, under virtual time and a seed."};
  app.add_option("--seed", options.first_seed, "The first seed")->capture_default_str();
  app.add_option("--seeds", options.seeds, "How many seeds, from the first on");
  app.add_option("--level", level, "1: simulated sessions, 2: QUIC and TLS")
      ->check(CLI::Range(1, 2))
      ->capture_default_str();
  app.add_option("--sites", options.sites, "How many sites")
      ->check(CLI::Range(2, 8))
      ->capture_default_str();
  app.add_option("--mutant", mutant, "Switch a rule off, by its name");
  app.add_flag("--verbose", verbose, "Print what was drawn, and the gateways' log");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  options.level = level == 1 ? godwit::sim::Level::kStub : godwit::sim::Level::kQuic;
  if (!mutant.empty()) {
    const auto found = godwit::sim::find_mutant(mutant);
    if (!found) {
      fmt::print(stderr, "no mutant is called {}\n", mutant);
      return 2;
    }
    options.mutant = *found;
    options.stop_at_first = true;
    options.seeds = std::max<std::uint64_t>(options.seeds, 1);
  }
  options.verbose = verbose;
  godwit::log::set_level(verbose ? godwit::log::Level::kDebug : godwit::log::Level::kOff);
  const auto begun = std::chrono::steady_clock::now();
  const auto result = godwit::sim::run_campaign(options);
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - begun;
  fmt::print("{}\n", godwit::sim::summary(options, result));
  fmt::print("{:.1f} seeds/s, {:.0f} times real time\n",
             static_cast<double>(result.seeds) / wall.count(),
             result.virtual_time.to_seconds() / wall.count());
  return result.violated == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  return run(argc, argv);
}

// Many seeds in a row, with their counts; what the program and the tests have in common.
//
// Thread: the caller's; each seed runs on a fresh thread of its own.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tests/sim/simulator.h"

namespace godwit::sim {

struct CampaignOptions {
  std::uint64_t first_seed = 1;
  std::uint64_t seeds = 1;
  Level level = Level::kStub;
  Mutant mutant = Mutant::kNone;
  std::size_t sites = 3;
  bool stop_at_first = false;  // violation
  bool verbose = false;
};

struct CampaignResult {
  std::uint64_t seeds = 0;
  std::uint64_t violated = 0;  // seeds
  std::uint64_t first_violated = 0;
  std::string report;  // of violated seeds, with the commands that repeat them
  std::uint64_t crashes = 0;
  std::uint64_t client_crashes = 0;
  std::uint64_t departures = 0;
  std::uint64_t narrowings = 0;
  std::uint64_t cuts = 0;
  std::uint64_t losses = 0;
  std::uint64_t publishes = 0;
  std::uint64_t clocks_reached = 0;
  std::uint64_t turns = 0;
  std::uint64_t hash = 0;  // of all runs
  Duration virtual_time = Duration::zero();
  Duration settle_max = Duration::zero();
};

RunResult run_on_fresh_thread(const RunOptions& options);
CampaignResult run_campaign(const CampaignOptions& options);
// "level 1: 2000 seeds, 0 violations, 1234 gateway crashes, ..."
std::string summary(const CampaignOptions& options, const CampaignResult& result);
std::optional<Mutant> find_mutant(std::string_view text);

}  // namespace godwit::sim

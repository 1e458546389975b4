// The emulator at work: reads the sites' TAP devices, lets the Network decide, writes what is due.
//
// Thread: one, SCHED_FIFO where that is allowed.
// Time: sleeps until something is due or arrives; deliveries within kCoalesce share a wake-up.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/wan/presets.h"
#include "dataplane/base/result.h"
#include "dataplane/base/units.h"

namespace godwit::wan {

// Deliveries may be this late, so that 1 Gbit/s (a packet every 12 us) does not wake the process
// for every packet: measured 60 % of a core instead of 75-80 %.
inline constexpr Duration kCoalesce = Duration::us(30);

struct RunOptions {
  PlanRequest request;
  std::string socket;
  std::string directory;  // empty: no ready.json
  std::uint64_t seed = 1;
  bool unprivileged = false;
  bool die_with_parent = false;
  std::vector<std::string> command;
};

// Runs until SIGTERM, SIGINT or the end of the command; gives the exit status of the process.
Result<int> run(const RunOptions& options);

}  // namespace godwit::wan

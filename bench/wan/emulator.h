// The emulator at work: reads the sites' TAP devices, lets the Network decide, writes what is due.
//
// Thread: one, SCHED_FIFO where that is allowed.
// Time: sleeps until something is due or arrives; when busy, wakes at most every `coalesce_for`
// (the least delay of a link / 20, from 20 to 200 us), because a wake-up costs more than a packet.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/wan/presets.h"
#include "dataplane/base/result.h"
#include "dataplane/base/units.h"

namespace godwit::wan {

struct RunOptions {
  PlanRequest request;
  std::string socket;
  std::string directory;  // empty: no ready.json
  std::uint64_t seed = 1;
  bool unprivileged = false;
  bool die_with_parent = false;
  bool may_sleep = false;  // let idle processors sleep; see KeepAwake
  std::vector<std::string> command;
};

// The least time between two wake-ups of a busy emulator whose shortest link has this delay.
Duration coalesce_for(Duration delay_min);

// Runs until SIGTERM, SIGINT or the end of the command; gives the exit status of the process.
Result<int> run(const RunOptions& options);

}  // namespace godwit::wan

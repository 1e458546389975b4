// Does the emulator keep its word on this machine? ping and iperf3 through real sites.
#pragma once

#include "dataplane/base/result.h"

namespace godwit::wan {

struct SelftestOptions {
  bool json = false;
  bool quick = false;
  bool unprivileged = false;
};

// A measured rate may differ from the set one by this share, and a delay by this much.
inline constexpr double kRateTolerance = 0.02;
inline constexpr double kDelayToleranceMs = 1.0;

// Prints a table or one JSON object; true if every check holds.
Result<bool> selftest(const SelftestOptions& options);

}  // namespace godwit::wan

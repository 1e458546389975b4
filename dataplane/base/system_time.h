// The one place that reads the operating system's clocks and its entropy.
//
// Engines never call these: the edges read the time once a turn and pass it on.
#pragma once

#include <cstdint>

#include "dataplane/base/units.h"

namespace godwit {

// CLOCK_MONOTONIC; never goes backwards.
Instant system_now();

// CLOCK_THREAD_CPUTIME_ID: what this thread has computed; differences only.
Instant system_thread_time();

// Seconds since 1970 (CLOCK_REALTIME): only for certificates, log lines and audit.
std::int64_t system_unix_seconds();

// Nanoseconds since 1970 (CLOCK_REALTIME): only for the timestamps of packet captures.
std::int64_t system_unix_ns();

// Eight bytes of the kernel's entropy (getrandom): seeds and nonces.
std::uint64_t system_entropy();

}  // namespace godwit

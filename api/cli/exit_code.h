// What the exit status of `godwit` says to a script.
#pragma once

#include <cstdint>

namespace godwit::cli {

enum class ExitCode : std::uint8_t {
  kOk = 0,          // answered, and healthy
  kNoAnswer = 1,    // could not ask: no gateway, no permission, connection lost
  kUsage = 2,       // the command line, a configuration or a name in it is wrong
  kUnhealthy = 10,  // answered, and something that was asked about is not as it should be
  kTimeout = 11,    // no answer, or not the awaited one, in the time given
};

}  // namespace godwit::cli

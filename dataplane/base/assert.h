// Assertions about our own code; they stay on in every build.
//
// A failing assertion ends the process: the ledger's state survives a kill at any instant, a
// wrong state would not. Bytes from outside never reach an assertion.
#pragma once

namespace godwit {

[[noreturn]] void assertion_failed(const char* expression,
                                   const char* file,
                                   int line,
                                   const char* message);

}  // namespace godwit

// GODWIT_ASSERT(condition) or GODWIT_ASSERT(condition, "what it means").
#define GODWIT_ASSERT(condition, ...) \
  ((condition) ? static_cast<void>(0) \
               : ::godwit::assertion_failed(#condition, __FILE__, __LINE__, "" __VA_ARGS__))

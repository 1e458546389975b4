// How a site's parameter server gives its deltas to the other sites and gets theirs.
//
// The model at a site is seed + the sum of all deltas that it has seen. After every step the server
// publishes its own delta, which it has already added itself, and collects what has arrived:
//
//   gradient ─▶ delta ─▶ parameters += delta ─▶ publish(step, delta) ─▶ collect(step, parameters)
//
// Thread: one caller; an implementation may have threads of its own behind it.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "dataplane/base/result.h"
#include "dataplane/base/units.h"

namespace godwit::trainer {

class Exchange {
 public:
  Exchange() = default;
  virtual ~Exchange() = default;
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // Returns when this site can reach every other one, or fails at `deadline`.
  virtual Result<void> connect(Instant deadline) = 0;

  // Hands over the delta of step `step` (1, 2, …). `delta` is only read during the call.
  virtual Result<void> publish(std::uint64_t step, std::span<const float> delta) = 0;

  // Adds to `parameters` whatever has arrived from others. A bulk-synchronous exchange waits here
  // until everything of the round is in; no other one waits.
  virtual Result<void> collect(std::uint64_t step, std::span<float> parameters) = 0;

  // True when `collect` may wait for other sites: that time lengthens a step but is not its
  // overrun.
  virtual bool lockstep() const { return false; }

  // What was really used, read back from the system: printed once after `connect`.
  virtual std::string description() const = 0;
};

// No communication at all: the run that every other one must beat.
class Isolated final : public Exchange {
 public:
  Result<void> connect(Instant /*deadline*/) override { return {}; }
  Result<void> publish(std::uint64_t /*step*/, std::span<const float> /*delta*/) override {
    return {};
  }
  Result<void> collect(std::uint64_t /*step*/, std::span<float> /*parameters*/) override {
    return {};
  }
  std::string description() const override { return "no communication"; }
};

}  // namespace godwit::trainer

// Chance and time of day for libraries that ask the system: while a thread has an Entropy, its
// getrandom, clock_gettime and time are functions of a seed and of the virtual clock.
//
// The program that links this file answers these three calls for every library in it; threads
// without an Entropy get the system's own answers.
//
// Thread: each its own.
#pragma once

#include <cstdint>

#include "dataplane/base/random.h"
#include "dataplane/base/units.h"

namespace godwit::sim {

// The simulated day: 2026-01-01, seconds since 1970 UTC.
inline constexpr std::int64_t kToday = 1'767'225'600;

class Entropy {
 public:
  explicit Entropy(std::uint64_t seed);
  ~Entropy();
  Entropy(const Entropy&) = delete;
  Entropy& operator=(const Entropy&) = delete;

  void set_now(Instant now) { now_ = now; }
  Instant now() const { return now_; }
  Random& random() { return random_; }

 private:
  Random random_;
  Instant now_ = Instant::from_ns(1'000'000'000);
};

}  // namespace godwit::sim

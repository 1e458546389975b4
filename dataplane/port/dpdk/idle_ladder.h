// How long a worker sleeps between two looks at an empty receive queue.
//
//   empty looks   1 … 32          33    34    35   …
//   sleep         none (spin)     20 us 40 us 80 us …  2 ms, 2 ms, …
//
// A frame is noticed no later than it took to come, and 2 ms late at most: a busy link never
// waits, an idle one costs below 1 % of a core. A frame brings the ladder back to its foot.
#pragma once

#include <algorithm>
#include <cstdint>

#include "dataplane/base/units.h"

namespace godwit::port {

enum class Idle : std::uint8_t {
  kSleep,  // the ladder
  kSpin,   // never sleep: a core of one's own, the least delay
};

class IdleLadder {
 public:
  // Chosen: some 10 us of looking, what a frame of a busy link takes to come.
  static constexpr int kSpins = 32;
  // Measured: shorter sleeps cost as much as they last.
  static constexpr Duration kSleepMin = Duration::us(20);
  // Measured: 1 ms costs 1 % of a core; 2 ms is below what a path across a continent varies.
  static constexpr Duration kSleepMax = Duration::ms(2);

  explicit IdleLadder(Idle idle) : idle_(idle) {}

  void on_frames() {
    empty_looks_ = 0;
    next_ = kSleepMin;
  }

  // The sleep after one more empty look; zero: look again at once.
  Duration on_empty() {
    if (idle_ == Idle::kSpin) {
      return Duration::zero();
    }
    if (empty_looks_ < kSpins) {
      ++empty_looks_;
      return Duration::zero();
    }
    const Duration sleep = next_;
    next_ = std::min(next_ * 2, kSleepMax);
    return sleep;
  }

 private:
  Idle idle_;
  int empty_looks_ = 0;
  Duration next_ = kSleepMin;
};

}  // namespace godwit::port

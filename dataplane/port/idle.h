// How a worker rests when a turn found nothing: spin, then short sleeps, then wait.
//
//                 found something                 ┌───────────────────────────────┐
//     turn ──────────────────────────▶ credit += │ found × spin_per_item, at most │
//       │ found nothing                          │ spin_max                       │
//       ▼                                        └───────────────────────────────┘
//     credit left ─▶ spin ─▶ nap_min ─▶ 2 × nap_min ─▶ … ─▶ nap_max ─▶ nap_max …
//                            └ or, where what comes ends the sleep: wait at once ┘
//
// Spinning is earned: a burst of packets pays for a while of it, a keep-alive for next to nothing,
// so that a busy worker answers without a wake-up and an idle one costs no processor.
//
// Thread: one worker. Time: passed in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "dataplane/base/result.h"
#include "dataplane/base/units.h"

namespace godwit::port {

enum class IdleMode : std::uint8_t {
  kWait,      // sleeps as soon as a turn found nothing: the least processor time
  kAdaptive,  // spins for a while after a burst
  kSpin,      // never sleeps: a core of its own
};

// "wait", "adaptive", "spin"; kInvalid says so.
Result<IdleMode> parse_idle_mode(std::string_view text);
std::string_view name(IdleMode mode);

struct IdleLadder {
  Duration spin_per_item;  // what one received thing adds to the time of spinning
  Duration spin_max;       // the most of it; Duration::max() spins for ever
  Duration nap_min;        // the first sleep, doubled with every empty turn
  Duration nap_max;        // the longest one; Duration::max(): whatever the caller allows

  // For ports and devices whose `wait` ends when something comes.
  static IdleLadder waiting(IdleMode mode);
  // For those that must be asked again and again: the last step is 2 ms. Chosen: five hundred turns
  // a second cost little, and a WAN does not feel 2 ms after a silence.
  static IdleLadder polling(IdleMode mode);
};

class Idle {
 public:
  explicit Idle(const IdleLadder& ladder) : ladder_(ladder) {}

  // After a turn at `now` that found `found` things (packets, frames): how long to sleep before
  // the next one, at most `at_most`. Zero: not at all. Never negative.
  Duration after_turn(Instant now, std::size_t found, Duration at_most);

 private:
  IdleLadder ladder_;
  Duration credit_ = Duration::zero();  // of spinning
  Duration nap_ = Duration::zero();     // the last sleep; zero: none since something was found
  Instant turned_at_ = Instant::from_ns(0);
};

}  // namespace godwit::port

#include "dataplane/port/idle.h"

#include <algorithm>
#include <array>

namespace godwit::port {
namespace {

// In the order of IdleMode.
constexpr std::array<std::string_view, 3> kModes{"wait", "adaptive", "spin"};

// Chosen: a sleep and its wake-up cost a few microseconds, so a packet or two pay for the one that
// is saved; and nothing pays for more than half of the millisecond between two trains of a link.
constexpr Duration kSpinPerItem = Duration::us(10);
constexpr Duration kSpinMax = Duration::us(500);
// Chosen: the first is about what a sleep takes at the least, the last what a WAN does not feel.
constexpr Duration kNapMin = Duration::us(20);
constexpr Duration kNapMax = Duration::ms(2);

IdleLadder with_mode(IdleMode mode, IdleLadder ladder) {
  switch (mode) {
    case IdleMode::kWait:
      ladder.spin_per_item = ladder.spin_max = Duration::zero();
      break;
    case IdleMode::kAdaptive:
      ladder.spin_per_item = kSpinPerItem;
      ladder.spin_max = kSpinMax;
      break;
    case IdleMode::kSpin:
      ladder.spin_per_item = ladder.spin_max = Duration::max();
      break;
  }
  return ladder;
}

}  // namespace

std::string_view name(IdleMode mode) {
  return kModes[static_cast<std::size_t>(mode)];
}

Result<IdleMode> parse_idle_mode(std::string_view text) {
  const auto found = std::find(kModes.begin(), kModes.end(), text);
  if (found == kModes.end()) {
    return fail(Code::kInvalid, "\"{}\" is not one of: wait, adaptive, spin", text);
  }
  return static_cast<IdleMode>(found - kModes.begin());
}

IdleLadder IdleLadder::waiting(IdleMode mode) {
  return with_mode(mode,
                   {.spin_per_item = Duration::zero(),
                    .spin_max = Duration::zero(),
                    .nap_min = Duration::max(),
                    .nap_max = Duration::max()});
}

IdleLadder IdleLadder::polling(IdleMode mode) {
  return with_mode(mode,
                   {.spin_per_item = Duration::zero(),
                    .spin_max = Duration::zero(),
                    .nap_min = kNapMin,
                    .nap_max = kNapMax});
}

Duration Idle::after_turn(Instant now, std::size_t found, Duration at_most) {
  const Duration passed = now - turned_at_;
  turned_at_ = now;
  if (ladder_.spin_max == Duration::max()) {
    return Duration::zero();
  }
  if (found > 0) {
    nap_ = Duration::zero();
    // Whole items only, so that a huge count cannot overflow.
    const std::int64_t per_item = ladder_.spin_per_item.count_ns();
    const std::int64_t most = ladder_.spin_max.count_ns();
    const bool is_plenty = per_item > 0 && found >= static_cast<std::size_t>(most / per_item);
    const Duration earned =
        is_plenty ? ladder_.spin_max : ladder_.spin_per_item * static_cast<std::int64_t>(found);
    credit_ = std::min(ladder_.spin_max, credit_ + earned);
  } else if (passed < credit_) {
    credit_ -= passed;
  } else {
    credit_ = Duration::zero();
  }
  if (credit_ > Duration::zero() || at_most <= Duration::zero()) {
    return Duration::zero();
  }
  const Duration doubled = nap_ < ladder_.nap_max / 2 ? nap_ * 2 : ladder_.nap_max;
  nap_ = std::clamp(doubled, ladder_.nap_min, ladder_.nap_max);
  return std::min(nap_, at_most);
}

}  // namespace godwit::port

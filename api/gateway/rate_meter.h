// The rate of about the last second, from a total that is looked at now and then.
//
// Thread: the worker. Memory: fixed. Time: passed in.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "dataplane/base/units.h"

namespace godwit::gateway {

class RateMeter {
 public:
  static constexpr Duration kWindow = Duration::ms(1000);
  static constexpr Duration kStep = Duration::ms(100);  // chosen: the window is right to a tenth

  // When the total should be told next; telling it more often does no harm.
  Instant next_step() const { return next_step_; }
  void on_total(Instant now, std::uint64_t bytes);
  // Since the youngest look that is at least a window old; since the first when none is so old.
  // Zero before the first step has passed.
  BitRate rate(Instant now, std::uint64_t bytes) const;

 private:
  struct Look {
    Instant at;
    std::uint64_t bytes = 0;
  };
  // Looks are a step apart or more, so these reach back over the whole window.
  static constexpr std::size_t kLooks = 12;

  std::array<Look, kLooks> looks_{};
  std::size_t count_ = 0;  // ever
  Instant next_step_ = Instant::from_ns(0);
};

}  // namespace godwit::gateway

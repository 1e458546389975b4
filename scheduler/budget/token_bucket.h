// A token bucket in exact integers: never more than rate × time + burst.
#pragma once

#include <cstdint>

#include "dataplane/base/units.h"

namespace godwit::scheduler {

// Credit is kept in units of 1 bit·ns/s (a byte is 8·10⁹ of them), so that a rate in bit/s times
// nanoseconds is a whole number and nothing is rounded: in every window [s, t] the bytes taken are
// at most rate·(t − s)/8 + burst, and a steady taker gets exactly the rate.
// Thread: one worker. Memory: none. Time: O(1).
class TokenBucket {
 public:
  static constexpr Bytes kBurstMax = Bytes(1'000'000'000);  // Credit must fit 63 bits.

  // Starts full. A burst above kBurstMax is cut to it. Rate 0 gives only the burst;
  // BitRate::unlimited() gives everything.
  TokenBucket(Instant now, BitRate rate, Bytes burst);

  bool try_take(Instant now, Bytes bytes);  // All or nothing.
  [[nodiscard]] Bytes available(Instant now) const;
  // The first instant at which `bytes` can be taken; never() when they exceed the burst or the rate
  // is 0.
  [[nodiscard]] Instant ready_at(Instant now, Bytes bytes) const;

  // Credit earned so far stays (cut to the new burst); the new rate holds from `now` on.
  void set_rate(Instant now, BitRate rate);
  void set_burst(Instant now, Bytes burst);
  [[nodiscard]] BitRate rate() const { return rate_; }
  [[nodiscard]] Bytes burst() const { return burst_; }

 private:
  [[nodiscard]] std::uint64_t credit_at(Instant now) const;
  void refill(Instant now);
  [[nodiscard]] bool unlimited() const { return rate_ == BitRate::unlimited(); }

  BitRate rate_;
  Bytes burst_;
  Instant last_;
  std::uint64_t credit_;
};

}  // namespace godwit::scheduler

// Control traffic goes first, but may not become the link: 16 KiB at once, 1 % of the rate for
// ever.
#pragma once

#include "dataplane/base/units.h"
#include "scheduler/budget/token_bucket.h"

namespace godwit::scheduler {

// Control messages that pass go before all data. What is refused waits until ready_at; it is
// never dropped here. With this limit data is delayed by at most (16 KiB)/rate + 1 %.
// Thread: one worker. Memory: none. Time: O(1).
class ControlPolicer {
 public:
  static constexpr Bytes kBurst = Bytes(16 * 1024);   // DESIGN §5, measured: p99 ≤ 1.5 Q/rate.
  static constexpr std::uint64_t kRateDivisor = 100;  // 1 % of the link's rate,
  static constexpr BitRate kRateMin =
      BitRate::bps(16'000);  // but never less than 2 kB/s (chosen:
                             // receipts and heartbeats of a slow link).
  ControlPolicer(Instant now, BitRate link_rate);

  void set_link_rate(Instant now, BitRate link_rate);
  bool try_take(Instant now, Bytes bytes) { return bucket_.try_take(now, bytes); }
  [[nodiscard]] Instant ready_at(Instant now, Bytes bytes) const {
    return bucket_.ready_at(now, bytes);
  }
  [[nodiscard]] BitRate rate() const { return bucket_.rate(); }

 private:
  TokenBucket bucket_;
};

}  // namespace godwit::scheduler

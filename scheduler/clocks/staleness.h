// Waits for clocks: bulk-synchronous, bounded staleness, or until a deadline says `partial`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "dataplane/base/ids.h"
#include "dataplane/base/topic_shard.h"
#include "dataplane/base/units.h"
#include "scheduler/clocks/clock_table.h"

namespace godwit::scheduler {

// The clock every site must have reached before a reader at `own` may go on with staleness s:
// own − s, not below 0. s = 0 is bulk-synchronous; asynchronous readers do not wait.
[[nodiscard]] constexpr std::uint64_t staleness_bound(std::uint64_t own, std::uint64_t s) {
  return own > s ? own - s : 0;
}

enum class WaitOutcome : std::uint8_t {
  kOk,       // Every site of the topic has reached the clock.
  kPartial,  // The deadline passed first; `missing` names the sites that had not.
};

// Waiters for one gateway. It reads the clocks from the table it was given.
// Usage: add_wait; on_progress after the table moved; poll_done until nullopt; next_wakeup.
// Thread: one worker. Memory: fixed by waits_max. Time: O(waits of the topic) per progress.
class StalenessWaits {
 public:
  using WaitId = std::uint64_t;
  static constexpr std::size_t kWaitsMax = 16384;  // Chosen: 64 for each of 256 clients.

  struct Done {
    WaitId id = 0;
    WaitOutcome outcome = WaitOutcome::kOk;
    std::vector<SiteId> missing;  // Reused by the caller from poll to poll.
  };

  explicit StalenessWaits(const ClockTable& clocks, std::size_t waits_max = kWaitsMax);

  // nullopt when waits_max are waiting. A wait that holds already, or whose deadline has passed, is
  // done at the next poll.
  std::optional<WaitId> add_wait(Instant now,
                                 TopicShard topic,
                                 std::uint64_t clock_min,
                                 Instant deadline);
  // The waiter is gone (its client closed): it will not be reported. False if it was not waiting.
  bool cancel(WaitId id);
  // A clock of this topic moved, or its list of sites did.
  void on_progress(TopicShard topic);
  // Gives one finished wait, in the order they were added; false when there is none.
  bool poll_done(Instant now, Done& out);
  [[nodiscard]] Instant next_wakeup() const;  // Earliest deadline; past when one is done.
  [[nodiscard]] std::size_t waiting() const { return waits_.size(); }

 private:
  struct Wait {
    WaitId id = 0;
    TopicShard topic;
    std::uint64_t clock_min = 0;
    Instant deadline;
    bool reached = false;
  };
  // Whether every site of the topic has reached the clock.
  [[nodiscard]] bool holds(TopicShard topic, std::uint64_t clock_min) const;
  void remove(std::size_t index);

  const ClockTable& clocks_;
  std::size_t waits_max_;
  WaitId next_id_ = 1;
  std::size_t reached_ = 0;
  Instant earliest_ = Instant::never();
  std::vector<Wait> waits_;  // In the order of their ids.
};

}  // namespace godwit::scheduler

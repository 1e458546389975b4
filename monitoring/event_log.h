// The last few thousand events of one worker, as numbers: what `explain` and a problem report read.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "dataplane/base/units.h"

namespace godwit::monitoring {

// Values are stable: bundles of older versions are read by newer ones. `subject` and the numbers
// a, b are named by event_info().
enum class EventKind : std::uint16_t {
  kNone = 0,
  kLinkUp = 1,
  kLinkDown = 2,
  kHandshakeRefused = 3,
  kLaneOpened = 4,
  kLaneBlocked = 5,
  kLaneReleased = 6,
  kPublishMerged = 7,
  kPublishRefused = 8,
  kPublishDuplicate = 9,
  kTransferFrozen = 10,
  kTransferResent = 11,
  kTransferReceipted = 12,
  kTransferApplied = 13,
  kTransferRepeated = 14,
  kTransferRefused = 15,
  kDeadlineExpired = 16,
  kClockReleased = 17,
  kWaitPartial = 18,
  kClientConnected = 19,
  kClientClosed = 20,
  kRecovered = 21,
  kDefectFound = 22,
};

// Names for people and JSON.
struct EventInfo {
  EventKind kind;
  std::string_view name;
  std::string_view subject;  // What `subject` is: a peer's site id, a topic id, a lane handle …
  std::string_view a;
  std::string_view b;
};
[[nodiscard]] const EventInfo& event_info(EventKind kind);  // Unknown kinds give kNone's.

struct Event {
  Instant at;
  EventKind kind = EventKind::kNone;
  std::uint64_t subject = 0;
  std::uint64_t a = 0;
  std::uint64_t b = 0;
};

// A ring that always accepts; the oldest event is overwritten.
// Thread: one writer, which never waits; any number of readers (each slot is a sequence lock, an
// event overwritten while it is copied is left out). Memory: 160 KiB. Time: O(1) to record.
class EventLog {
 public:
  static constexpr std::size_t kCapacity = 4096;  // Chosen: some seconds of a busy worker.

  void record(
      Instant now, EventKind kind, std::uint64_t subject, std::uint64_t a = 0, std::uint64_t b = 0);

  // Replaces `out` by the events still held, oldest first; `last` bounds their number.
  void snapshot(std::vector<Event>& out, std::size_t last = kCapacity) const;
  [[nodiscard]] std::uint64_t recorded() const { return next_.load(std::memory_order_acquire); }

 private:
  struct Slot {
    std::atomic<std::uint64_t> sequence{0};  // 2·n + 2 when event n is whole, odd while it changes.
    std::array<std::atomic<std::uint64_t>, 5> words{};
  };
  std::array<Slot, kCapacity> slots_{};
  std::atomic<std::uint64_t> next_{0};
};

}  // namespace godwit::monitoring

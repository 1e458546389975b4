// The ring and the names of its events.
#include "monitoring/event_log.h"

#include <algorithm>

namespace godwit::monitoring {

namespace {

constexpr EventInfo kEvents[] = {
    {EventKind::kNone, "none", "", "", ""},
    {EventKind::kLinkUp, "link_up", "peer", "rtt_ns", "incarnation"},
    {EventKind::kLinkDown, "link_down", "peer", "reason", "transfers_in_flight"},
    {EventKind::kHandshakeRefused, "handshake_refused", "peer", "reason", ""},
    {EventKind::kLaneOpened, "lane_opened", "lane", "topic", "to_incarnation"},
    {EventKind::kLaneBlocked, "lane_blocked", "lane", "transfers_unreceipted", ""},
    {EventKind::kLaneReleased, "lane_released", "lane", "transfers_unreceipted", ""},
    {EventKind::kPublishMerged, "publish_merged", "topic", "publish_number", "elements"},
    {EventKind::kPublishRefused, "publish_refused", "topic", "reason", "element_index"},
    {EventKind::kPublishDuplicate, "publish_duplicate", "topic", "publish_number", ""},
    {EventKind::kTransferFrozen, "transfer_frozen", "lane", "transfer", "bytes"},
    {EventKind::kTransferResent, "transfer_resent", "lane", "transfer", "bytes"},
    {EventKind::kTransferReceipted, "transfer_receipted", "lane", "transfer", "frontier"},
    {EventKind::kTransferApplied, "transfer_applied", "lane", "transfer", "frontier"},
    {EventKind::kTransferRepeated, "transfer_repeated", "lane", "transfer", "frontier"},
    {EventKind::kTransferRefused, "transfer_refused", "lane", "transfer", "reason"},
    {EventKind::kDeadlineExpired, "deadline_expired", "lane", "tile", "late_ns"},
    {EventKind::kClockReleased, "clock_released", "topic", "site", "clock"},
    {EventKind::kWaitPartial, "wait_partial", "topic", "clock", "missing_sites"},
    {EventKind::kClientConnected, "client_connected", "client", "process", ""},
    {EventKind::kClientClosed, "client_closed", "client", "reason", "bytes_in_ring"},
    {EventKind::kRecovered, "recovered", "topic", "incarnation", "redo_repeated"},
    {EventKind::kDefectFound, "defect_found", "topic", "lane", "check"},
};

constexpr bool events_in_order() {
  std::size_t index = 0;
  for (const EventInfo& event : kEvents) {
    if (static_cast<std::size_t>(event.kind) != index++) {
      return false;
    }
  }
  return true;
}
static_assert(events_in_order(), "an event's value is its row");

}  // namespace

const EventInfo& event_info(EventKind kind) {
  const auto row = static_cast<std::size_t>(kind);
  return row < std::size(kEvents) ? kEvents[row] : kEvents[0];
}

void EventLog::record(
    Instant now, EventKind kind, std::uint64_t subject, std::uint64_t a, std::uint64_t b) {
  const std::uint64_t number = next_.load(std::memory_order_relaxed);
  Slot& slot = slots_[number % kCapacity];
  // A sequence lock: odd, fence, words, even (Boehm, "Can seqlocks get along with programming
  // language memory models?", 2012, section 4). Thread sanitizers do not follow fences, so each
  // word is stored with release order instead, which costs nothing on x86.
  slot.sequence.store(2 * number + 1, std::memory_order_relaxed);
  const std::uint64_t words[] = {
      static_cast<std::uint64_t>(now.ns()), static_cast<std::uint64_t>(kind), subject, a, b};
  for (std::size_t i = 0; i < std::size(words); ++i) {
    slot.words[i].store(words[i], std::memory_order_release);
  }
  slot.sequence.store(2 * number + 2, std::memory_order_release);
  next_.store(number + 1, std::memory_order_release);
}

void EventLog::snapshot(std::vector<Event>& out, std::size_t last) const {
  out.clear();
  const std::uint64_t end = recorded();
  const std::uint64_t held = std::min<std::uint64_t>({end, kCapacity, last});
  for (std::uint64_t number = end - held; number < end; ++number) {
    const Slot& slot = slots_[number % kCapacity];
    if (slot.sequence.load(std::memory_order_acquire) != 2 * number + 2) {
      continue;  // Overwritten meanwhile.
    }
    std::uint64_t words[std::tuple_size_v<decltype(Slot::words)>];
    for (std::size_t i = 0; i < std::size(words); ++i) {
      words[i] = slot.words[i].load(std::memory_order_acquire);
    }
    if (slot.sequence.load(std::memory_order_relaxed) != 2 * number + 2) {
      continue;
    }
    out.push_back({.at = Instant::from_ns(static_cast<std::int64_t>(words[0])),
                   .kind = static_cast<EventKind>(words[1]),
                   .subject = words[2],
                   .a = words[3],
                   .b = words[4]});
  }
}

}  // namespace godwit::monitoring

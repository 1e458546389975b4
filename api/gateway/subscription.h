// What one local subscriber still has to receive of a topic: a lane of the ledger into a ring.
//
//   (P + R) − S, own publishes left out ─▶ whole blocks, exact (≤ 72 KiB) ─▶ freeze
//     ─▶ Transfer record in the client's ring ─▶ Receipt ─▶ freed
//
// What is frozen is the record itself: bytes are not scarce inside a host, and a codec costs more
// than copying. Deliveries go in sweeps over the changed tiles; a sweep begins no sooner than four
// times the duration of the last one after its end, so that a subscriber costs at most a fifth of
// the worker and changes merge meanwhile. Nothing is frozen while the ring is more than half full:
// a slow subscriber only merges.
//
// Thread: the worker. Memory: one bit per tile, one record.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "api/gateway/core.h"
#include "api/local/channel.h"
#include "api/local/records.h"

namespace godwit::gateway {

class Subscription {
 public:
  // `resume_frontier` is what the subscriber says it has applied.
  Subscription(Core& core,
               Topic& topic,
               local::TopicHandle handle,
               ledger::LaneIndex lane,
               std::uint64_t resume_frontier);

  // What one takes beside its lane in the ledger.
  static constexpr std::uint64_t work_bytes(std::uint32_t tiles) {
    return sizeof(Subscription) + local::kBodyBytesMax + (tiles / 8) + 1;
  }

  Topic& topic() { return topic_; }
  const Topic& topic() const { return topic_; }
  local::TopicHandle handle() const { return handle_; }
  ledger::LaneIndex lane() const { return lane_; }

  void on_changed(std::uint32_t tile);
  // Every transfer <= frontier is applied by the client. kCorrupt: it was never sent.
  Result<void> on_receipt(std::uint64_t frontier);
  // Sends what is due and has room; true when it could go on at once.
  bool pump(Instant now, local::Channel& channel, std::size_t ring_bytes);
  // When the next sweep is due; never() when nothing waits for one.
  Instant next_wakeup() const;
  // Every change <= `number` was put into the ring.
  bool delivered(std::uint64_t number) const;

 private:
  // A Transfer record in body_.
  struct Written {
    std::span<const std::byte> body;
    std::uint32_t blocks = 0;
    std::uint64_t remainder_max = 0;  // largest open magnitude that did not fit
  };

  void mark(std::uint32_t tile);
  bool send_frozen(local::Channel& channel, std::uint64_t k);
  bool freeze_next(local::Channel& channel);
  Written write_blocks(std::uint64_t k, std::size_t room);
  // The next changed tile of this sweep, which may begin now; false when there is none.
  bool next_dirty(Instant now);

  Core& core_;
  Topic& topic_;
  local::TopicHandle handle_;
  ledger::LaneIndex lane_;
  std::uint64_t sent_ = 0;  // transfers <= it are in the ring
  std::vector<bool> dirty_;
  std::size_t dirty_count_ = 0;
  std::uint32_t cursor_ = 0;  // the sweep has dealt with the tiles before it
  bool sweeping_ = false;
  Duration sweep_spent_ = Duration::zero();
  Instant sweep_at_ = Instant::from_ns(0);  // the next sweep begins no sooner
  std::vector<std::uint64_t> body_;         // one Transfer record, 8-aligned
};

}  // namespace godwit::gateway

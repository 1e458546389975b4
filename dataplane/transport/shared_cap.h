// The cap of a link on which several workers send, each with sessions and a LinkShaper of its own.
//
//     SharedCap        the link's virtual clock  ◀── one compare-and-swap a train
//      ├─ CapShare 0   that of its part, the usable cap ÷ workers
//      └─ CapShare 1   "
//
// A train may start when the link's clock is not ahead of `now`: then nobody else needs the line.
// Or when the worker's own is not: its part is due to it, whatever the others do. Every train moves
// the link's clock on by its time at the usable cap, and the worker's own by its time at the part,
// but not beyond the train's end on the line.
//
// So a busy worker has at least its part, however busy the others' threads are, and however late
// its own, up to the credit. What others leave goes to whoever asks first, in no even measure; a
// worker that is alone sends as a LinkShaper does that shares nothing, but makes all that is late
// good at once. Over any interval all together send at most the usable cap, two credits
// (LinkShaper: what a late thread may make good; one from before the interval, one of the parts)
// and three trains for each worker.
//
// Time: sans-I/O; what a worker's time is behind the others' at most adds to the credit.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "dataplane/base/units.h"

namespace godwit::transport {

// Thread: any number, without a lock.
class SharedCap {
 public:
  // A cap, and how many workers share it, at least 1.
  SharedCap(BitRate cap, std::uint32_t workers);

  BitRate usable() const { return usable_; }
  BitRate part() const { return part_; }
  Duration credit() const { return credit_; }

  // When nobody needs the line any more, as far as booked.
  Instant ready_at() const { return Instant::from_ns(clock_.load(std::memory_order_relaxed)); }
  // Books a train from when the line is free, or from `earliest` if that is later; returns which.
  Instant book(Instant earliest, std::uint64_t layer3_bytes);
  // Bytes booked so far.
  std::uint64_t sent() const { return sent_.load(std::memory_order_relaxed); }

 private:
  static constexpr std::size_t kCacheLine = 64;

  BitRate usable_;
  BitRate part_;
  Duration credit_;
  // Written by all workers; what is above is only read.
  alignas(kCacheLine) std::atomic<std::int64_t> clock_{0};
  std::atomic<std::uint64_t> sent_{0};
};

// Thread: one worker. Memory: the cap outlives it.
class CapShare {
 public:
  // How often the others' use is looked at; on a slow link less often, after so many bytes of it.
  // Chosen: a few dozen trains, so that it swings by some per cent.
  static constexpr Duration kLookEvery = Duration::ms(100);
  static constexpr Bytes kLookBytes = Bytes(64 * 1024);

  explicit CapShare(SharedCap& whole);

  SharedCap& whole() const { return *whole_; }
  // When the next train may start; another worker's train may move it on.
  Instant ready_at() const;
  // Books what was sent at `now`, as LinkShaper::charge.
  void charge(Instant now, std::uint64_t layer3_bytes, bool has_waited);
  void look(Instant now);
  // What is there to send with: what others left when last looked at, and never less than the part.
  BitRate left() const { return left_; }

 private:
  SharedCap* whole_;
  Instant clock_ = Instant::from_ns(0);
  std::uint64_t sent_ = 0;
  BitRate left_;
  Duration look_every_;
  Instant looked_at_ = Instant::never();
  std::uint64_t others_seen_ = 0;  // bytes that others had sent then
};

}  // namespace godwit::transport

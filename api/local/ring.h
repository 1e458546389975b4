// A single-producer, single-consumer ring of records in memory shared with a process not trusted.
//
// Each end keeps its own position privately and reads the other's from shared memory, where it
// may be any value at all. A position that is not possible, or a record header that does not fit,
// breaks the end for ever with a named reason; nothing outside the ring is ever read or written.
//
//   control: | head, consumer_waits (line 0) | tail, producer_waits (line 1) |
//   bytes:   | header body pad | header body pad | ... | wrap |     (capacity a power of two)
//              8      n    to 8
//
// Positions count bytes for ever (64 bits) and are masked on use. A record never wraps: a record
// of type kWrap fills the end of the ring. A record takes at most a quarter of the ring.
//
// Thread: one thread per end. Memory: none; both ends work on the span they are given.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace godwit::local {

// What stands in front of each record.
struct RecordHeader {
  std::uint32_t body_bytes;
  std::uint16_t type;
  std::uint16_t flags;
};
static_assert(sizeof(RecordHeader) == 8);

inline constexpr std::size_t kRecordAlign = 8;
inline constexpr std::uint16_t kWrapType = 0;

// Bytes of values that one record carries: a tile of int64 or two tiles of float32. Chosen: large
// enough that headers cost < 0.1 %, small enough that a private copy stays in the L2 cache.
inline constexpr std::size_t kValuesBytesMax = 256 * 1024;
// Bytes beside the values: the record's own head, or a control message. Chosen.
inline constexpr std::size_t kHeadBytesMax = 4 * 1024;
inline constexpr std::size_t kBodyBytesMax = kValuesBytesMax + kHeadBytesMax;
// The smallest and largest ring. The smallest is for tests only.
inline constexpr std::size_t kRingBytesMin = 256;
inline constexpr std::size_t kRingBytesMax = std::size_t{1} << 30;

// The shared words of a ring, one cache line for each writer.
struct RingControl {
  alignas(64) std::atomic<std::uint64_t> head;  // written by the producer
  std::atomic<std::uint32_t> producer_waits;    // set by the producer when it found no room
  alignas(64) std::atomic<std::uint64_t> tail;  // written by the consumer
  std::atomic<std::uint32_t> consumer_waits;    // set by the consumer when it found no record
};
static_assert(sizeof(RingControl) == 128);
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);
static_assert(std::atomic<std::uint32_t>::is_always_lock_free);

// Where a ring lies. `bytes` has a power-of-two size in [kRingBytesMin, kRingBytesMax] and is
// 8-aligned; `control` was zero when the ring was made.
struct RingMemory {
  RingControl* control;
  std::span<std::byte> bytes;
};

// Why an end gave up. kNone while it works.
enum class RingFault : std::uint8_t {
  kNone,
  kIndexAhead,      // the peer's position is more than a ring away from ours
  kIndexBackwards,  // the peer's position went back
  kIndexUnaligned,  // the peer's position is not a multiple of 8
  kRecordLength,    // a record is longer than what was published, the limit, or the ring's end
  kWrapLength,      // a wrap record does not end where the ring ends
};
std::string_view to_string(RingFault fault);

// The largest body that a ring of `ring_bytes` takes.
std::size_t body_bytes_max(std::size_t ring_bytes);

// A record in place or copied: `body` is 8-aligned.
struct RecordView {
  std::uint16_t type = 0;
  std::uint16_t flags = 0;
  std::span<const std::byte> body;
};

class RingProducer {
 public:
  explicit RingProducer(RingMemory memory);

  // Space for a body of `body_bytes`, 8-aligned, or nothing when there is no room now (then the
  // consumer's end will ask for a doorbell when half of the ring is free) or the ring is broken.
  // Repeated calls without commit() replace the reservation.
  std::optional<std::span<std::byte>> reserve(std::size_t body_bytes);

  // Publishes the reserved record. Returns true when the consumer waits and wants a doorbell.
  [[nodiscard]] bool commit(std::uint16_t type, std::uint16_t flags);

  RingFault fault() const { return fault_; }
  std::size_t capacity() const { return memory_.bytes.size(); }
  // Bytes published and not yet consumed; looks at the consumer's position now.
  std::uint64_t bytes_in_flight() {
    refresh_tail();
    return head_ - tail_seen_;
  }

 private:
  bool refresh_tail();

  RingMemory memory_;
  std::uint64_t head_ = 0;
  std::uint64_t tail_seen_ = 0;
  std::uint64_t reserved_wrap_ = 0;  // bytes of the wrap record in front of the reservation
  std::size_t reserved_body_ = 0;
  bool reserved_ = false;
  RingFault fault_ = RingFault::kNone;
};

class RingConsumer {
 public:
  explicit RingConsumer(RingMemory memory);

  // The next record, in place, its header copied once and checked. It stays valid until
  // consume(). Nothing when the ring is empty (then the producer's next commit() asks for a
  // doorbell) or broken.
  std::optional<RecordView> peek();

  // Frees the record that peek() returned. Returns true when the producer waits for room, half of
  // the ring is free and so the producer wants a doorbell.
  [[nodiscard]] bool consume();

  RingFault fault() const { return fault_; }
  std::size_t capacity() const { return memory_.bytes.size(); }

 private:
  bool refresh_head();
  bool find_record();

  RingMemory memory_;
  std::uint64_t tail_ = 0;
  std::uint64_t head_seen_ = 0;
  std::uint64_t peeked_bytes_ = 0;  // header, body and padding of the record that is peeked at
  RingFault fault_ = RingFault::kNone;
};

}  // namespace godwit::local

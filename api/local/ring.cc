#include "api/local/ring.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "dataplane/base/assert.h"

namespace godwit::local {
namespace {

constexpr std::uint64_t padded(std::uint64_t body_bytes) {
  return sizeof(RecordHeader) +
         ((body_bytes + kRecordAlign - 1) & ~std::uint64_t{kRecordAlign - 1});
}

// The header as one word: a single load or store, so that nobody sees half of one.
std::atomic_ref<std::uint64_t> header_at(std::span<std::byte> bytes, std::uint64_t offset) {
  void* place = bytes.data() + offset;
  return std::atomic_ref<std::uint64_t>(*static_cast<std::uint64_t*>(place));
}

void write_header(std::span<std::byte> bytes, std::uint64_t offset, RecordHeader header) {
  header_at(bytes, offset).store(std::bit_cast<std::uint64_t>(header), std::memory_order_relaxed);
}

RecordHeader read_header(std::span<std::byte> bytes, std::uint64_t offset) {
  return std::bit_cast<RecordHeader>(header_at(bytes, offset).load(std::memory_order_relaxed));
}

void check_memory(const RingMemory& memory) {
  GODWIT_ASSERT(memory.control != nullptr);
  GODWIT_ASSERT(std::has_single_bit(memory.bytes.size()));
  GODWIT_ASSERT(memory.bytes.size() >= kRingBytesMin && memory.bytes.size() <= kRingBytesMax);
  GODWIT_ASSERT(std::bit_cast<std::uintptr_t>(memory.bytes.data()) % kRecordAlign == 0);
}

}  // namespace

std::string_view to_string(RingFault fault) {
  switch (fault) {
    case RingFault::kNone:
      return "";
    case RingFault::kIndexAhead:
      return "ring: position more than a ring away";
    case RingFault::kIndexBackwards:
      return "ring: position went back";
    case RingFault::kIndexUnaligned:
      return "ring: position not a multiple of 8";
    case RingFault::kRecordLength:
      return "ring: record longer than what was published";
    case RingFault::kWrapLength:
      return "ring: wrap record does not end the ring";
  }
  return "ring: unknown fault";
}

std::size_t body_bytes_max(std::size_t ring_bytes) {
  return std::min(kBodyBytesMax, ring_bytes / 4 - sizeof(RecordHeader));
}

RingProducer::RingProducer(RingMemory memory) : memory_(memory) {
  check_memory(memory_);
}

// Reads how far the consumer is. The consumer may be hostile: it can free what it has not read
// (its own loss) but never more than was published.
bool RingProducer::refresh_tail() {
  const std::uint64_t tail = memory_.control->tail.load(std::memory_order_seq_cst);
  if (tail % kRecordAlign != 0) {
    fault_ = RingFault::kIndexUnaligned;
  } else if (tail < tail_seen_) {
    fault_ = RingFault::kIndexBackwards;
  } else if (tail > head_) {
    fault_ = RingFault::kIndexAhead;
  } else {
    tail_seen_ = tail;
  }
  return fault_ == RingFault::kNone;
}

std::optional<std::span<std::byte>> RingProducer::reserve(std::size_t body_bytes) {
  GODWIT_ASSERT(body_bytes <= body_bytes_max(capacity()),
                "record larger than a quarter of the ring");
  reserved_ = false;
  if (fault_ != RingFault::kNone) {
    return std::nullopt;
  }
  const std::uint64_t total = padded(body_bytes);
  const std::uint64_t offset = head_ & (capacity() - 1);
  const std::uint64_t to_end = capacity() - offset;
  const std::uint64_t wrap = total > to_end ? to_end : 0;
  const auto fits = [&] { return wrap + total <= capacity() - (head_ - tail_seen_); };
  if (!fits() && !refresh_tail()) {
    return std::nullopt;
  }
  if (!fits()) {
    // Say that we wait, then look once more: a consumer that freed room in between either sees
    // the flag or is seen here.
    memory_.control->producer_waits.store(1, std::memory_order_seq_cst);
    if (!refresh_tail() || !fits()) {
      return std::nullopt;
    }
    memory_.control->producer_waits.store(0, std::memory_order_relaxed);
  }
  reserved_ = true;
  reserved_wrap_ = wrap;
  reserved_body_ = body_bytes;
  const std::uint64_t start = wrap != 0 ? 0 : offset;
  return memory_.bytes.subspan(start + sizeof(RecordHeader), body_bytes);
}

bool RingProducer::commit(std::uint16_t type, std::uint16_t flags) {
  GODWIT_ASSERT(reserved_, "commit without a reservation");
  GODWIT_ASSERT(type != kWrapType);
  reserved_ = false;
  if (reserved_wrap_ != 0) {
    const auto rest = static_cast<std::uint32_t>(reserved_wrap_ - sizeof(RecordHeader));
    write_header(memory_.bytes, head_ & (capacity() - 1), {rest, kWrapType, 0});
    head_ += reserved_wrap_;
  }
  write_header(memory_.bytes,
               head_ & (capacity() - 1),
               {static_cast<std::uint32_t>(reserved_body_), type, flags});
  head_ += padded(reserved_body_);
  memory_.control->head.store(head_, std::memory_order_seq_cst);
  return memory_.control->consumer_waits.load(std::memory_order_seq_cst) != 0 &&
         memory_.control->consumer_waits.exchange(0, std::memory_order_seq_cst) != 0;
}

RingConsumer::RingConsumer(RingMemory memory) : memory_(memory) {
  check_memory(memory_);
}

bool RingConsumer::refresh_head() {
  const std::uint64_t head = memory_.control->head.load(std::memory_order_seq_cst);
  if (head % kRecordAlign != 0) {
    fault_ = RingFault::kIndexUnaligned;
  } else if (head < head_seen_) {
    fault_ = RingFault::kIndexBackwards;
  } else if (head - tail_ > capacity()) {
    fault_ = RingFault::kIndexAhead;
  } else {
    head_seen_ = head;
  }
  return fault_ == RingFault::kNone;
}

// True when at least one record is published; otherwise the doorbell is armed.
bool RingConsumer::find_record() {
  if (head_seen_ != tail_) {
    return true;
  }
  if (!refresh_head()) {
    return false;
  }
  if (head_seen_ != tail_) {
    return true;
  }
  memory_.control->consumer_waits.store(1, std::memory_order_seq_cst);
  if (!refresh_head() || head_seen_ == tail_) {
    return false;
  }
  memory_.control->consumer_waits.store(0, std::memory_order_relaxed);
  return true;
}

std::optional<RecordView> RingConsumer::peek() {
  peeked_bytes_ = 0;
  if (fault_ != RingFault::kNone || !find_record()) {
    return std::nullopt;
  }
  RecordHeader header = read_header(memory_.bytes, tail_ & (capacity() - 1));
  if (header.type == kWrapType) {
    // A wrap record ends the ring exactly, never starts it, and is published with its successor.
    const std::uint64_t to_end = capacity() - (tail_ & (capacity() - 1));
    if (to_end == capacity() || header.body_bytes != to_end - sizeof(RecordHeader) ||
        head_seen_ - tail_ <= to_end) {
      fault_ = RingFault::kWrapLength;
      return std::nullopt;
    }
    tail_ += to_end;
    header = read_header(memory_.bytes, 0);
    if (header.type == kWrapType) {
      fault_ = RingFault::kWrapLength;
      return std::nullopt;
    }
  }
  const std::uint64_t offset = tail_ & (capacity() - 1);
  const std::uint64_t total = padded(header.body_bytes);
  if (header.body_bytes > body_bytes_max(capacity()) || total > head_seen_ - tail_ ||
      total > capacity() - offset) {
    fault_ = RingFault::kRecordLength;
    return std::nullopt;
  }
  peeked_bytes_ = total;
  return RecordView{header.type,
                    header.flags,
                    memory_.bytes.subspan(offset + sizeof(RecordHeader), header.body_bytes)};
}

bool RingConsumer::consume() {
  GODWIT_ASSERT(peeked_bytes_ != 0, "consume without a record");
  tail_ += peeked_bytes_;
  peeked_bytes_ = 0;
  memory_.control->tail.store(tail_, std::memory_order_seq_cst);
  if (memory_.control->producer_waits.load(std::memory_order_seq_cst) == 0) {
    return false;
  }
  if (!refresh_head() || head_seen_ - tail_ > capacity() / 2) {
    return false;
  }
  return memory_.control->producer_waits.exchange(0, std::memory_order_seq_cst) != 0;
}

}  // namespace godwit::local

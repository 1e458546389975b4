// The bytes of the outgoing control stream, kept readable from queueing until acknowledgement.
//
//     base            sent                 end
//      │ acknowledged? │ not yet in a packet │
//      ▼               ▼                     ▼
//     [chunk][chunk][chunk][chunk]
//
// Memory: chunks come from the pool; at most `limit` bytes between base and end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/base/ring.h"
#include "dataplane/transport/buffer.h"

namespace godwit::transport {

class SendQueue {
 public:
  SendQueue(BufferPool& pool, std::uint64_t limit) : pool_(pool), limit_(limit) {}

  // Queues all of `first` and `second`, or nothing (false) when the limit would be exceeded.
  bool push(std::span<const std::byte> first, std::span<const std::byte> second);
  // The next bytes not sent yet, contiguous and readable until acknowledged; empty: none.
  std::span<const std::byte> unsent() const;
  // The first `bytes` of the unsent ones went into a packet.
  void mark_sent(std::size_t bytes);
  // Every stream byte before `offset` was acknowledged.
  void on_acked_until(std::uint64_t offset);

  std::uint64_t unsent_bytes() const { return end_ - sent_; }
  // Bytes that are kept: the chunk in which sending goes on stays whole.
  std::uint64_t unacknowledged_bytes() const { return end_ - base_; }
  // Bytes that were sent and are not acknowledged.
  std::uint64_t in_flight_bytes() const { return sent_ - acked_; }

 private:
  BufferPool& pool_;
  std::uint64_t limit_;
  Ring<Buffer> chunks_;
  std::uint64_t base_ = 0;  // stream offset of the first chunk
  std::uint64_t acked_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t end_ = 0;
  std::size_t sent_chunk_ = 0;  // the chunk in which `sent_` lies
  std::size_t sent_at_ = 0;     // the place in that chunk
};

}  // namespace godwit::transport

// One end of the way between a client and its gateway: a ring out, a ring in, and a doorbell.
//
// send() copies one record into the outgoing ring; receive() takes one from the incoming ring.
// Both never wait. A receive() that returns nothing has armed the doorbell: the peer's next record
// rings it; a reader that stops earlier must come back by itself. A send() that returns false has
// armed it too: it rings when half of the ring is free.
//
// The gateway's end copies each record into a buffer of its own before anyone looks at it, so a
// client that changes a record while it is read changes nothing (Trust::kHostilePeer). The
// client's end hands out records in place (Trust::kTrustedPeer).
//
// Thread: one at a time; the two ends are independent.
// Memory: one record (260 KiB) on the hostile side, allocated at construction.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "api/local/ring.h"

namespace godwit::local {

enum class Trust : std::uint8_t {
  kTrustedPeer,  // records are handed out in place
  kHostilePeer,  // records are copied before they are handed out
};

class Channel {
 public:
  Channel(RingMemory outgoing, RingMemory incoming, Trust trust);
  virtual ~Channel() = default;
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // Sends one record whose body is `head` followed by `payload`. False when there is no room now
  // or the channel is broken, but for a fault of the incoming ring, of which the peer may still be
  // told; head + payload must not exceed body_bytes_max().
  [[nodiscard]] bool send(std::uint16_t type,
                          std::span<const std::byte> head,
                          std::span<const std::byte> payload = {},
                          std::uint16_t flags = 0);

  // The next record; valid until the next receive(). Nothing when there is none or the channel is
  // broken. A gateway goes on receiving after the peer's death until this returns nothing.
  std::optional<RecordView> receive();

  // Frees the record of the last receive() now instead of at the next one.
  void finish_record();

  // The largest body that send() takes.
  std::size_t body_bytes_max() const { return body_bytes_max_; }

  // True when the peer broke the protocol; nothing is received any more.
  bool broken() const { return !broken_reason().empty(); }
  // Why: a ring fault, or what break_with() was given. Empty while the channel works.
  std::string_view broken_reason() const;
  // The reader of the records found one that it cannot accept.
  void break_with(std::string reason);

  // Bytes sent that the peer has not consumed yet.
  std::uint64_t bytes_unread() { return outgoing_.bytes_in_flight(); }

 protected:
  // Wakes the peer. Called from send() and receive().
  virtual void ring_doorbell() = 0;

 private:
  RingProducer outgoing_;
  RingConsumer incoming_;
  std::size_t body_bytes_max_;
  bool holding_ = false;               // the last record of receive() is not freed yet
  std::unique_ptr<std::byte[]> copy_;  // only for a hostile peer
  std::string reason_;
};

}  // namespace godwit::local

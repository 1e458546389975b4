// A line that sends one packet after the other at a fixed rate, with a drop-tail queue before it.
//
// Nothing is stored: since packets leave in the order in which they came, the instant at which the
// line falls idle says all about the queue.
//
//   arrivals ──▶ [ queue: at most `queue` bytes not yet sent ] ──▶ rate ──▶ departures
#pragma once

#include <algorithm>
#include <optional>

#include "dataplane/base/units.h"

namespace godwit::wan {

struct Line {
  BitRate rate = BitRate::unlimited();
  Bytes queue;

  bool operator==(const Line&) const = default;
};

class Serialiser {
 public:
  explicit Serialiser(Line line) : line_(line) {}

  const Line& line() const { return line_; }

  // Bytes accepted and not yet sent at `at`, the unsent part of the packet on the line included.
  Bytes backlog(Instant at) const {
    return free_at_ <= at || line_.rate.is_unlimited() ? Bytes(0)
                                                       : line_.rate.bytes_in(free_at_ - at);
  }

  // When the last bit of a packet that arrives at `at` leaves; nothing if the queue has no room.
  // An idle line takes a packet of any size. `at` never goes backwards.
  std::optional<Instant> offer(Instant at, Bytes size) {
    const Bytes waiting = backlog(at);
    if (waiting > Bytes(0) && waiting + size > line_.queue) {
      return std::nullopt;
    }
    free_at_ = std::max(at, free_at_) + line_.rate.time_for(size);
    return free_at_;
  }

  // Other values from now on; the line is busy until `free_at` with what it has accepted.
  void change(Line line, Instant free_at) {
    line_ = line;
    free_at_ = free_at;
  }

 private:
  Line line_;
  Instant free_at_;
};

}  // namespace godwit::wan

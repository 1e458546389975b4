// When to dial a peer again: at once at first, then after a random delay, for ever.
//
//     Redial redial(random);
//     if (now >= redial.next_attempt()) { session = endpoint.dial(now, peer);
//     redial.on_attempt(now); } on kEstablished: redial.on_success();      on kClosed:
//     redial.on_failure(now);
//
// The delay is drawn uniformly from [0, limit] ("full jitter"), so that many gateways that lost
// the same link do not come back in step; limit doubles from 50 ms to `delay_max`.
// Time: sans-I/O; `now` is a parameter. Thread: one.
#pragma once

#include <cstdint>

#include "dataplane/base/random.h"
#include "dataplane/base/units.h"

namespace godwit::transport {

struct RedialOptions {
  // Chosen: with the silent attempt's own limit of 0.5 to 1.3 s no more than about a second
  // passes between two greetings, so a healed link is used within 1 s + 2 RTT.
  Duration delay_first = Duration::ms(50);
  Duration delay_max = Duration::ms(500);  // at most 1 s
};

class Redial {
 public:
  explicit Redial(Random& random, RedialOptions options = {});

  // When the next attempt may begin; never() while an attempt or a session runs.
  Instant next_attempt() const { return next_; }
  void on_attempt(Instant now);
  void on_success();
  void on_failure(Instant now);
  std::uint64_t failures_in_a_row() const { return failures_; }

 private:
  Random& random_;
  RedialOptions options_;
  Instant next_ = Instant::from_ns(0);
  std::uint64_t failures_ = 0;
};

}  // namespace godwit::transport

// The largest packet that a path carries, found by probing it (RFC 8899).
//
//     bytes  base ────────▶ grows with every probe that is acknowledged ────────▶ cap
//              ▲                                                                   │
//              └────── three probes of the present size lost: a black hole ◀──────┘
//
// The first probe has the cap's size, because most paths carry it; then the search halves the gap
// between what arrived and what did not. A size is believed only when its probe was acknowledged,
// and given up only when three of its probes were lost. A router's word (RFC 8899 section 4.6.2)
// names the next size to try and proves nothing: anybody may have sent it.
//
// Sizes are bytes of UDP payload. Time: sans-I/O. Thread: one.
#pragma once

#include <cstddef>
#include <cstdint>

#include "dataplane/base/units.h"

namespace godwit::transport {

class PathMtu {
 public:
  // RFC 9000 section 14: every path that carries QUIC carries 1,200 bytes.
  static constexpr std::size_t kBase = 1200;
  // RFC 8899 section 5.1.2: MAX_PROBES, PMTU_RAISE_TIMER and the least PROBE_TIMER.
  static constexpr int kTries = 3;
  static constexpr Duration kRaiseAfter = Duration::ms(600'000);
  static constexpr Duration kPatienceMin = Duration::ms(1'000);
  // A gap that is not worth another probe: 1 % of a packet. Chosen.
  static constexpr std::size_t kResolution = 16;

  // `cap` >= kBase: never larger than this.
  explicit PathMtu(std::size_t cap);

  // What packets may have now: the base while it is asked whether larger ones still pass.
  std::size_t bytes() const { return is_confirming_ ? kBase : bytes_; }

  // The session is up: the search may begin.
  void start();
  // The peer cannot acknowledge probes, or `cap` is all that it takes.
  void stop();
  void lower_cap(std::size_t cap);
  // The size of the probe that is to be sent now; 0: none.
  std::size_t probe_due() const { return is_due_ ? target_ : 0; }
  // A probe of `bytes`, at most what was due, left; it counts as lost after `patience` or
  // kPatienceMin.
  void on_probe_sent(Instant now, std::size_t bytes, Duration patience);
  void on_probe_acked(Instant now);
  void on_probe_lost(Instant now);
  // Something that should have been acknowledged long ago was not: asks whether the present size
  // still passes. Nothing happens at the base, while a probe is under way, and within `patience`
  // of the last one that arrived: the present size passed then, and what was lost is repeated.
  void suspect(Instant now, Duration patience);
  // A router said that packets of `bytes` would pass and larger ones do not. One word is heard for
  // each size that is tried.
  void on_hint(Instant now, std::size_t bytes);

  // Does what is due at `now`. True: a probe is due.
  bool on_timeout(Instant now);
  Instant deadline() const { return deadline_; }

  std::uint64_t probes_sent() const { return probes_sent_; }
  std::uint64_t probes_lost() const { return probes_lost_; }
  std::uint64_t black_holes() const { return black_holes_; }

 private:
  void aim(Instant now);
  void confirm();

  std::size_t cap_;
  std::size_t bytes_ = kBase;
  std::size_t too_large_;   // the least size that failed; above the cap: none did
  std::size_t target_ = 0;  // of the probe that is due or under way
  std::size_t under_way_ = 0;
  std::size_t hint_ = 0;  // the size to try next; 0: none was heard
  int lost_ = 0;          // probes of this target in a row
  bool is_due_ = false;
  bool is_started_ = false;
  bool is_confirming_ = false;  // the target is the present size
  bool is_hinted_ = false;      // the target is a router's word
  Instant deadline_ = Instant::never();
  Instant passed_at_ = Instant::from_ns(0);  // when a probe was acknowledged last
  std::uint64_t probes_sent_ = 0;
  std::uint64_t probes_lost_ = 0;
  std::uint64_t black_holes_ = 0;
};

}  // namespace godwit::transport

// One directed link between two sites: rate, drop-tail queue, random loss, one-way delay.
//
// Sans-I/O: time is passed in and packets are numbers of frames that somebody else keeps.
//
//   offer ──▶ cut? ──▶ queue + rate ──▶ loss ──▶ delay ──▶ pop, at due
//
// A lost packet has used the line: its sender paid for it. Packets never overtake one another.
// `in = delivered + dropped + held` holds after every call, in packets and in bytes.
//
// Memory: held packets are bounded by kHeldBytesMax besides the queue.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "bench/wan/histogram.h"
#include "bench/wan/serialiser.h"
#include "dataplane/base/random.h"
#include "dataplane/base/units.h"

namespace godwit::wan {

// The most that one link holds in its queue and in flight: 1 Gbit/s for half a second. Chosen; it
// bounds what an unlimited link of a long delay may keep.
inline constexpr Bytes kHeldBytesMax = Bytes::mib(64);

// The least queue that is chosen by itself, and the floor below which small rates would drop
// every burst. Chosen: 43 full packets.
inline constexpr Bytes kQueueBytesMin = Bytes::kib(64);

struct LinkSettings {
  BitRate rate = BitRate::unlimited();  // layer 3
  Duration delay;                       // one way
  double loss = 0;                      // probability in [0, 1]
  Bytes queue = kQueueBytesMin;

  bool operator==(const LinkSettings&) const = default;
};

// One bandwidth-delay product of the round trip (twice the one-way delay), at least kQueueBytesMin.
Bytes default_queue(BitRate rate, Duration one_way);

// What became of a packet that was offered.
enum class Outcome : std::uint8_t {
  kHeld,          // it will come out at its due time, unless the link is cut before
  kDroppedQueue,  // no room
  kDroppedLoss,   // drawn
  kDroppedCut,    // the link is cut
};

// A packet on its way. `frame` is the caller's name for its bytes.
struct Parcel {
  std::uint32_t frame = 0;
  std::uint32_t size = 0;  // layer-3 bytes
  Instant entered;         // when it reached the line's queue
  Instant departs;         // when its last bit leaves the line
  Instant due;             // when it arrives
};

struct LinkCounters {
  std::uint64_t packets_in = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t packets = 0;  // delivered
  std::uint64_t bytes = 0;
  std::uint64_t drops_queue = 0;
  std::uint64_t drops_loss = 0;
  std::uint64_t drops_cut = 0;
  std::uint64_t bytes_dropped = 0;
  std::uint64_t packets_held = 0;
  std::uint64_t bytes_held = 0;
  LatenessHistogram lateness;
  // How long packets wait in the queue before their own first bit; also those that are lost later.
  LatenessHistogram queueing;
};

class Link {
 public:
  Link(const LinkSettings& settings, std::uint64_t seed);

  const LinkSettings& settings() const { return settings_; }
  const LinkCounters& counters() const { return counters_; }
  bool is_cut() const { return cut_; }

  // A packet is offered by its sender. Every packet passes here first, and then through `queue`
  // or one of the drops below.
  void count_in(std::uint32_t size);

  // The packet reaches the line at `at` (never earlier than the one before it).
  Outcome queue(Instant at, std::uint32_t frame, std::uint32_t size);

  // A packet counted in was dropped by a line that it shares with other links, or by a cut.
  void drop(Outcome reason, std::uint32_t size);

  bool empty() const { return parcels_.empty(); }
  // The due time of the next packet; Instant::never() if there is none.
  Instant next_due() const { return empty() ? Instant::never() : parcels_.front().due; }
  // Takes the next packet out. It stays counted as held until `delivered` or `drop_held`.
  Parcel pop();
  void delivered(std::uint32_t size, Duration lateness);
  void drop_held(Outcome reason, std::uint32_t size);

  // Everything on the link is lost, and whatever comes until `heal`. Their frames go to `released`.
  void cut(std::vector<std::uint32_t>& released);
  void heal() { cut_ = false; }

  // What waits in the queue is sent at the new rate and delay; what has left the line keeps its
  // due time, and nothing overtakes it.
  void change(Instant now, const LinkSettings& settings);

  // Counters start at zero, but for what is held.
  void reset_counters();

 private:
  void replan(Instant now, BitRate rate_before);

  LinkSettings settings_;
  Random random_;
  Serialiser line_;
  std::deque<Parcel> parcels_;
  LinkCounters counters_;
  Instant due_last_;
  bool cut_ = false;
};

}  // namespace godwit::wan

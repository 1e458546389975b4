// What a path carries, from what arrived over it, how long that took, and how long it waited.
//
//     kOpen ──a queue stands, or much is lost──▶ kDrain ──▶ kSettle ──▶ kHold ──in turns──▶ kProbe
//       ▲                                          ▲           │ no shorter  │ ▲              │
//       │                                          └───────────┘  or slower  │ └───failed── kJudge
//       └────────── the bound has reached the ceiling ───────────────────────┘   arrived: more
//
// Time is cut into rounds of one round trip. A round in which the sender was held back tells the
// rate of delivery; when the shortest of its round trips was too long, a queue stood all the time,
// the bottleneck was busy, and that rate is what the path carries; unless much more arrived than in
// any round before, as while a window opens: then the delay is not the path's. Until this has
// happened the path is open: nothing is bounded here, so a path that carries its cap is never
// slowed down, and a new session starts as its congestion controller likes. Afterwards the pace
// stays just below the bound, and in turns a round goes above it; when that much more arrives and
// no queue is left, the bound rises, and the next probe asks for more. Rounds in which the sender
// had too little to send judge nothing, and never lower the delivery rate (delivery-rate samples
// and the maximum over ten round trips as in draft-ietf-ccwg-bbr sections 4.1 and 5.5; the bound by
// a standing queue is ours).
//
// The floor of the round trip may lie: a path can become longer, others can fill its buffer. A
// drain that shortens nothing shows it, and then the floor is raised, not the pace lowered again.
// The same with losses: what goes on after the pace was lowered is the path's own.
//
// All sessions of a link share one, and one path. Bytes are layer 3.
// Time: sans-I/O. Thread: one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "dataplane/base/units.h"
#include "dataplane/transport/round_trip_floor.h"

namespace godwit::transport {

class RateEstimate {
 public:
  // A round is a round trip, but long enough for a few acknowledgements on a short path. Chosen.
  static constexpr Duration kRoundMin = Duration::ms(25);
  // Rounds of which the delivery rate is the largest (BBR's MaxBwFilterLen).
  static constexpr std::size_t kWindowRounds = 10;
  // What may wait in a bounded path: a worker's late turn (measured: 6 ms), and three packets, as
  // trains have two and the largest of them is what the round trip is measured with.
  static constexpr Duration kQueueTarget = Duration::ms(5);
  static constexpr std::int64_t kQueuePackets = 3;
  static constexpr Bytes kPacket = Bytes(1'500);
  // What must wait for two rounds before an open path is bounded; an eighth of the round trip if
  // that is more. Chosen: a bound costs a path that did not deserve it some rounds of probing.
  static constexpr Duration kQueueOpen = Duration::ms(10);
  static constexpr std::int64_t kQueueOpenShare = 8;
  // Share of what was sent that is lost, beyond what the path always loses, in two rounds. Chosen:
  // more than radio and long paths lose by chance, so a path with a shallow buffer is overdriven by
  // a ninth at most.
  static constexpr double kLossShare = 0.1;
  // A path of which so many times more arrives than before is not full yet (BBR's FullBwThresh).
  static constexpr double kGrowth = 1.25;
  // Fewer lost bytes in a round are chance.
  static constexpr Bytes kLossMin = Bytes(10 * 1'500);
  // The pace below the bound: what a probe left in the queue leaves again within kProbeEvery
  // rounds.
  static constexpr double kHoldShare = 0.98;
  static constexpr double kDrainMax =
      0.5;  // share of the bound by which a drain is slower, at most
  static constexpr double kDrainMin = 0.05;  // and at least
  // The first probe puts so much into the queue of a full path, and each further one, after a
  // success, asks for kProbeGrowth times as much, up to twice the bound.
  static constexpr Duration kProbeQueue = Duration::ms(10);
  static constexpr double kProbeMin = 0.05;
  static constexpr double kProbeMax = 1.0;
  static constexpr double kProbeGrowth = 4;
  static constexpr int kProbeEvery = 8;  // rounds, as BBR's gain cycle
  // A path that carries this share of the ceiling needs no bound: the ceiling is one.
  static constexpr double kCeilingShare = 0.97;
  // No bound is lower: control must go on. Chosen.
  static constexpr BitRate kBoundMin = BitRate::bps(64'000);

  // What acknowledgements told.
  struct Arrival {
    std::uint64_t settled = 0;  // bytes that are acknowledged or given up since the last one
    std::uint64_t lost = 0;     // of them, as far as known; may be told later, see is_round_over
    Duration rtt;               // the latest round trip
  };

  // The most that is ever sent; unlimited() without a cap.
  void set_ceiling(BitRate ceiling);
  // For so long something waited to be sent and was not allowed to.
  void on_held(Duration time) { held_ += time; }
  // Whether the next arrival ends a round: its losses should be told then at the latest.
  bool is_round_over(Instant now) const { return now >= ends_at_; }
  void on_arrival(Instant now, const Arrival& arrival);

  // Whether the path was found to carry less than is sent.
  bool is_bounded() const { return phase_ != Phase::kOpen; }
  // What it was found to carry; unlimited() while it is open.
  BitRate bound() const { return is_bounded() ? bound_ : BitRate::unlimited(); }
  // The rate to send at now.
  BitRate pace() const { return pace_; }
  // The most that arrived in one of the last rounds that tell; zero before the first one.
  BitRate delivery() const;

 private:
  enum class Phase : std::uint8_t {
    kOpen,    // no bound
    kDrain,   // slower, until the queue that was seen must have gone
    kSettle,  // at the bound, until the drain shows in round trips
    kHold,    // just below the bound
    kProbe,   // above it for one round
    kJudge,   // just below again, until what was sent above is acknowledged
  };
  // What one round told.
  struct Round {
    BitRate delivery;
    Duration queue;       // that stood all the time
    Duration queue_late;  // that stood in its second half
    double lost = 0;      // share of what was sent, beyond what the path always loses
    bool is_busy = false;
    bool is_strained = false;  // busy, and the queue or the losses are too large
  };

  void begin_round(Instant now, Duration rtt);
  Round close_round(Instant now);
  void on_round(Instant now, const Round& round);
  void bind(Instant now, const Round& round);
  void drain(Instant now, Duration queue);
  void settle(Instant now, const Round& round);
  void judge(Instant now, const Round& round);
  void enter(Phase phase, double share);
  void note_delivery(const Round& round);
  Duration queue_allowed(BitRate rate) const;

  RoundTripFloor floor_;
  double loss_floor_ = 0;  // share that the path loses at any pace
  BitRate ceiling_ = BitRate::unlimited();

  Phase phase_ = Phase::kOpen;
  int rounds_ = 0;    // in this phase
  int strained_ = 0;  // rounds in a row
  BitRate bound_ = BitRate::unlimited();
  BitRate pace_ = BitRate::unlimited();
  double probe_ = 0;  // of the running chain of probes, share of the bound above it; 0: none
  Instant drains_until_;
  Duration drained_ = Duration::zero();     // what the drain must take from the queue
  Duration queue_peak_ = Duration::zero();  // seen since it began
  BitRate delivery_held_;                   // the most of a round just below the bound
  double lost_before_ = 0;                  // of the round that bounded the path
  BitRate bound_before_;                    // what losses alone lowered

  // The running round.
  Instant began_at_ = Instant::never();
  Instant late_from_ = Instant::never();
  Instant ends_at_ = Instant::from_ns(0);
  std::uint64_t settled_ = 0;
  std::uint64_t lost_ = 0;
  Duration held_ = Duration::zero();
  Duration least_ = Duration::max();
  Duration least_late_ = Duration::max();

  std::array<BitRate, kWindowRounds> deliveries_{};
  std::size_t next_delivery_ = 0;
};

}  // namespace godwit::transport

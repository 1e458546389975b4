// What others on the path leave: LEDBAT (RFC 6817) by rate and not by window.
//
// Once in a round trip the rate moves up while the queue on the path is shorter than kQueueTarget,
// and down while it is longer. The queue is the round trip less its floor, so a queue on the way
// back counts as well. Two that yield on one path do not share evenly.
//
// Time: sans-I/O. Thread: one.
#pragma once

#include <cstdint>

#include "dataplane/base/units.h"
#include "dataplane/transport/round_trip_floor.h"

namespace godwit::transport {

// What of a link yields to others on its path.
enum class Yields : std::uint8_t {
  kNothing,
  kBulk,
  kAll,
};

class YieldingRate {
 public:
  // RFC 6817 section 2.5 allows 100 ms; 25 ms disturbs a call or a game less, and is above the
  // delay of acknowledgements on an idle path.
  static constexpr Duration kQueueTarget = Duration::ms(25);
  // Share of what is due by which a round trip with an empty queue moves the rate up. A queue of
  // twice the target moves it down by kRetreat times as much, so that a newcomer has room soon.
  // Chosen: the queue then swings up to three times the target (transport_link_rules_test), with
  // 0.05 and 2 up to four times by calculation.
  static constexpr double kGain = 0.01;
  static constexpr double kRetreat = 4;
  static constexpr double kRetreatMax = 8;
  // What is always taken, share of what is due: control must go on. Chosen.
  static constexpr double kLeast = 0.02;

  explicit YieldingRate(BitRate start) : rate_(start) {}

  BitRate rate() const { return rate_; }
  // `due`: the steps' measure, all that is ours whatever others do; `most`: never more.
  void on_round_trip(Instant now, Duration rtt, BitRate due, BitRate most);

 private:
  BitRate rate_;
  RoundTripFloor floor_;
  Duration least_ = Duration::max();  // since the last move: the filter of RFC 6817 section 2.4.2
  Instant moves_at_ = Instant::from_ns(0);
};

}  // namespace godwit::transport

// When BBR will measure its path next: once no round trip has been as short as the least one for
// ten seconds, it lets no more than four packets be under way for 200 ms
// (draft-cardwell-iccrg-bbr-congestion-control-00 section 4.2.3.2). The library does not tell.
//
// A link that keeps below its path's rate has no queue, and its round trips differ by chance only:
// then there is nothing to measure. So after two seconds the library is told that packets came a
// little earlier, by what the shortest round trip of half a second is above the least one, and the
// next one that is as short begins the ten seconds anew. That is done up to a 32nd of the path's
// round trip; where it is longer, there is a queue or another path.
//
//     0 ── 2 s ── which is the shortest? ── 2.5 s ── told earlier ───────────── 10 s: measures
//
// Until what was under way has arrived, nothing else can be sent while it measures, control
// included. So bulk keeps to that window one round trip before, and the window is open for control
// all the time. Where a round trip's losses do not fit into it, it is two: their repetitions take
// the second one.
//
// Time: sans-I/O. Thread: one.
#pragma once

#include <algorithm>
#include <cstdint>

#include "dataplane/base/units.h"

namespace godwit::transport {

class PathMeasurement {
 public:
  static constexpr Duration kEvery = Duration::seconds(10);

  // Something was acknowledged: the library's newest round trip, and whether it measures now. It
  // looks at nothing else; ten seconds begin again when it has measured.
  void on_acknowledgement(Instant now, Duration rtt, bool is_measuring) {
    const Duration true_rtt = rtt + earlier(now);
    if (rtt <= least_ || now > since_ + kEvery) {
      shortest_ = now > since_ + kEvery ? true_rtt : std::min(shortest_, true_rtt);
      least_ = rtt;
      begin(now);
    } else if (now > since_ + kLook && now <= since_ + kTell) {
      recent_ = std::min(recent_, true_rtt);
    }
    if (is_measuring_ && !is_measuring) {
      begin(now);
    }
    rtt_ = rtt;
    is_measuring_ = is_measuring;
  }
  // By how much earlier than `now` the library is told that a packet came.
  Duration earlier(Instant now) const {
    if (now <= since_ + kTell || now > since_ + kEvery || recent_ == Duration::max()) {
      return Duration::zero();
    }
    const Duration above = recent_ - least_;
    return above <= shortest_ / kTolerated ? std::max(above, Duration::zero()) : Duration::zero();
  }
  // About once in a round trip: so many packets were lost since the last call.
  void on_losses(std::uint64_t packets) {
    losses_ += (static_cast<double>(packets) - losses_) / kLossRounds;
  }
  // Whether what is sent now, or its repetition, may still be under way when it begins.
  bool is_near(Instant now) const {
    const Duration before = losses_ > kLossesMax ? rtt_ * 9 / 4 : rtt_;  // noticed after 9/8 of one
    return rtt_ > Duration::zero() && now + before > since_ + kEvery;
  }

 private:
  static constexpr Duration kLook = Duration::ms(2'000);
  static constexpr Duration kTell = Duration::ms(2'500);
  static constexpr std::int64_t kTolerated = 32;
  static constexpr double kLossesMax = 2;   // packets: half of the window
  static constexpr double kLossRounds = 8;  // how many are averaged; chosen

  void begin(Instant now) {
    since_ = now;
    recent_ = Duration::max();
  }

  Duration least_ = Duration::max();     // as the library has it
  Duration shortest_ = Duration::max();  // since it measured, as it was
  Duration recent_ = Duration::max();    // of the time in which it is looked for
  Instant since_ = Instant::from_ns(0);
  Duration rtt_ = Duration::zero();
  bool is_measuring_ = false;
  double losses_ = 0;  // in a round trip
};

}  // namespace godwit::transport

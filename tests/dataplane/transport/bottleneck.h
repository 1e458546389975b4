// A sender behind a LinkShaper, a bottleneck with a queue, and acknowledgements; in virtual time.
//
//     always something to send ─▶ LinkShaper ─▶ window ─▶ queue ▶ rate ─▶ delay ─▶ receiver
//                                     ▲                    │ full, or by chance: lost
//                                     └──── acknowledgements, after as long a delay ◀────┘
//
// The window stands for a congestion controller in its start: it grows by what is acknowledged.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <queue>
#include <utility>
#include <vector>

#include "dataplane/base/random.h"
#include "dataplane/base/units.h"
#include "dataplane/transport/shaper.h"

namespace godwit::transport::testing {

// What the path does; may be changed while it runs.
struct PathConditions {
  BitRate rate;
  Duration rtt;  // both ways, without any queue
  Duration buffer = Duration::ms(500);
  double loss = 0;                     // by chance
  Duration jitter = Duration::zero();  // of acknowledgements, uniform in [0, jitter)
  double app_share = 1.0;              // of the time in which there is something to send
};

class Bottleneck {
 public:
  static constexpr std::uint64_t kPacket = 1'480;

  Bottleneck(std::uint64_t seed, BitRate cap, const PathConditions& conditions)
      : path(conditions), shaper(cap), random_(seed) {}

  // What was seen in a run.
  struct Seen {
    double delivered = 0;  // bit/s
    double queue_mean_ms = 0;
    double queue_most_ms = 0;
    double lost = 0;  // share
  };
  Seen run(Duration time) {
    const Instant begin = now_;
    const Instant end = now_ + time;
    Totals totals;
    while (now_ < end) {
      send(totals);
      acknowledge();
      const Instant ack = acks_.empty() ? Instant::never() : acks_.top().at;
      const bool can_send = in_flight_ < window_ && has_data();
      const Instant ready = can_send ? std::max(shaper.ready_at(), now_) : now_ + Duration::ms(1);
      now_ = std::clamp(std::min(ack, ready), now_ + Duration::us(10), end);
    }
    const double packets = std::max<double>(1, static_cast<double>(totals.queued));
    return {.delivered = static_cast<double>(totals.delivered) * 8 / (end - begin).to_seconds(),
            .queue_mean_ms = totals.queue_ms / packets,
            .queue_most_ms = totals.queue_most_ms,
            .lost = static_cast<double>(totals.lost) /
                    std::max<double>(1, static_cast<double>(totals.lost + totals.queued))};
  }
  // Runs until `share` of the path's rate arrives over `over`, or for `at_most`; how long it took.
  Duration until(double share, Duration over, Duration at_most) {
    const Instant begin = now_;
    while (now_ - begin < at_most) {
      const double got = run(over).delivered;
      if (got >= share * static_cast<double>(path.rate.bits_per_second())) {
        break;
      }
    }
    return now_ - begin;
  }

  PathConditions path;
  LinkShaper shaper;

 private:
  struct Ack {
    Instant at;
    Instant sent;
    bool operator>(const Ack& other) const { return at > other.at; }
  };
  struct Totals {
    std::uint64_t delivered = 0;
    std::uint64_t queued = 0;  // packets
    std::uint64_t lost = 0;
    double queue_ms = 0;
    double queue_most_ms = 0;
  };

  bool has_data() const {
    constexpr std::int64_t kPeriodMs = 100;
    const std::int64_t phase = now_.ns() / 1'000'000 % kPeriodMs;
    return static_cast<double>(phase) < path.app_share * kPeriodMs;
  }

  void send(Totals& totals) {
    bool was_held = false;
    while (has_data()) {
      const bool is_full = in_flight_ >= window_;
      was_held = is_full || !shaper.allows(now_);
      if (was_held) {
        earns_ = !is_full;  // who waits for the window earns nothing
        break;
      }
      const std::size_t packets = std::min<std::size_t>(
          shaper.train_packets(kPacket), (window_ - in_flight_ + kPacket - 1) / kPacket);
      for (std::size_t index = 0; index < packets; ++index) {
        launch(totals);
      }
      shaper.charge(now_, packets * kPacket, earns_);
    }
    if (held_since_ < now_) {
      shaper.on_held(now_ - held_since_);
    }
    held_since_ = was_held ? now_ : Instant::never();
  }

  void launch(Totals& totals) {
    in_flight_ += kPacket;
    const Duration queue = std::max(free_at_, now_) - now_;
    if (queue > path.buffer || random_.chance(path.loss)) {
      ++totals.lost;
      acks_.push({now_ + path.rtt + queue, Instant::never()});  // when it is declared lost
      return;
    }
    free_at_ = std::max(free_at_, now_) + path.rate.time_for(Bytes(kPacket));
    Duration jitter = Duration::zero();
    if (path.jitter > Duration::zero()) {
      const auto most = static_cast<std::uint64_t>(path.jitter.count_ns());
      jitter = Duration::ns(static_cast<std::int64_t>(random_.below(most)));
    }
    acks_.push({free_at_ + path.rtt + jitter, now_});
    totals.delivered += kPacket;
    ++totals.queued;
    totals.queue_ms += queue.to_seconds() * 1e3;
    totals.queue_most_ms = std::max(totals.queue_most_ms, queue.to_seconds() * 1e3);
  }

  void acknowledge() {
    RateEstimate::Arrival arrival;
    while (!acks_.empty() && acks_.top().at <= now_) {
      const Ack ack = acks_.top();
      acks_.pop();
      in_flight_ -= kPacket;
      arrival.settled += kPacket;
      if (ack.sent != Instant::never()) {
        window_ += kPacket;
        rtt_ = now_ - ack.sent;
      } else {
        lost_ += kPacket;
      }
    }
    if (arrival.settled == 0 || rtt_ == Duration::zero()) {
      return;
    }
    if (shaper.estimate().is_round_over(now_)) {
      arrival.lost = std::exchange(lost_, 0);
    }
    arrival.rtt = rtt_;
    shaper.on_arrival(now_, arrival);
  }

  Random random_;
  Instant now_ = Instant::from_ns(1'000'000'000);
  Instant free_at_ = Instant::from_ns(0);
  Instant held_since_ = Instant::never();
  bool earns_ = true;
  Duration rtt_ = Duration::zero();
  std::uint64_t window_ = 10 * kPacket;
  std::uint64_t in_flight_ = 0;
  std::uint64_t lost_ = 0;
  std::priority_queue<Ack, std::vector<Ack>, std::greater<>> acks_;
};

}  // namespace godwit::transport::testing

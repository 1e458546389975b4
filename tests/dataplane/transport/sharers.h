// Workers that share a cap, each with its shaper, in virtual time; and what they sent when.
//
// Thread: one.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <vector>

#include "dataplane/transport/shaper.h"

namespace godwit::transport {

class Sharers {
 public:
  static constexpr std::size_t kPacket = 1'480;

  struct Sent {
    Instant at;
    std::size_t worker = 0;
    std::uint64_t bytes = 0;
  };

  Sharers(BitRate cap, std::uint32_t workers) : shared(cap, workers) {
    for (std::uint32_t i = 0; i < workers; ++i) {
      shapers.emplace_back(cap, &shared);
    }
  }

  // One train, if there may be one now.
  bool send(std::size_t worker,
            Instant now,
            std::size_t packets_max = LinkShaper::kTrainPacketsMax,
            bool has_waited = true) {
    LinkShaper& shaper = shapers[worker];
    if (!shaper.allows(now)) {
      return false;
    }
    const std::uint64_t bytes = std::min(shaper.train_packets(kPacket), packets_max) * kPacket;
    shaper.charge(now, bytes, has_waited);
    sent.push_back({now, worker, bytes});
    return true;
  }
  // From `from` until `until` these have always something to send, and wake on time.
  void run(const std::vector<std::size_t>& busy, Instant from, Instant until) {
    std::vector<bool> has_waited(shapers.size());
    for (Instant now = from;;) {
      const auto ready = [&](std::size_t worker) { return shapers[worker].ready_at(); };
      const std::size_t next =
          *std::min_element(busy.begin(), busy.end(), [&](std::size_t a, std::size_t b) {
            return ready(a) < ready(b);
          });
      now = std::max(now, ready(next));
      if (now >= until) {
        return;
      }
      send(next, now, LinkShaper::kTrainPacketsMax, has_waited[next]);
      has_waited[next] = true;
    }
  }
  // Share of the cap that a worker sent in [from, until).
  double share(std::size_t worker, Instant from, Instant until) const {
    std::uint64_t bytes = 0;
    for (const Sent& one : sent) {
      bytes += one.worker == worker && one.at >= from && one.at < until ? one.bytes : 0;
    }
    return static_cast<double>(bytes) / static_cast<double>(shared_cap_bytes(until - from));
  }
  // By how many bytes all together passed the usable cap in the interval in which it was most.
  double excess_max() const {
    const double per_ns = shared.usable().bytes_per_second() * 1e-9;
    double most = 0;
    double running = 0;
    for (std::size_t i = 0; i < sent.size(); ++i) {
      const Duration since = i == 0 ? Duration::zero() : sent[i].at - sent[i - 1].at;
      running = std::max(running - per_ns * static_cast<double>(since.count_ns()), 0.0);
      running += static_cast<double>(sent[i].bytes);
      most = std::max(most, running);
    }
    return most;
  }
  // Of a whole train.
  std::size_t train_bytes() const { return shapers.front().train_packets(kPacket) * kPacket; }
  // What the header promises, less a train for each worker: here each sees the others' at once.
  double burst_max() const {
    const double credits =
        2 * static_cast<double>(shared.usable().bytes_in(shared.credit()).count());
    return credits + static_cast<double>(2 * shapers.size() * train_bytes());
  }

  SharedCap shared;
  std::deque<LinkShaper> shapers;
  std::vector<Sent> sent;

 private:
  std::uint64_t shared_cap_bytes(Duration time) const {
    return shared.usable().bytes_in(time).count();
  }
};

}  // namespace godwit::transport

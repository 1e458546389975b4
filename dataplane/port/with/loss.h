// A port that loses datagrams as a bad path does: single ones, and in bursts.
//
//     caller ◀──▶ with_loss ◀──▶ port
//
// Each direction is a Gilbert-Elliott channel (Gilbert 1960; Elliott, "Estimates of error rates for
// codes on burst-noise channels", 1963): it is good or bad, changes with a probability before every
// datagram, and loses with the state's. For tests and drills.
//
// Equal seeds and equal calls lose the same datagrams.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/base/random.h"
#include "dataplane/port/with/decorator.h"

namespace godwit::port {

// One direction. Probabilities per datagram, 0..1. With `to_bad` = 0 losses are independent.
struct LossChannel {
  double loss_good = 0.0;
  double loss_bad = 1.0;
  double to_bad = 0.0;    // from good
  double to_good = 0.25;  // from bad: bursts are 1 / to_good datagrams long on average

  // The share that is lost in the long run.
  double mean() const {
    const double bad = to_bad > 0 ? to_bad / (to_bad + to_good) : 0.0;
    return bad * loss_bad + (1 - bad) * loss_good;
  }
};

struct LossCounters {
  std::uint64_t offered = 0;  // datagrams
  std::uint64_t lost = 0;     // of these
};

class LossPort final : public Decorator {
 public:
  // `sent` are the conditions of what the caller transmits, `received` of what comes in.
  LossPort(std::unique_ptr<Port> port,
           const LossChannel& sent,
           const LossChannel& received,
           std::uint64_t seed);

  std::size_t receive(Instant now, std::span<Train> out) override;
  void release(std::span<const Train> trains) override;
  // A train that the port does not take is drawn again when it is offered again.
  std::size_t transmit(Instant now, std::span<const Train> trains) override;

  // `counters` are the port's own: sent are those that were not lost, received all that came.
  LossCounters sent() const { return sent_.counters; }
  LossCounters received() const { return received_.counters; }

 private:
  struct Channel {
    LossChannel conditions;
    LossCounters counters;
    bool is_bad = false;
  };

  bool loses(Channel& channel);
  // Copies the datagrams of `train` that are not lost to `to`, end to end, which may be its own
  // place; returns their bytes.
  std::size_t keep(Channel& channel, const Train& train, std::byte* to);

  Channel sent_;
  Channel received_;
  Random random_;
  std::vector<std::byte> kept_;   // what is left of the train that is being sent
  std::vector<Train> shortened_;  // lent to the caller in part; here as the port knows them
};

}  // namespace godwit::port

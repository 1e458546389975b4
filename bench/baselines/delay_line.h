// The oracle: every delta, uncoded and whole, at every other site exactly one link delay later.
//
// It is what latency alone costs and so the bound for any transport. Each site writes its deltas
// into a ring in a file of memory that the others map; a reader takes a delta when the link's
// one-way delay has passed since it was written. There is no rate, no loss and no protocol; nothing
// is merged and nothing is dropped: a writer that would overtake a reader fails instead.
//
// Thread: one owner per site. Memory: kSlots × 4 B × elements per site, in `folder` (a tmpfs).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bench/workloads/trainer/exchange.h"

namespace godwit::baselines {

struct DelayLineOptions {
  std::size_t site = 0;  // own index
  std::vector<Duration>
      delays;          // delays[from]: one way, from that site to this one; own entry unused
  std::string folder;  // the same for all sites, empty at the start of a run
};

class DelayLine final : public trainer::Exchange {
 public:
  DelayLine(DelayLineOptions options, std::size_t elements);
  ~DelayLine() override;

  Result<void> connect(Instant deadline) override;
  Result<void> publish(std::uint64_t step, std::span<const float> delta) override;
  Result<void> collect(std::uint64_t step, std::span<float> parameters) override;
  std::string description() const override;

 private:
  class Ring;
  DelayLineOptions options_;
  std::size_t elements_;
  std::vector<std::unique_ptr<Ring>> rings_;  // one per site; its own is written
  std::vector<std::uint64_t> next_;           // the step that is read next, per site
};

}  // namespace godwit::baselines

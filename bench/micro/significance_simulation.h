// One link under virtual time, with more updates than it can carry: what waiting costs by policy.
//
// Keys gain energy by Poisson merges whose energies are exponential; g (energy per second) and b
// (bytes of a visit) are log-normal over the keys. A visit of b bytes takes b/C seconds and resets
// its key. The cost is the mean over time of all pending energy: significance × delay.
//
// Time: virtual; a run is a function of its seed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "dataplane/base/random.h"
#include "scheduler/queue/link_queue.h"

namespace godwit::bench {

struct SignificanceModel {
  struct Key {
    double merges_per_second;
    double merge_energy;  // Mean.
    double bytes;
  };
  std::vector<Key> keys;
  double bytes_per_second = 0;

  // `merges_per_sweep`: how many merges a key gets, on average, while the link visits all keys.
  static SignificanceModel draw(Random& random, std::size_t keys, double merges_per_sweep);

  // A bound from below on the cost of every policy: the Lagrangian dual of "the link carries
  // C bytes/s on average", max over prices of Σ min_u J(u, price) − price·C.
  [[nodiscard]] double lower_bound() const;
};

// What a policy sees. `pick` returns a key with something pending.
class Policy {
 public:
  virtual ~Policy() = default;
  virtual void merged(double now, std::size_t key, double energy) = 0;
  virtual std::size_t pick(double now) = 0;
  virtual void sent(double now, std::size_t key) = 0;
};

// The queue as the gateway uses it; `age_cap` as its option.
class LinkQueuePolicy final : public Policy {
 public:
  LinkQueuePolicy(const SignificanceModel& model, Duration age_cap);
  void merged(double now, std::size_t key, double energy) override;
  std::size_t pick(double now) override;
  void sent(double now, std::size_t key) override;

 private:
  const SignificanceModel& model_;
  scheduler::LinkQueue queue_;
};

// First in, first out, merging: the key that has waited longest.
class FifoMergePolicy final : public Policy {
 public:
  explicit FifoMergePolicy(const SignificanceModel& model) : waiting_(model.keys.size()) {}
  void merged(double now, std::size_t key, double energy) override;
  std::size_t pick(double now) override;
  void sent(double now, std::size_t key) override;

 private:
  std::vector<bool> waiting_;
  std::vector<std::size_t> order_;
  std::size_t first_ = 0;
};

// Greedy: the most pending energy per byte.
class DensityPolicy final : public Policy {
 public:
  explicit DensityPolicy(const SignificanceModel& model)
      : model_(model), energy_(model.keys.size()) {}
  void merged(double now, std::size_t key, double energy) override;
  std::size_t pick(double now) override;
  void sent(double now, std::size_t key) override;

 private:
  const SignificanceModel& model_;
  std::vector<double> energy_;
};

// Mean pending energy over `visits` visits, after a warm-up of a quarter of them.
double simulate(const SignificanceModel& model, Policy& policy, Random& random, std::size_t visits);

}  // namespace godwit::bench

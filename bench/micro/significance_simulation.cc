// The model, its bound, the policies and the loop.
#include "bench/micro/significance_simulation.h"

#include <algorithm>
#include <cmath>
#include <queue>
#include <utility>

#include "dataplane/base/assert.h"

namespace godwit::bench {

namespace {

constexpr double kSpreadOfEnergy = 1.5;  // σ of log g; chosen, as layers of one model differ.
constexpr double kSpreadOfBytes = 0.5;   // σ of log b.
constexpr double kBytesMean = 4'000;
constexpr double kRate = 1e6;  // Bytes per second.

double normal(Random& random) {
  return std::sqrt(-2 * std::log(1 - random.uniform())) *
         std::cos(6.283185307179586 * random.uniform());
}

double exponential(Random& random, double mean) {
  return -mean * std::log(1 - random.uniform());
}

Instant at(double seconds) {
  return Instant::from_ns(std::llround(seconds * 1e9));
}

}  // namespace

SignificanceModel SignificanceModel::draw(Random& random,
                                          std::size_t keys,
                                          double merges_per_sweep) {
  SignificanceModel model;
  model.bytes_per_second = kRate;
  double sweep_bytes = 0;
  for (std::size_t i = 0; i < keys; ++i) {
    const double energy = std::exp(kSpreadOfEnergy * normal(random));
    const double bytes = kBytesMean * std::exp(kSpreadOfBytes * normal(random));
    model.keys.push_back({.merges_per_second = 0, .merge_energy = energy, .bytes = bytes});
    sweep_bytes += bytes;
  }
  for (Key& key : model.keys) {
    key.merges_per_second = merges_per_sweep * kRate / sweep_bytes;
  }
  return model;
}

double SignificanceModel::lower_bound() const {
  // J(u) = (m·u²/2 + price·b·r)/(1 + u) is least at u = √(1 + 2·price·b·r/m) − 1, where it is m·u.
  const auto dual = [this](double price) {
    double sum = -price * bytes_per_second;
    for (const Key& key : keys) {
      sum += key.merge_energy *
             (std::sqrt(1 + 2 * price * key.bytes * key.merges_per_second / key.merge_energy) - 1);
    }
    return sum;
  };
  // The dual is concave in the price: golden section over its logarithm.
  double low = -60;
  double high = 60;
  for (int i = 0; i < 200; ++i) {
    const double third = (high - low) / 3;
    (dual(std::exp(low + third)) < dual(std::exp(high - third)) ? low : high) +=
        dual(std::exp(low + third)) < dual(std::exp(high - third)) ? third : -third;
  }
  return std::max(0.0, dual(std::exp(low)));
}

LinkQueuePolicy::LinkQueuePolicy(const SignificanceModel& model, Duration age_cap)
    : model_(model), queue_({.age_cap = age_cap, .depth = {}}) {}

void LinkQueuePolicy::merged(double now, std::size_t key, double energy) {
  queue_.on_merge(
      at(now), {0, static_cast<std::uint32_t>(key)}, {.energy = energy, .elements = 32'768});
}

std::size_t LinkQueuePolicy::pick(double now) {
  const auto choice =
      queue_.next(at(now),
                  {.rate = BitRate::bps(static_cast<std::uint64_t>(model_.bytes_per_second * 8)),
                   .quantum = Bytes::kib(64)});
  GODWIT_ASSERT(choice.has_value());
  return choice->key.tile;
}

void LinkQueuePolicy::sent(double now, std::size_t key) {
  queue_.on_sent(at(now),
                 {0, static_cast<std::uint32_t>(key)},
                 0,
                 Bytes(static_cast<std::uint64_t>(model_.keys[key].bytes)));
}

void FifoMergePolicy::merged(double, std::size_t key, double) {
  if (!waiting_[key]) {
    waiting_[key] = true;
    order_.push_back(key);
  }
}

std::size_t FifoMergePolicy::pick(double) {
  return order_[first_];
}

void FifoMergePolicy::sent(double, std::size_t key) {
  waiting_[key] = false;
  ++first_;
}

void DensityPolicy::merged(double, std::size_t key, double energy) {
  energy_[key] += energy;
}

std::size_t DensityPolicy::pick(double) {
  std::size_t best = 0;
  for (std::size_t key = 1; key < energy_.size(); ++key) {
    if (energy_[key] * model_.keys[best].bytes > energy_[best] * model_.keys[key].bytes) {
      best = key;
    }
  }
  return best;
}

void DensityPolicy::sent(double, std::size_t key) {
  energy_[key] = 0;
}

double simulate(const SignificanceModel& model,
                Policy& policy,
                Random& random,
                std::size_t visits) {
  using Merge = std::pair<double, std::size_t>;  // When, which key.
  std::priority_queue<Merge, std::vector<Merge>, std::greater<>> merges;
  for (std::size_t key = 0; key < model.keys.size(); ++key) {
    merges.emplace(exponential(random, 1 / model.keys[key].merges_per_second), key);
  }
  std::vector<double> pending(model.keys.size());
  double total = 0;
  double now = 0;
  double cost = 0;
  double measured_from = 0;
  const auto merge_until = [&](double until) {
    while (merges.top().first <= until) {
      const auto [when, key] = merges.top();
      merges.pop();
      cost += total * (when - now);
      now = when;
      const double energy = exponential(random, model.keys[key].merge_energy);
      pending[key] += energy;
      total += energy;
      policy.merged(now, key, energy);
      merges.emplace(now + exponential(random, 1 / model.keys[key].merges_per_second), key);
    }
    cost += total * (until - now);
    now = until;
  };
  for (std::size_t visit = 0; visit < visits; ++visit) {
    if (visit == visits / 4) {
      cost = 0;
      measured_from = now;
    }
    while (total <= 1e-12) {
      total = 0;
      merge_until(merges.top().first);
    }
    const std::size_t key = policy.pick(now);
    // What is chosen is what is encoded: merges during the transmission wait for the next visit.
    total -= pending[key];
    pending[key] = 0;
    policy.sent(now, key);
    merge_until(now + model.keys[key].bytes / model.bytes_per_second);
  }
  return cost / (now - measured_from);
}

}  // namespace godwit::bench

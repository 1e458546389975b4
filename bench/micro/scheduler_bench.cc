// The scheduler's decisions: nanoseconds beside a heap and std::set, and the cost of waiting.
//
// Hold = take the best key and put it back with a lower rank. The three structures alternate
// in rounds of 256 holds on the same ranks; `ratio` is the median over rounds of time / heap's
// time.
#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>

#include "bench/micro/significance_simulation.h"
#include "dataplane/base/random.h"
#include "scheduler/deadline/commitments.h"
#include "scheduler/deadline/deadline_plan.h"
#include "scheduler/queue/bucket_queue.h"
#include "scheduler/queue/link_queue.h"

namespace godwit::bench {
namespace {

using scheduler::BucketQueue;
using scheduler::Slot;

constexpr int kHolds = 256;

// How far, in octaves, a key falls behind the best one when it is sent: bell-shaped, 8 at most.
double fall(Random& random) {
  return 2 * (random.uniform() + random.uniform() + random.uniform() + random.uniform());
}

constexpr double kFirstOctave = 200;  // Ranks go down from here
constexpr double kLastOctave = -200;  // to here; then the structures are filled anew.

// The reference: the largest rank first, four children to a node.
class Heap4 {
 public:
  void push(double value, Slot slot) {
    heap_.emplace_back(value, slot);
    std::size_t at = heap_.size() - 1;
    while (at > 0 && heap_[(at - 1) / 4] < heap_[at]) {
      std::swap(heap_[(at - 1) / 4], heap_[at]);
      at = (at - 1) / 4;
    }
  }
  [[nodiscard]] std::pair<double, Slot> top() const { return heap_.front(); }
  void replace_top(double value, Slot slot) {
    const std::pair<double, Slot> moved{value, slot};
    std::size_t at = 0;
    for (;;) {
      std::size_t best = 4 * at + 1;
      if (best >= heap_.size()) {
        break;
      }
      const std::size_t end = std::min(best + 4, heap_.size());
      for (std::size_t child = best + 1; child < end; ++child) {
        best = heap_[best] < heap_[child] ? child : best;
      }
      if (!(moved < heap_[best])) {
        break;
      }
      heap_[at] = heap_[best];
      at = best;
    }
    heap_[at] = moved;
  }

 private:
  std::vector<std::pair<double, Slot>> heap_;
};

struct Structures {
  explicit Structures(std::size_t count) : ranks(count) {
    Random random(1);
    links.resize(count);
    for (Slot slot = 0; slot < count; ++slot) {
      const double value = std::exp2(kFirstOctave - fall(random));
      ranks[slot] = value;
      buckets.push(links, slot, BucketQueue::bucket_of(value));
      heap.push(value, slot);
      set.emplace(value, slot);
    }
  }
  // Each takes the best key and puts it back `factor` (< 1) of its rank lower, so that the spread
  // of ranks stays the same for ever. The bucket queue's ranks lie in an array beside it.
  void hold_buckets(double factor) {
    const Slot slot = buckets.top();
    buckets.remove(links, slot, BucketQueue::bucket_of(ranks[slot]));
    ranks[slot] *= factor;
    buckets.push(links, slot, BucketQueue::bucket_of(ranks[slot]));
  }
  void hold_heap(double factor) { heap.replace_top(heap.top().first * factor, heap.top().second); }
  void hold_set(double factor) {
    const auto best = *std::prev(set.end());
    set.erase(std::prev(set.end()));
    set.emplace(best.first * factor, best.second);
  }
  std::vector<double> ranks;
  BucketQueue buckets;
  scheduler::SlotLinks links;
  Heap4 heap;
  std::set<std::pair<double, Slot>> set;
};

template <class Hold>
double nanoseconds(const std::vector<double>& inputs, const Hold& hold) {
  const auto start = std::chrono::steady_clock::now();
  for (const double value : inputs) {
    hold(value);
  }
  return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start)
             .count() /
         static_cast<double>(inputs.size());
}

double median(std::vector<double>& values, std::size_t quarter = 2) {
  std::sort(values.begin(), values.end());
  return values[values.size() * quarter / 4];
}

void BM_QueueHold(benchmark::State& state) {
  const auto count = static_cast<std::size_t>(state.range(0));
  auto structures = std::make_unique<Structures>(count);
  Random random(2);
  std::vector<double> falls(kHolds);
  std::vector<double> ratios;
  std::vector<double> subject;
  std::vector<double> heap;
  std::vector<double> set;
  for ([[maybe_unused]] auto _ : state) {
    if (structures->heap.top().first < std::exp2(kLastOctave)) {
      structures = std::make_unique<Structures>(count);
    }
    std::generate(falls.begin(), falls.end(), [&random] { return std::exp2(-fall(random)); });
    subject.push_back(nanoseconds(falls, [&](double by) { structures->hold_buckets(by); }));
    heap.push_back(nanoseconds(falls, [&](double by) { structures->hold_heap(by); }));
    set.push_back(nanoseconds(falls, [&](double by) { structures->hold_set(by); }));
    ratios.push_back(subject.back() / heap.back());
    state.SetIterationTime(subject.back() * 1e-9);
  }
  state.counters["ratio"] = median(ratios);
  state.counters["p25"] = median(ratios, 1);
  state.counters["p75"] = median(ratios, 3);
  state.counters["hold_ns"] = median(subject);
  state.counters["heap_ns"] = median(heap);
  state.counters["set_ns"] = median(set);
}
BENCHMARK(BM_QueueHold)
    ->ArgName("keys")
    ->Arg(1'000)
    ->Arg(100'000)
    ->Arg(1'000'000)
    ->Iterations(2'000)
    ->UseManualTime();

// A whole decision as the gateway takes it: next, on_sent, and the key's next merge.
void BM_LinkQueueDecide(benchmark::State& state) {
  const auto count = static_cast<std::uint32_t>(state.range(0));
  scheduler::LinkQueue queue({.age_cap = Duration::seconds(1e6), .depth = {}});
  Random random(3);
  Instant now = Instant::from_ns(0);
  for (std::uint32_t tile = 0; tile < count; ++tile) {
    queue.on_merge(now, {tile % 64, tile}, {.energy = std::exp2(fall(random)), .elements = 32'768});
  }
  const scheduler::LinkView link{.rate = BitRate::mbps(1000), .quantum = Bytes::kib(64)};
  for ([[maybe_unused]] auto _ : state) {
    now += Duration::us(20);
    const auto choice = queue.next(now, link);
    queue.on_sent(now, choice->key, 0, Bytes(2'000));
    queue.on_merge(now, choice->key, {.energy = std::exp2(fall(random)), .elements = 32'768});
  }
}
BENCHMARK(BM_LinkQueueDecide)->ArgName("keys")->Arg(1'000)->Arg(100'000);

// Mean pending energy of each policy over the Lagrangian bound, 20 seeds of 150 keys.
void BM_SignificanceCost(benchmark::State& state) {
  constexpr std::uint64_t kSeeds = 20;
  const auto merges = static_cast<double>(state.range(0));
  double index = 0;
  double fifo = 0;
  double density = 0;
  for ([[maybe_unused]] auto _ : state) {
    for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
      Random random(seed);
      const SignificanceModel model = SignificanceModel::draw(random, 150, merges);
      const double bound = model.lower_bound() * kSeeds;
      const auto cost = [&](Policy& policy) {
        Random events(seed + 1'000);
        return simulate(model, policy, events, 150 * 40) / bound;
      };
      LinkQueuePolicy ours(model, Duration::seconds(1e6));
      FifoMergePolicy first(model);
      DensityPolicy greedy(model);
      index += cost(ours);
      fifo += cost(first);
      density += cost(greedy);
    }
  }
  state.counters["index_over_bound"] = index;
  state.counters["density_over_bound"] = density;
  state.counters["fifo_over_bound"] = fifo;
  state.counters["fifo_over_index"] = fifo / index;
}
BENCHMARK(BM_SignificanceCost)
    ->ArgName("merges_per_sweep")
    ->Arg(3)
    ->Arg(10)
    ->Arg(40)
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);

constexpr Instant kStart = Instant::from_ns(0);

// Rounds of six layers each, of falling worth, due within 20 s; the rate takes about a half of all.
void BM_DeadlinePlan(benchmark::State& state) {
  const auto rounds = static_cast<std::size_t>(state.range(0));
  scheduler::DeadlinePlan plan(rounds);
  Random random(1);
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < rounds; ++i) {
    std::array<scheduler::Layer, 6> layers;
    double worth = 1;
    for (auto& layer : layers) {
      layer.bytes = Bytes(1'000 + random.below(50'000));
      layer.value = worth * static_cast<double>(layer.bytes.count());
      worth *= 0.3 + 0.5 * random.uniform();
      bytes += layer.bytes.count();
    }
    const auto due = static_cast<std::int64_t>(1 + random.below(20'000));
    plan.add(kStart + Duration::ms(due), 1, layers);
  }
  const BitRate rate = BitRate::bps(bytes * 8 / 40);
  for ([[maybe_unused]] auto _ : state) {
    plan.plan(kStart, rate, Bytes(0));
    benchmark::DoNotOptimize(plan.next(kStart));
  }
}
BENCHMARK(BM_DeadlinePlan)->ArgName("rounds")->Arg(10)->Arg(100)->Arg(1'000);

// One promise more, and back, beside so many that are kept within a second.
void BM_Commit(benchmark::State& state) {
  const auto promises = static_cast<std::size_t>(state.range(0));
  scheduler::Commitments book(kStart, BitRate::mbps(100'000), promises + 1);
  Random random(2);
  const auto some_time = [&] {
    return kStart + Duration::us(static_cast<std::int64_t>(1'000 + random.below(1'000'000)));
  };
  while (book.size() < promises) {
    book.commit(kStart, Bytes(1'000), some_time());
  }
  for ([[maybe_unused]] auto _ : state) {
    if (const auto id = book.commit(kStart, Bytes(1'000), some_time())) {
      book.release(*id);
    }
  }
}
BENCHMARK(BM_Commit)->ArgName("promises")->Arg(10)->Arg(1'000)->Arg(100'000);

}  // namespace
}  // namespace godwit::bench

BENCHMARK_MAIN();

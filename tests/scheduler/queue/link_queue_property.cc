// Laws of the link's queue, under random merges, visits, blocks and removals.
#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "dataplane/base/random.h"
#include "scheduler/queue/link_queue.h"

namespace godwit::scheduler {
namespace {

constexpr std::uint32_t kLanes = 4;
constexpr std::uint32_t kTiles = 12;
const LinkView kLink{.rate = BitRate::mbps(8), .quantum = Bytes(4'096)};

struct Pending {
  double energy = 0;
  double moment = 0;  // Energy times when it was merged, seconds.
  Instant deadline = Instant::never();
  Class traffic_class = Class::kBulk;
};

// A random run that mirrors the queue in a map, and writes down every choice.
class Run {
 public:
  explicit Run(std::uint64_t seed) : random_(seed) {}

  void step() {
    now_ += Duration::us(static_cast<std::int64_t>(random_.below(20'000)));
    const std::uint64_t dice = random_.below(100);
    if (dice < 55) {
      merge();
    } else if (dice < 92) {
      visit();
    } else if (dice < 98) {
      block();
    } else {
      remove();
    }
    check();
  }

  [[nodiscard]] const std::vector<std::uint64_t>& choices() const { return choices_; }

 private:
  std::uint32_t lane() { return static_cast<std::uint32_t>(random_.below(kLanes)); }

  void merge() {
    const Key key{lane(), static_cast<std::uint32_t>(random_.below(kTiles))};
    KeyUpdate update{.energy = 1.0 + static_cast<double>(random_.below(1000)), .elements = 4'096};
    update.traffic_class = static_cast<Class>(random_.below(kClassCount));
    if (random_.chance(0.3)) {
      update.deadline = now_ + Duration::ms(static_cast<std::int64_t>(random_.below(300)));
    }
    queue_.on_merge(now_, key, update);
    Pending& pending = model_[key];
    pending.energy += update.energy;
    pending.moment += update.energy * seconds();
    pending.traffic_class = std::min(pending.traffic_class, update.traffic_class);
  }

  void visit() {
    const auto choice = queue_.next(now_, kLink);
    bool choosable = false;
    for (const auto& [key, pending] : model_) {
      choosable |= !blocked_[key.lane];
    }
    if (!choice) {
      // Work is left over only while it is held, and then there is a wake-up for it.
      const Instant wakeup = queue_.next_wakeup();
      const bool held = wakeup > now_ && wakeup != Instant::never();
      RC_ASSERT(held || !choosable);
      return;
    }
    RC_ASSERT(model_.contains(choice->key));
    RC_ASSERT(!blocked_[choice->key.lane]);
    RC_ASSERT(choice->budget >= Bytes(1));
    RC_ASSERT(choice->budget <= kLink.quantum);
    choices_.push_back((std::uint64_t{choice->key.lane} << 32U | choice->key.tile) * 4 +
                       static_cast<std::uint64_t>(choice->reason));
    choices_.push_back(choice->budget.count());
    const double left = random_.chance(0.5) ? 0 : model_[choice->key].energy / 2;
    queue_.on_sent(now_, choice->key, left, choice->budget);
    if (left > 0) {
      model_[choice->key].moment *= left / model_[choice->key].energy;
      model_[choice->key].energy = left;
    } else {
      model_.erase(choice->key);
    }
  }

  void block() {
    const std::uint32_t chosen = lane();
    blocked_[chosen] = !blocked_[chosen];
    queue_.set_blocked(now_, chosen, blocked_[chosen]);
  }

  void remove() {
    const std::uint32_t gone = lane();
    queue_.remove_lane(gone);
    blocked_[gone] = false;
    std::erase_if(model_, [gone](const auto& entry) { return entry.first.lane == gone; });
  }

  void check() {
    RC_ASSERT(queue_.pending_keys() == model_.size());
    double sum = 0;
    for (const auto& [key, pending] : model_) {
      const auto energy = queue_.pending_energy(key);
      RC_ASSERT(energy.has_value());
      RC_ASSERT(*energy == pending.energy);
      sum += pending.energy;
    }
    RC_ASSERT(std::abs(queue_.pending_energy() - sum) <= 1e-6 * (1 + sum));
    for (std::uint32_t lane = 0; lane < kLanes; ++lane) {
      check_residual(lane);
    }
  }

  void check_residual(std::uint32_t lane) {
    Pending all;
    for (const auto& [key, pending] : model_) {
      all.energy += key.lane == lane ? pending.energy : 0;
      all.moment += key.lane == lane ? pending.moment : 0;
    }
    const Residual residual = queue_.residual(now_, lane);
    RC_ASSERT(std::abs(residual.energy - all.energy) <= 1e-6 * (1 + all.energy));
    const double age = all.energy > 0 ? seconds() - all.moment / all.energy : 0;
    RC_ASSERT(std::abs(residual.age_seconds - age) <= 1e-6 * (1 + age));
    RC_ASSERT(residual.decay_per_second >= 0);
  }

  double seconds() const { return (now_ - Instant::from_ns(0)).to_seconds(); }

  Random random_;
  LinkQueue queue_;
  Instant now_ = Instant::from_ns(0);
  std::map<Key, Pending> model_;
  std::array<bool, kLanes> blocked_{};
  std::vector<std::uint64_t> choices_;
};

RC_GTEST_PROP(LinkQueueProperty,
              HoldsExactlyWhatIsPendingAndNeverChoosesAnythingElse,
              (std::uint64_t seed)) {
  Run run(seed);
  for (int i = 0; i < 400; ++i) {
    run.step();
  }
}

RC_GTEST_PROP(LinkQueueProperty, DecidesTheSameForTheSameEvents, (std::uint64_t seed)) {
  Run first(seed);
  Run second(seed);
  for (int i = 0; i < 300; ++i) {
    first.step();
    second.step();
  }
  RC_ASSERT(first.choices() == second.choices());
}

// Under any overload: a key beyond the cap has at most the older ones before it, each for at most
// four visits. So with n keys and visits of t seconds nobody waits longer than cap + 4·n·t.
RC_GTEST_PROP(LinkQueueProperty,
              StarvesNoKeyBeyondTheAgeCapAndFourVisitsPerKey,
              (std::uint64_t seed)) {
  Random random(seed);
  constexpr std::uint32_t kKeys = 40;
  const Duration cap = Duration::ms(200);
  const Duration visit = Duration::ms(2);
  LinkQueue queue({.age_cap = cap, .depth = {}});
  Instant now = Instant::from_ns(0);
  const Duration bound = cap + visit * (4 * (kKeys + 1));
  for (int turn = 0; turn < 1'500; ++turn) {
    // More changes than the link can take, most of them urgent and large.
    for (int i = 0; i < 3; ++i) {
      const auto tile = static_cast<std::uint32_t>(random.below(kKeys));
      queue.on_merge(now,
                     {1, tile},
                     {.energy = tile < 10 ? 1e6 : 1.0,
                      .elements = 4'096,
                      .traffic_class = tile < 20 ? Class::kUrgent : Class::kBulk});
    }
    const auto choice = queue.next(now, kLink);
    RC_ASSERT(choice.has_value());
    queue.on_sent(now, choice->key, 0, choice->budget);
    now += visit;
    RC_ASSERT(queue.oldest_age(now) <= bound);
  }
}

// When all deadlines of a class are feasible at 0.6 of the rate, every one of them is met, and in
// the order of the deadlines.
RC_GTEST_PROP(LinkQueueProperty,
              MeetsFeasibleDeadlinesWhateverElseIsPending,
              (std::uint64_t seed)) {
  Random random(seed);
  Instant now = Instant::from_ns(0);
  const LinkView link{.rate = BitRate::mbps(8), .quantum = Bytes::kib(64)};  // 1 byte per µs.
  constexpr std::uint32_t kElements = 512;  // At most 4,160 bytes raw.
  // Every visit takes the whole tile, so that the time of each is known.
  const Bytes whole = DepthPlanner::raw_size(kElements);
  const Duration visit = link.rate.time_for(whole);
  LinkQueue queue({.age_cap = Duration::ms(100'000), .depth = {.bytes_min = whole}});
  const auto count = static_cast<std::uint32_t>(1 + random.below(30));
  // Feasible at 0.6 of the rate, in groups that share the deadline of their last tile: a queue
  // that looks only at the first deadline starts such a group too late.
  std::vector<Instant> deadlines(count);
  Instant deadline = now + Duration::ms(20);
  for (Instant& each : deadlines) {
    deadline += visit * 5 / 3 + Duration::us(static_cast<std::int64_t>(random.below(9'000)));
    each = deadline;
  }
  for (std::size_t tile = count - 1; tile-- > 0;) {
    deadlines[tile] = random.chance(0.8) ? deadlines[tile + 1] : deadlines[tile];
  }
  for (std::uint32_t tile = 0; tile < count; ++tile) {
    queue.on_merge(
        now, {1, tile}, {.energy = 1, .elements = kElements, .deadline = deadlines[tile]});
  }
  for (std::uint32_t tile = 0; tile < 10 * count; ++tile) {
    queue.on_merge(now, {2, tile}, {.energy = 1e9, .elements = kElements});
  }
  std::uint32_t next_tile = 0;
  while (const auto choice = queue.next(now, link)) {
    now += link.rate.time_for(choice->budget);
    queue.on_sent(now, choice->key, 0, choice->budget);
    if (choice->reason == Reason::kDeadline) {
      RC_ASSERT(choice->key.tile >= next_tile);
      next_tile = choice->key.tile;
    }
  }
  RC_ASSERT(queue.stats().deadlines_met == count);
  RC_ASSERT(queue.stats().deadlines_expired == 0U);
}

}  // namespace
}  // namespace godwit::scheduler

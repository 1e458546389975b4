// What holds of a shared cap whatever its workers do: whoever has something to send, and how late.
#include <algorithm>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "dataplane/base/random.h"
#include "tests/dataplane/transport/sharers.h"

namespace godwit::transport {
namespace {

// A worker that is busy for some time, then idle; its thread wakes late.
struct Habit {
  std::int64_t busy_us = 0;
  std::int64_t idle_us = 0;
  std::int64_t late_us = 0;
};

struct Scenario {
  BitRate cap;
  std::vector<Habit> habits;
};

Scenario any_scenario() {
  Scenario scenario;
  scenario.cap = BitRate::bps(*rc::gen::element<std::uint64_t>(
      64'000, 2'000'000, 50'000'000, 100'000'000, 1'000'000'000, 10'000'000'000));
  const auto workers = *rc::gen::inRange<std::size_t>(2, 9);
  for (std::size_t i = 0; i < workers; ++i) {
    scenario.habits.push_back({.busy_us = *rc::gen::inRange<std::int64_t>(1, 50'000),
                               .idle_us = *rc::gen::element<std::int64_t>(0, 500, 20'000, 200'000),
                               .late_us = *rc::gen::element<std::int64_t>(0, 30, 1'000, 6'000)});
  }
  return scenario;
}

// Runs it for so many trains. Trains have the sizes that `any` draws.
void play(Sharers& workers, const Scenario& scenario, Random& random, std::size_t trains) {
  struct State {
    Instant looks_at;
    Instant turns_at;  // from busy to idle and back
    bool is_busy = true;
    bool has_waited = false;
  };
  std::vector<State> states(scenario.habits.size());
  for (std::size_t i = 0; i < states.size(); ++i) {
    states[i].looks_at = Instant::from_ns(1'000'000'000);
    states[i].turns_at = states[i].looks_at + Duration::us(scenario.habits[i].busy_us);
  }
  while (workers.sent.size() < trains) {
    const auto first =
        std::min_element(states.begin(), states.end(), [](const State& a, const State& b) {
          return a.looks_at < b.looks_at;
        });
    const auto worker = static_cast<std::size_t>(first - states.begin());
    const Habit& habit = scenario.habits[worker];
    const Instant now = first->looks_at;
    if (now >= first->turns_at && habit.idle_us > 0) {
      first->is_busy = !first->is_busy;
      first->turns_at = now + Duration::us(first->is_busy ? habit.busy_us : habit.idle_us);
      first->has_waited = false;
    }
    if (!first->is_busy) {
      first->looks_at = first->turns_at;
      continue;
    }
    while (workers.send(
        worker, now, 1 + random.below(LinkShaper::kTrainPacketsMax), first->has_waited)) {
    }
    first->has_waited = true;
    first->looks_at = std::max(workers.shapers[worker].ready_at(), now) +
                      Duration::us(static_cast<std::int64_t>(
                          random.below(static_cast<std::uint64_t>(habit.late_us) + 1)));
  }
}

RC_GTEST_PROP(SharedCapProperty, IsKeptOverEveryInterval, (std::uint64_t seed)) {
  const Scenario scenario = any_scenario();
  Sharers workers(scenario.cap, static_cast<std::uint32_t>(scenario.habits.size()));
  Random random(seed);
  play(workers, scenario, random, 2'000);
  RC_ASSERT(workers.excess_max() <= workers.burst_max());
}

RC_GTEST_PROP(SharedCapProperty, GivesEveryBusyWorkerItsPart, (std::uint64_t seed)) {
  Scenario scenario = any_scenario();
  const std::size_t busy = *rc::gen::inRange<std::size_t>(0, scenario.habits.size());
  scenario.habits[busy].idle_us = 0;
  scenario.habits[busy].late_us = std::min<std::int64_t>(scenario.habits[busy].late_us, 1'000);
  Sharers workers(scenario.cap, static_cast<std::uint32_t>(scenario.habits.size()));
  Random random(seed);
  play(workers, scenario, random, 2'000);
  const Instant from = workers.sent.front().at;
  const Instant until = workers.sent.back().at;
  const double part = workers.shared.part().bytes_per_second();
  const double due = part * (until - from).to_seconds();
  // A train that has just become due, and a thread that has yet to wake.
  const double slack = static_cast<double>(2 * workers.train_bytes()) +
                       part * 1e-6 * static_cast<double>(2 * scenario.habits[busy].late_us);
  std::uint64_t had = 0;
  for (const auto& one : workers.sent) {
    had += one.worker == busy ? one.bytes : 0;
  }
  RC_ASSERT(static_cast<double>(had) >= due - slack);
}

}  // namespace
}  // namespace godwit::transport

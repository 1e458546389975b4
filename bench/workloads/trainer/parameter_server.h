// A site: a parameter server in this process and its worker processes, paced to one step time.
//
// Every step begins at its place in a fixed rhythm, however fast the machine is, so that what a run
// costs in processor time does not show as training speed. A step whose work is not done when the
// next one is due, because it took long or began late, is an overrun and is counted; time spent
// waiting for other sites is not work.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "bench/workloads/trainer/exchange.h"
#include "dataplane/base/result.h"
#include "dataplane/base/units.h"

namespace godwit::trainer {

struct SiteOptions {
  std::size_t site = 0;  // this site's index, below `sites`
  std::size_t sites = 1;
  std::size_t workers = 2;
  std::size_t batch = 8;  // samples per worker and step
  Duration step_time = Duration::ms(150);
  Duration phase = Duration::zero();  // the first step comes so much after the common start
  double learning_rate = 0.04;        // of the first step
  double decay_steps = 30;            // rate at step t: learning_rate / (1 + t / decay_steps)
  double skew = 0.8;                  // see split.h
  std::uint64_t seed = 1;
  std::string dataset;    // folder
  std::string snapshots;  // folder; empty: none are written
  Duration snapshot_every = Duration::ms(500);
};

struct Progress {
  std::uint64_t steps = 0;
  std::uint64_t overruns = 0;
  Duration since_start;
  Duration work_worst;  // from due to done, the longest of one step since the last report
  float loss = 0.0F;
};

struct SiteHooks {
  // Called when the site is ready and connected; returns the instant of the first step.
  std::function<Result<Instant>(const std::string& description)> ready;
  // Called about once a second.
  std::function<void(const Progress&)> progress;
};

// Trains until stop_wanted(). Forks the workers, so it must be called before any thread exists:
// `make_exchange` is called after the fork.
Result<Progress> run_site(const SiteOptions& options,
                          const std::function<std::unique_ptr<Exchange>()>& make_exchange,
                          const SiteHooks& hooks);

}  // namespace godwit::trainer

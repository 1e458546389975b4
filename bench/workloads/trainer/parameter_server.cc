#include "bench/workloads/trainer/parameter_server.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <ctime>
#include <memory>
#include <utility>
#include <vector>

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/workloads/trainer/dataset.h"
#include "bench/workloads/trainer/model.h"
#include "bench/workloads/trainer/site_memory.h"
#include "bench/workloads/trainer/snapshot.h"
#include "bench/workloads/trainer/split.h"
#include "bench/workloads/trainer/stop.h"
#include "bench/workloads/trainer/worker.h"
#include "dataplane/base/system_time.h"

namespace godwit::trainer {
namespace {

constexpr Duration kConnectTime =
    Duration::seconds(60);  // chosen: ten hand-shakes of the worst link
constexpr Duration kWorkerPatience = Duration::seconds(10);  // a worker that needs longer is dead
constexpr Duration kReportEvery = Duration::seconds(1);

// Returns early when the process should stop.
void sleep_until(Instant when) {
  const timespec at = {.tv_sec = when.ns() / 1'000'000'000, .tv_nsec = when.ns() % 1'000'000'000};
  while (!stop_wanted() && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr) == EINTR) {
  }
}

// delta = −rate · mean gradient; parameters += delta, in one pass over memory.
void apply(SiteMemory& memory, float rate, std::span<float> delta) {
  const std::span<float> parameters = memory.parameters();
  std::ranges::copy(memory.gradient(0), delta.begin());
  for (std::size_t worker = 1; worker < memory.workers(); ++worker) {
    const float* gradient = memory.gradient(worker).data();
    for (std::size_t i = 0; i < delta.size(); ++i) {
      delta[i] += gradient[i];
    }
  }
  const float factor = -rate / static_cast<float>(memory.workers());
  for (std::size_t i = 0; i < delta.size(); ++i) {
    delta[i] *= factor;
    parameters[i] += delta[i];
  }
}

// The worker processes of a site; they end with it in any case.
class Workers {
 public:
  Workers() = default;
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  ~Workers() {
    for (const pid_t pid : pids_) {
      kill(pid, SIGKILL);
      waitpid(pid, nullptr, 0);
    }
  }

  Result<void> fork_all(const SiteOptions& options, SiteMemory& memory) {
    auto data = load_dataset(options.dataset, Part::kTrain);
    if (!data) {
      return Failure(data.error());
    }
    const auto split = split_by_label(data->labels, options.sites, options.skew, options.seed);
    const auto& own = split.at(options.site);
    if (own.empty()) {
      return fail(Code::kInvalid, "site {} got no samples", options.site);
    }
    const pid_t server = getpid();
    for (std::size_t worker = 0; worker < memory.workers(); ++worker) {
      const pid_t pid = fork();
      if (pid < 0) {
        return fail(Code::kIo, "fork: {}", error_text(errno));
      }
      if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != server) {  // it died in between
          _exit(1);
        }
        signal(SIGTERM, SIG_IGN);  // the server says when to end
        signal(SIGINT, SIG_IGN);
        run_worker(memory,
                   worker,
                   *data,
                   own,
                   options.batch,
                   options.seed * 1000 + options.site * kWorkersMax + worker);
        _exit(0);
      }
      pids_.push_back(pid);
    }
    return {};
  }

 private:
  std::vector<pid_t> pids_;
};

class Server {
 public:
  Server(const SiteOptions& options, SiteMemory& memory, Exchange& exchange)
      : options_(options), memory_(memory), exchange_(exchange), delta_(kParameters) {}

  Result<Progress> run(Instant start, const SiteHooks& hooks) {
    start_ = start;
    Instant begin = start + options_.phase;  // when this step may begin
    sleep_until(begin);
    Instant snapshot_due = start;
    Instant report_due = start + kReportEvery;
    while (!stop_wanted()) {
      auto end = step(begin);
      if (!end) {
        return Failure(end.error());
      }
      if (*end >= snapshot_due) {
        if (auto written = snapshot(*end); !written) {
          return Failure(written.error());
        }
        snapshot_due = std::max(snapshot_due + options_.snapshot_every, *end);
      }
      if (*end >= report_due) {
        hooks.progress(progress_);
        progress_.work_worst = Duration::zero();
        report_due = report_due + kReportEvery;
      }
      // A lockstep exchange ends later than its rhythm; the next step counts from there.
      begin = exchange_.lockstep() ? *end : begin + options_.step_time;
      sleep_until(begin);
    }
    if (auto written = snapshot(system_now()); !written) {
      return Failure(written.error());
    }
    return progress_;
  }

 private:
  // One step; returns when it ended. `begin` is its place in the rhythm.
  Result<Instant> step(Instant begin) {
    memory_.begin_step();
    if (!memory_.wait_for_workers(system_now() + kWorkerPatience)) {
      return fail(
          Code::kTimeout, "a worker has not answered for {} s", kWorkerPatience.to_seconds());
    }
    const std::uint64_t number = progress_.steps + 1;
    const double rate =
        options_.learning_rate / (1.0 + static_cast<double>(number) / options_.decay_steps);
    apply(memory_, static_cast<float>(rate), delta_);
    if (exchange_.lockstep()) {
      note_work(begin);
      sleep_until(begin + options_.step_time);
    }
    if (auto published = exchange_.publish(number, delta_); !published) {
      return Failure(published.error());
    }
    if (auto collected = exchange_.collect(number, memory_.parameters()); !collected) {
      return Failure(collected.error());
    }
    if (!exchange_.lockstep()) {
      note_work(begin);
    }
    const Instant end = system_now();
    progress_.steps = number;
    progress_.loss = memory_.mean_loss();
    progress_.since_start = end - start_;
    return end;
  }

  // `begin` is the step's place in the rhythm: a late start is as bad as slow work.
  void note_work(Instant begin) {
    const Duration work = system_now() - begin;
    progress_.work_worst = std::max(progress_.work_worst, work);
    progress_.overruns += work > options_.step_time ? 1U : 0U;
  }

  Result<void> snapshot(Instant now) {
    if (options_.snapshots.empty()) {
      return {};
    }
    return write_snapshot(
        options_.snapshots, sequence_++, progress_.steps, now - start_, memory_.parameters());
  }

  const SiteOptions& options_;
  SiteMemory& memory_;
  Exchange& exchange_;
  std::vector<float> delta_;
  Progress progress_;
  Instant start_;
  std::uint64_t sequence_ = 0;
};

}  // namespace

Result<Progress> run_site(const SiteOptions& options,
                          const std::function<std::unique_ptr<Exchange>()>& make_exchange,
                          const SiteHooks& hooks) {
  auto memory = SiteMemory::create(options.workers);
  if (!memory) {
    return Failure(memory.error());
  }
  std::ranges::copy(seed_parameters(options.seed), memory->parameters().begin());
  Workers workers;
  if (auto forked = workers.fork_all(options, *memory); !forked) {
    return Failure(forked.error());
  }
  // One gradient that is thrown away: pages are touched and caches are warm before time counts.
  memory->begin_step();
  if (!memory->wait_for_workers(system_now() + kWorkerPatience)) {
    return fail(Code::kTimeout, "the workers do not start");
  }
  const auto exchange = make_exchange();
  if (auto connected = exchange->connect(system_now() + kConnectTime); !connected) {
    return Failure(connected.error());
  }
  const auto start = hooks.ready(exchange->description());
  if (!start) {
    return Failure(start.error());
  }
  Server server(options, *memory, *exchange);
  auto result = server.run(*start, hooks);
  memory->finish();
  return result;
}

}  // namespace godwit::trainer

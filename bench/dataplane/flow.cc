#include "bench/dataplane/flow.h"

#include <chrono>
#include <utility>

#include <sched.h>

#include "bench/dataplane/malloc_calls.h"
#include "dataplane/base/system_time.h"

namespace godwit::bench {
namespace {

// How much longer a phase may last in which nothing has arrived: a busy machine, or a fault.
constexpr Duration kPatience = Duration::seconds(10);

// Puts the calling thread on the n-th core that it may use, if there are at least two.
void pin(std::size_t n) {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0 || CPU_COUNT(&allowed) < 2) {
    return;
  }
  for (std::size_t core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &allowed) && n-- == 0) {
      cpu_set_t one;
      CPU_ZERO(&one);
      CPU_SET(core, &one);
      ::sched_setaffinity(0, sizeof one, &one);
      return;
    }
  }
}

}  // namespace

FlowRunner::FlowRunner(std::unique_ptr<Flow> flow)
    : flow_(std::move(flow)),
      sender_([this] { loop(Side::kSender); }),
      receiver_([this] { loop(Side::kReceiver); }) {}

FlowRunner::~FlowRunner() {
  stop_ = true;
  sender_.join();
  receiver_.join();
}

Work FlowRunner::run(Duration length) {
  finished_ = 0;
  carried_ = false;
  ends_at_ = (system_now() + length).ns();
  ++phase_;
  while (finished_ < 2) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return work_;
}

void FlowRunner::loop(Side side) {
  pin(side == Side::kSender ? 1 : 0);
  int done = 0;  // not phase_: the first phase may have begun before this thread did
  while (!stop_) {
    if (done == phase_) {
      flow_->turn(side, Effort::kRest);
      continue;
    }
    done = phase_;
    work(side);
    ++finished_;
  }
  flow_->finish(side);
}

void FlowRunner::work(Side side) {
  const Instant ends_at = Instant::from_ns(ends_at_);
  const bool receives = side == Side::kReceiver;
  const std::uint64_t before = receives ? flow_->received() : 0;
  const std::uint64_t mallocs = malloc_calls();
  const Instant begun = system_thread_time();
  const auto goes_on = [&] {
    const Instant now = system_now();
    return now < ends_at || (!carried_ && now < ends_at + kPatience);
  };
  while (goes_on()) {
    flow_->turn(side, Effort::kFull);
    if (receives && flow_->received() != before) {
      carried_ = true;
    }
  }
  (receives ? work_.receiver : work_.sender) = system_thread_time() - begun;
  (receives ? work_.receiver_mallocs : work_.sender_mallocs) = malloc_calls() - mallocs;
  if (receives) {
    work_.bytes = flow_->received() - before;
  }
}

}  // namespace godwit::bench

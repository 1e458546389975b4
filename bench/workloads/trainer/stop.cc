#include "bench/workloads/trainer/stop.h"

#include <atomic>
#include <csignal>

#include <sys/prctl.h>

namespace godwit::trainer {
namespace {

std::atomic<bool> wanted{false};
static_assert(std::atomic<bool>::is_always_lock_free);

void on_signal(int /*number*/) {
  wanted.store(true, std::memory_order_relaxed);
}

}  // namespace

void stop_on_signals() {
  struct sigaction action = {};
  action.sa_handler = on_signal;  // without SA_RESTART: a wait must return
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
}

bool stop_wanted() {
  return wanted.load(std::memory_order_relaxed);
}

}  // namespace godwit::trainer

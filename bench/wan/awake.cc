#include "bench/wan/awake.h"

#include <cstddef>
#include <functional>

#include <sched.h>

namespace godwit::wan {

namespace {

// Only with SCHED_IDLE: at any other priority it would take from those whom it is to help.
void spin(std::size_t processor, const std::atomic<bool>& over) {
  cpu_set_t own;
  CPU_ZERO(&own);
  CPU_SET(processor, &own);
  const sched_param parameters{};
  if (::sched_setaffinity(0, sizeof(own), &own) != 0 ||
      ::sched_setscheduler(0, SCHED_IDLE, &parameters) != 0) {
    return;
  }
  while (!over.load(std::memory_order_relaxed)) {
  }
}

}  // namespace

KeepAwake::KeepAwake() {
  cpu_set_t allowed;
  if (::sched_getaffinity(0, sizeof(allowed), &allowed) != 0) {
    return;
  }
  for (std::size_t processor = 0; processor < CPU_SETSIZE; ++processor) {
    if (CPU_ISSET(processor, &allowed)) {
      threads_.emplace_back(spin, processor, std::cref(over_));
    }
  }
}

KeepAwake::~KeepAwake() {
  over_.store(true, std::memory_order_relaxed);
  for (std::thread& thread : threads_) {
    thread.join();
  }
}

}  // namespace godwit::wan

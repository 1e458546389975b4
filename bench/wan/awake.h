// Keeps the processors from halting while something lives that must be woken in time.
//
//   const KeepAwake awake;  // until the end of the scope
//
// On a virtual machine a halted processor is taken away, and comes back milliseconds after the
// interrupt that wakes it (counted as steal in /proc/stat). One thread on each allowed processor
// that never sleeps prevents it; under SCHED_IDLE everything else goes before it at once.
//
// Thread: any. Costs a full processor's electricity on each processor, and no processor time that
// anybody wants.
#pragma once

#include <atomic>
#include <thread>
#include <vector>

namespace godwit::wan {

class KeepAwake {
 public:
  // One thread for each processor that the calling thread may use; none where the system refuses.
  KeepAwake();
  ~KeepAwake();
  KeepAwake(const KeepAwake&) = delete;
  KeepAwake& operator=(const KeepAwake&) = delete;

 private:
  std::atomic<bool> over_{false};
  std::vector<std::thread> threads_;
};

}  // namespace godwit::wan

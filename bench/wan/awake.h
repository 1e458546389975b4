// Keeps the processors from sleeping while something lives that must be woken in time.
//
//   const KeepAwake awake;  // until the end of the scope
//
// On a virtual machine a halted processor is taken away, and comes back milliseconds after the
// interrupt that wakes it (counted as steal in /proc/stat); on a real one deep states take up to a
// millisecond to leave. A request for zero latency makes idle processors poll instead
// (Linux: Documentation/power/pm_qos_interface.rst). Costs electricity, and no processor time that
// anybody wants.
//
// Thread: any.
#pragma once

#include "bench/wan/os.h"

namespace godwit::wan {

class KeepAwake {
 public:
  KeepAwake();
  // False where the system refuses (it takes root), or has no such request.
  bool holds() const { return request_.valid(); }

 private:
  Descriptor request_;  // it is in force while this is open
};

}  // namespace godwit::wan

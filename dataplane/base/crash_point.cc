#include "dataplane/base/crash_point.h"

#if defined(GODWIT_SIMULATION)

namespace godwit {

CrashPlan& crash_plan() {
  thread_local CrashPlan plan;
  return plan;
}

void crash_point() {
  CrashPlan& plan = crash_plan();
  if (plan.points_left < 0) {
    return;
  }
  if (plan.points_left-- == 0) {
    throw SimulatedCrash();
  }
}

}  // namespace godwit

#endif

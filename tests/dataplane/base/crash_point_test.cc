#include "dataplane/base/crash_point.h"

#include <thread>

#include <gtest/gtest.h>

namespace godwit {
namespace {

// Three steps with an instant between each at which a process may die.
int steps_done_before_a_crash(int points_left) {
  crash_plan() = {.points_left = points_left};
  int done = 0;
  try {
    GODWIT_CRASH_POINT();
    ++done;
    GODWIT_CRASH_POINT();
    ++done;
    GODWIT_CRASH_POINT();
    ++done;
  } catch (const SimulatedCrash&) {
    // The process is dead; `done` is what its mapping kept.
  }
  crash_plan() = {};
  return done;
}

TEST(CrashPoint, KillsAtTheDrawnInstant) {
  EXPECT_EQ(steps_done_before_a_crash(0), 0);
  EXPECT_EQ(steps_done_before_a_crash(1), 1);
  EXPECT_EQ(steps_done_before_a_crash(2), 2);
  EXPECT_EQ(steps_done_before_a_crash(3), 3);
}

TEST(CrashPoint, IsHarmlessWithoutAPlan) {
  EXPECT_EQ(steps_done_before_a_crash(-1), 3);
}

TEST(CrashPoint, APlanKillsOnceAndOnlyItsOwnThread) {
  crash_plan() = {.points_left = 0};
  std::thread other([] { EXPECT_NO_THROW(GODWIT_CRASH_POINT()); });
  other.join();
  EXPECT_THROW(GODWIT_CRASH_POINT(), SimulatedCrash);
  EXPECT_NO_THROW(GODWIT_CRASH_POINT());
  crash_plan() = {};
}

TEST(Mutant, OnlyTheOneThatIsSwitchedOnIsAlive) {
  crash_plan() = {.mutant = Mutant::kApplyTwice};

  EXPECT_TRUE(GODWIT_MUTANT(kApplyTwice));
  EXPECT_FALSE(GODWIT_MUTANT(kRedoSkipped));

  crash_plan() = {};
  EXPECT_FALSE(GODWIT_MUTANT(kApplyTwice));
}

}  // namespace
}  // namespace godwit

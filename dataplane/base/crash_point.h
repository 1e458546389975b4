// Places where the simulator may kill a process, and rules that it may switch off.
//
// GODWIT_CRASH_POINT() marks an instant between two stores at which `kill -9` must do no harm.
// GODWIT_MUTANT(kName) is a rule of the protocol turned off on purpose: the simulator must notice.
// In the product both compile to nothing; only libraries built with GODWIT_SIMULATION know them.
#pragma once

#include <cstdint>

namespace godwit {

// One enumerator per rule that a test bed must be able to break.
enum class Mutant : std::uint8_t {
  kNone = 0,
  kReceiptBeforeApply,          // receipt a transfer before it is durably applied
  kSendBeforeFreeze,            // hand bytes to the link before the freeze is durable
  kAddToFrozen,                 // append to a transfer that was already sent
  kFrontierApartFromSums,       // frontier and sums change in different steps
  kDedupeWithoutIncarnation,    // ignore incarnations when looking up a lane
  kSubtractOriginal,            // book what was open instead of the decoded integers
  kSkipCumulativeCheck,         // do not compare the checksum when the frontier passes
  kSkipContentCheck,            // do not compare a transfer's integers with its checksum
  kKeepIncarnation,             // keep the incarnation though the state was lost
  kEchoOwnPublish,              // a subscriber receives what it published itself
  kRepeatedPublishMergesTwice,  // a repeated publish number is merged again
  kDetachedNotBooked,           // a lost sender's mass is forgotten
  kRedoSkipped,                 // change sums in place, without the redo slot
  kApplyTwice,                  // do not look at frontier and window before applying
  kDropOnSessionLoss,           // forget unreceipted transfers when a session ends
  kClockOvertakesData,          // release clocks without waiting for coverage
  kSafeBeforeCommit,            // tell a publisher `safe` before its publish is committed
  kForwardApplied,              // send what came from a peer on to other peers
  kLeaveLanesOpen,              // keep the lane of a subscriber that has gone
  kNeverAskAgain,               // go on without what had no storage when it came
  kCount,
};

}  // namespace godwit

#if defined(GODWIT_SIMULATION)

namespace godwit {

// Thrown by a crash point: the simulated process is dead; only its mapping survives.
struct SimulatedCrash {};

// Counts down at every crash point and throws SimulatedCrash at zero; off when negative. A small
// window finds what a large one hides.
// Thread: each thread has its own, so that seeds can run side by side.
struct CrashPlan {
  std::int64_t points_left = -1;
  Mutant mutant = Mutant::kNone;
  std::uint32_t window = 0;  // unreceipted transfers of a lane between sites; 0: the product's
};

CrashPlan& crash_plan();
void crash_point();

}  // namespace godwit

#define GODWIT_CRASH_POINT() ::godwit::crash_point()
#define GODWIT_MUTANT(name) (::godwit::crash_plan().mutant == ::godwit::Mutant::name)

#else

#define GODWIT_CRASH_POINT() static_cast<void>(0)
#define GODWIT_MUTANT(name) false

#endif

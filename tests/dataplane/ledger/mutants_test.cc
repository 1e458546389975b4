// The tests are tested: with a rule of the protocol switched off, the world must notice.
#include <exception>

#include <gtest/gtest.h>

#include "tests/dataplane/ledger/world.h"

namespace godwit::ledger::test {
namespace {

struct Rule {
  Mutant mutant;
  const char* name;
};

class Rules : public testing::TestWithParam<Rule> {};

// Chosen: thirty times the ten seeds that the slowest mutant needed when the test was written.
constexpr std::uint64_t kSeedsMax = 300;

TEST_P(Rules, IsMissedWhenItIsSwitchedOff) {
  for (std::uint64_t seed = 1; seed <= kSeedsMax; ++seed) {
    std::string wrong;
    try {
      World world({.seed = seed, .steps = 300, .crash = 0.1, .mutant = GetParam().mutant});
      wrong = world.run();
    } catch (const std::exception& error) {
      wrong = error.what();
    }
    crash_plan() = {};
    if (!wrong.empty()) {
      RecordProperty("seeds", static_cast<int>(seed));
      std::printf("%s: %s\n", GetParam().name, wrong.c_str());
      return;
    }
  }
  FAIL() << "no seed noticed it";
}

INSTANTIATE_TEST_SUITE_P(
    Ledger,
    Rules,
    testing::Values(Rule{Mutant::kReceiptBeforeApply, "ReceiptOnlyAfterTheApply"},
                    Rule{Mutant::kSendBeforeFreeze, "SendOnlyAfterTheFreezeIsDurable"},
                    Rule{Mutant::kAddToFrozen, "NothingIsAddedToAFrozenTransfer"},
                    Rule{Mutant::kFrontierApartFromSums, "FrontierAndSumsChangeTogether"},
                    Rule{Mutant::kDedupeWithoutIncarnation, "DedupeByTheFullLaneIdentity"},
                    Rule{Mutant::kSubtractOriginal, "SubtractTheDecodedIntegers"},
                    Rule{Mutant::kEchoOwnPublish, "OwnPublishesDoNotEcho"},
                    Rule{Mutant::kRepeatedPublishMergesTwice, "ARepeatedPublishMergesOnce"},
                    Rule{Mutant::kDetachedNotBooked, "LostMassIsBooked"},
                    Rule{Mutant::kRedoSkipped, "EveryStepIsAtomic"},
                    Rule{Mutant::kApplyTwice, "EveryTransferIsAppliedOnce"},
                    Rule{Mutant::kSafeBeforeCommit, "SafeOnlyAfterTheCommit"},
                    Rule{Mutant::kForwardApplied, "WanInputIsNotForwarded"}),
    [](const auto& rule) { return std::string(rule.param.name); });

}  // namespace
}  // namespace godwit::ledger::test

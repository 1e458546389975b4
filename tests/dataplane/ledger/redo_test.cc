// One step is all or nothing, wherever it is killed; recovery may be killed as well.
#include "dataplane/ledger/redo.h"

#include <gtest/gtest.h>

#include "dataplane/base/crash_point.h"
#include "tests/dataplane/ledger/support.h"

namespace godwit::ledger::test {
namespace {

TEST(Redo, IsAllOrNothingAtEveryCrashPoint) {
  const Shape shape = small_shape("fra");
  const Layout layout(shape);
  bool finished = false;
  int undone = 0;
  int done = 0;
  for (std::int64_t point = 0; !finished; ++point) {
    auto mapping = memory_for(shape);
    ASSERT_TRUE(mapping.reserve(0, layout.p + kTileBytes).has_value());
    auto* words = reinterpret_cast<std::uint64_t*>(mapping.bytes().data() + layout.header);
    Redo redo(mapping, layout);
    const auto run = [&] {
      RedoStep step(redo);
      const auto block = step.image_integers(layout.p, kBlockElements);
      std::fill(block.begin(), block.end(), 7);
      step.put_word(words[3], 8);
      step.put(layout.p + kBlockBytes, std::as_bytes(std::span("odd length", 11)));
      step.run();
    };
    crash_plan().points_left = point;
    try {
      run();
      finished = true;
    } catch (const SimulatedCrash&) {
    }
    // Recovery is killed again and again, each time a little later.
    for (std::int64_t again = 0;; ++again) {
      crash_plan().points_left = again;
      try {
        ASSERT_TRUE(Redo(mapping, layout).recover().has_value());
        break;
      } catch (const SimulatedCrash&) {
      }
    }
    crash_plan().points_left = -1;
    const auto* p = reinterpret_cast<const std::int64_t*>(mapping.bytes().data() + layout.p);
    const bool all = p[0] == 7;
    for (std::uint32_t i = 0; i < kBlockElements; ++i) {
      ASSERT_EQ(p[i], all ? 7 : 0);
    }
    ASSERT_EQ(words[3], all ? 8U : 0U);
    ASSERT_EQ(std::memcmp(p + kBlockElements, all ? "odd length" : "\0\0\0\0\0\0\0\0\0\0", 11), 0);
    (all ? done : undone) += 1;
    ASSERT_FALSE(Redo(mapping, layout).recover().value());
  }
  EXPECT_GT(undone, 0);
  EXPECT_GT(done, 3);
}

// A receiver without the cumulative check would go on with a lane that contradicts itself.
TEST(Redo, TheCumulativeCheckIsWhatStopsAForgedContinuation) {
  const auto applies = [](Mutant mutant) {
    Site a("fra");
    Site b("iad");
    Pair ab(a, b);
    a.publish(a->open_inbox(PublisherId(1), {1, 1}).value(), 1, 0, {5});
    a.freeze_all(ab.lane, {0});
    auto bytes = ab.bytes(1);
    auto header = wire::parse_header(bytes).value();
    header.cumulative ^= 1U;
    wire::write_header(header, bytes);
    wire::write_trailer(bytes);
    crash_plan().mutant = mutant;
    const bool applied = ab.deliver(bytes).has_value();
    crash_plan().mutant = Mutant::kNone;
    return applied;
  };
  EXPECT_FALSE(applies(Mutant::kNone));
  EXPECT_TRUE(applies(Mutant::kSkipCumulativeCheck));
}

}  // namespace
}  // namespace godwit::ledger::test

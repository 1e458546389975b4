// One step is all or nothing, wherever it is killed; recovery may be killed as well.
#include "dataplane/ledger/redo.h"

#include <algorithm>
#include <numeric>

#include <gtest/gtest.h>

#include "dataplane/base/crash_point.h"
#include "tests/dataplane/ledger/support.h"

namespace godwit::ledger::test {
namespace {

// The first and the last one of the block, a run over words' ends, words with all and with none.
constexpr LineBits kSomeLines = {
    1, ~std::uint64_t{0}, 0, 0x8001'0000'0000'00f0, 3, 0, 0, std::uint64_t{1} << 63U};

TEST(Redo, IsAllOrNothingAtEveryCrashPoint) {
  constexpr std::size_t kWord = kIdentityBytes / 8;
  const Shape shape = small_shape("fra");
  const Layout layout(shape);
  bool finished = false;
  int undone = 0;
  int done = 0;
  for (std::int64_t point = 0; !finished; ++point) {
    auto mapping = memory_for(shape);
    ASSERT_TRUE(mapping.reserve(0, layout.p + kTileBytes).has_value());
    auto* around =
        reinterpret_cast<std::int64_t*>(mapping.bytes().data() + layout.p) + (2 * kBlockElements);
    std::fill_n(around, kBlockElements, -5);
    auto* words = reinterpret_cast<std::uint64_t*>(mapping.bytes().data() + layout.header);
    Redo redo(mapping, layout);
    const auto run = [&] {
      RedoStep step(redo);
      const auto block = step.image_integers(layout.p, kBlockElements);
      std::fill(block.begin(), block.end(), 7);
      const auto lines = step.image_lines(layout.p + (2 * kBlockBytes), kSomeLines);
      std::iota(lines.begin(), lines.end(), 1);
      step.put_word(words[kWord], 8);
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
    std::int64_t next = 1;
    for (std::uint32_t i = 0; i < kBlockElements; ++i) {
      const bool in_line =
          (kSomeLines[i / kLineElements / 64] >> (i / kLineElements % 64) & 1U) != 0;
      ASSERT_EQ(p[(2 * kBlockElements) + i], all && in_line ? next++ : -5) << i;
    }
    ASSERT_EQ(words[kWord], all ? 8U : 0U);
    ASSERT_EQ(std::memcmp(p + kBlockElements, all ? "odd length" : "\0\0\0\0\0\0\0\0\0\0", 11), 0);
    (all ? done : undone) += 1;
    ASSERT_FALSE(Redo(mapping, layout).recover().value());
  }
  EXPECT_GT(undone, 0);
  EXPECT_GT(done, 3);
}

// A lane that opens anew leaves the sums of its former life in memory when it is killed early.
TEST(Redo, ALaneThatOpensAnewTakesNothingOfItsFormerLifeWhereverItIsKilled) {
  constexpr std::size_t kPublished = kBlockElements + 800;  // their code fits a transfer
  bool finished = false;
  for (std::int64_t point = 0; !finished; ++point) {
    Site a("fra");
    a.publish(a->open_inbox(PublisherId(1), {1, 1}).value(),
              1,
              0,
              std::vector<std::int64_t>(kPublished, 3));
    LaneKey key = {.kind = LaneKind::kSite, .to = 9, .to_incarnation = {1, 1}};
    a.freeze_all(a->open_lane(key).value(), {0});
    key.to_incarnation = {2, 1};
    crash_plan().points_left = point;
    try {
      finished = a->open_lane(key).has_value();
    } catch (const SimulatedCrash&) {
    }
    crash_plan().points_left = -1;
    a.restart();
    const LaneIndex lane = a->open_lane(key).value();
    std::vector<std::int64_t> removed(kTileElements);
    removed[kBlockElements + 1] = 2;
    ASSERT_TRUE(a->begin_transfer(lane, {}).has_value());
    ASSERT_TRUE(a->append(lane, 0, 0, sparse_code(removed), removed, 3).has_value());
    std::vector<std::int64_t> open(kTileElements);
    a->read_open(lane, 0, open);
    for (std::uint32_t i = 0; i < kTileElements; ++i) {
      ASSERT_EQ(open[i], i < kPublished ? 3 - removed[i] : 0) << i << " killed at " << point;
    }
    a.scrub();
    ASSERT_EQ(a.defects(), 0U);
  }
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

#include "dataplane/base/ring.h"

#include <deque>
#include <memory>

#include <gtest/gtest.h>

#include "dataplane/base/random.h"
#include "tests/support/allocation_guard.h"

namespace godwit {
namespace {

// Against a std::deque, with lengths that wrap round and grow at every place of the block.
TEST(Ring, IsADeque) {
  Random random(1);
  for (int run = 0; run < 50; ++run) {
    Ring<int> ring;
    std::deque<int> expected;
    for (int step = 0; step < 500; ++step) {
      switch (random.below(run % 2 == 0 ? 3 : 4)) {
        case 0:
          EXPECT_EQ(ring.push_back(step), step);
          expected.push_back(step);
          break;
        case 1:
          EXPECT_EQ(ring.push_front(step), step);
          expected.push_front(step);
          break;
        default:
          if (!expected.empty()) {
            EXPECT_EQ(ring.pop_front(), expected.front());
            expected.pop_front();
          }
          break;
      }
      ASSERT_EQ(ring.size(), expected.size());
      ASSERT_EQ(ring.empty(), expected.empty());
      for (std::size_t index = 0; index < expected.size(); ++index) {
        ASSERT_EQ(ring[index], expected[index]);
      }
      if (!expected.empty()) {
        ASSERT_EQ(ring.front(), expected.front());
        ASSERT_EQ(ring.back(), expected.back());
      }
    }
  }
}

TEST(Ring, AllocatesNothingOnceItWasAsLong) {
  Ring<int> ring(60);
  EXPECT_EQ(ring.capacity(), 64U);
  const testing_support::AllocationGuard guard;
  for (int round = 0; round < 1'000; ++round) {
    for (int count = 0; count < 64; ++count) {
      ring.push_back(count);
    }
    while (ring.size() > 5) {
      ring.pop_front();
    }
    ring.clear();
  }
  EXPECT_EQ(guard.allocations(), 0U);
  for (int count = 0; count < 65; ++count) {
    ring.push_back(count);
  }
  EXPECT_EQ(guard.allocations(), 1U);
}

TEST(Ring, KeepsNothingOfWhatLeft) {
  Ring<std::shared_ptr<int>> ring;
  const auto owned = std::make_shared<int>(1);
  ring.push_back(owned);
  ring.push_back(owned);
  ring.pop_front();
  EXPECT_EQ(owned.use_count(), 2);
  ring.clear();
  EXPECT_EQ(owned.use_count(), 1);
}

TEST(RingDeathTest, HasNoPlaceBehindItsEnd) {
  Ring<int> ring(8);
  EXPECT_DEATH(ring.pop_front(), "behind the end");
  ring.push_back(1);
  EXPECT_DEATH(static_cast<void>(ring[1]), "behind the end");
}

}  // namespace
}  // namespace godwit

// The deadline heap gives the earliest deadline, and can move and remove any key.
#include "scheduler/queue/deadline_heap.h"

#include <gtest/gtest.h>

namespace godwit::scheduler {
namespace {

TEST(DeadlineHeap, GivesTheEarliestFirst) {
  DeadlineHeap heap;
  heap.resize(3);
  heap.set(0, Instant::from_ns(30));
  heap.set(1, Instant::from_ns(10));
  heap.set(2, Instant::from_ns(20));
  EXPECT_EQ(heap.top(), 1U);
  heap.remove(1);
  EXPECT_EQ(heap.top(), 2U);
  EXPECT_FALSE(heap.contains(1));
  EXPECT_EQ(heap.size(), 2U);
}

TEST(DeadlineHeap, MovesAKeyToItsNewDeadline) {
  DeadlineHeap heap;
  heap.resize(2);
  heap.set(0, Instant::from_ns(30));
  heap.set(1, Instant::from_ns(10));
  heap.set(0, Instant::from_ns(5));
  EXPECT_EQ(heap.top(), 0U);
  heap.set(0, Instant::from_ns(50));
  EXPECT_EQ(heap.top(), 1U);
  EXPECT_EQ(heap.size(), 2U);
}

TEST(DeadlineHeap, IgnoresTheRemovalOfAKeyThatIsNotThere) {
  DeadlineHeap heap;
  heap.resize(2);
  heap.set(0, Instant::from_ns(1));
  heap.remove(1);
  EXPECT_EQ(heap.size(), 1U);
}

TEST(DeadlineHeap, BreaksTiesBySlot) {
  DeadlineHeap heap;
  heap.resize(3);
  heap.set(2, Instant::from_ns(7));
  heap.set(0, Instant::from_ns(7));
  heap.set(1, Instant::from_ns(7));
  EXPECT_EQ(heap.top(), 0U);
}

}  // namespace
}  // namespace godwit::scheduler

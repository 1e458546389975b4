// Lanes of a link: blocked, draining, weighted, removed.
#include <gtest/gtest.h>

#include "scheduler/queue/link_queue.h"
#include "tests/scheduler/samples.h"
#include "tests/support/instants.h"

namespace godwit::scheduler {
namespace {

TEST(LinkQueueLanes, NeverChoosesABlockedLane) {
  LinkQueue queue;
  queue.on_merge(at_ms(0), {1, 0}, update(1e9));
  queue.on_merge(at_ms(0), {2, 0}, update(1));
  queue.set_blocked(at_ms(0), 1, true);
  EXPECT_EQ(queue.next(at_ms(0), kLink)->key.lane, 2U);
  queue.on_sent(at_ms(0), {2, 0}, 0, Bytes(100));
  EXPECT_FALSE(queue.next(at_ms(0), kLink));
  EXPECT_FALSE(queue.next(at_ms(60'000), kLink)) << "nor by age";
}

TEST(LinkQueueLanes, GoOnMergingWhileBlocked) {
  LinkQueue queue;
  queue.set_blocked(at_ms(0), 1, true);
  queue.on_merge(at_ms(0), {1, 0}, update(2));
  queue.on_merge(at_ms(10), {1, 0}, update(3));
  EXPECT_EQ(queue.pending_energy({1, 0}), 5.0);
  EXPECT_EQ(queue.oldest_age(at_ms(40)), Duration::ms(40));
  queue.set_blocked(at_ms(50), 1, false);
  EXPECT_EQ(queue.next(at_ms(50), kLink)->key.lane, 1U);
}

TEST(LinkQueueLanes, ABlockedDeadlineDoesNotHideTheNextOne) {
  LinkQueue queue;
  queue.on_merge(at_ms(0), {1, 0}, {.energy = 1, .elements = 64, .deadline = at_ms(10)});
  queue.on_merge(at_ms(0), {2, 0}, {.energy = 1, .elements = 64, .deadline = at_ms(11)});
  queue.on_merge(at_ms(0), {3, 0}, update(1e9));
  queue.set_blocked(at_ms(0), 1, true);
  const auto choice = queue.next(at_ms(5), kLink);
  EXPECT_EQ(choice->key.lane, 2U);
  EXPECT_EQ(choice->reason, Reason::kDeadline);
}

TEST(LinkQueueLanes, DrainingLanesAreDeepenedAtOnceAndToTheEnd) {
  LinkQueue queue;
  queue.on_merge(at_ms(0), {1, 0}, update(100));
  queue.next(at_ms(0), kLink);
  queue.on_sent(at_ms(0), {1, 0}, 10, Bytes(190'000));
  ASSERT_FALSE(queue.next(at_ms(1), kLink)) << "held without a waiting reader";
  queue.set_draining(at_ms(1), 1, true);
  const auto choice = queue.next(at_ms(1), kLink);
  ASSERT_TRUE(choice);
  EXPECT_EQ(choice->budget, kLink.quantum);
  queue.on_sent(at_ms(1), {1, 0}, 1, choice->budget);
  EXPECT_TRUE(queue.next(at_ms(1), kLink));
}

TEST(LinkQueueLanes, WeighTheirEnergy) {
  LinkQueue queue;
  queue.configure_lane(2, {.weight = 100});
  queue.on_merge(at_ms(0), {1, 0}, update(10));
  queue.on_merge(at_ms(0), {2, 0}, update(1));
  EXPECT_EQ(queue.next(at_ms(0), kLink)->key.lane, 2U);
}

TEST(LinkQueueLanes, LeaveNothingBehindWhenRemoved) {
  LinkQueue queue;
  for (std::uint32_t tile = 0; tile < 50; ++tile) {
    queue.on_merge(at_ms(0), {1, tile}, {.energy = 2, .elements = 64, .deadline = at_ms(100)});
    queue.on_merge(at_ms(0), {2, tile}, update(1));
  }
  queue.next(at_ms(0), kLink);
  queue.remove_lane(1);
  queue.remove_lane(77);
  EXPECT_EQ(queue.pending_keys(), 50U);
  EXPECT_NEAR(queue.pending_energy(), 50, 1e-9);
  EXPECT_EQ(queue.pending_energy({1, 3}), std::nullopt);
  queue.on_sent(at_ms(1), {1, 3}, 5, Bytes(10));
  for (int i = 0; i < 50; ++i) {
    const auto choice = queue.next(at_ms(1), kLink);
    ASSERT_TRUE(choice);
    ASSERT_EQ(choice->key.lane, 2U);
    queue.on_sent(at_ms(1), choice->key, 0, Bytes(100));
  }
  EXPECT_FALSE(queue.next(at_ms(1), kLink));
  EXPECT_EQ(queue.pending_energy(), 0.0);
  // The handle may be used again, by another lane.
  queue.on_merge(at_ms(2), {1, 0}, update(1));
  EXPECT_EQ(queue.next(at_ms(2), kLink)->key.lane, 1U);
}

}  // namespace
}  // namespace godwit::scheduler

// After every key has been seen, merging and deciding allocate nothing.
#include <gtest/gtest.h>

#include "dataplane/base/random.h"
#include "scheduler/queue/link_queue.h"
#include "tests/support/allocation_guard.h"

namespace godwit::scheduler {
namespace {

constexpr std::uint32_t kKeys = 500;

// Merges, visits, deadlines, blocks and drains over all keys.
void work(LinkQueue& queue, Random& random, Instant& now, int steps) {
  const LinkView link{.rate = BitRate::mbps(16), .quantum = Bytes(4'096)};
  for (int step = 0; step < steps; ++step) {
    now += Duration::us(300);
    const auto tile = static_cast<std::uint32_t>(random.below(kKeys));
    queue.on_merge(now,
                   {tile % 4, tile},
                   {.energy = 1 + random.uniform(),
                    .elements = 4'096,
                    .deadline = random.chance(0.5) ? now + Duration::ms(50) : Instant::never()});
    if (const auto choice = queue.next(now, link)) {
      queue.on_sent(now, choice->key, random.chance(0.5) ? 0 : 0.5, choice->budget);
    }
    if (random.chance(0.01)) {
      queue.set_blocked(now, tile % 4, random.chance(0.5));
      queue.set_draining(now, tile % 4, random.chance(0.5));
    }
  }
}

TEST(LinkQueueAllocation, IsNoneAfterWarmUp) {
  LinkQueue queue;
  Random random(1);
  Instant now = Instant::from_ns(0);
  for (std::uint32_t tile = 0; tile < kKeys; ++tile) {
    queue.on_merge(
        now, {tile % 4, tile}, {.energy = 1, .elements = 4'096, .deadline = now + Duration::ms(1)});
  }
  work(queue, random, now, 5'000);
  const testing_support::AllocationGuard guard;
  work(queue, random, now, 20'000);
  EXPECT_EQ(guard.allocations(), 0U);
}

}  // namespace
}  // namespace godwit::scheduler

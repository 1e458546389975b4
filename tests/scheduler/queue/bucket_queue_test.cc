// The bucket queue gives the highest bucket first, and the oldest inside a bucket.
#include "scheduler/queue/bucket_queue.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

namespace godwit::scheduler {
namespace {

TEST(BucketQueue, IsEmptyAtFirst) {
  const BucketQueue queue;
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.top(), kNoSlot);
}

TEST(BucketQueue, GivesTheHighestBucketAndTheOldestInIt) {
  BucketQueue queue;
  SlotLinks links;
  links.resize(4);
  queue.push(links, 0, 5);
  queue.push(links, 1, 8191);
  queue.push(links, 2, 8191);
  queue.push(links, 3, 4096);
  EXPECT_EQ(queue.top(), 1U);
  queue.remove(links, 1, 8191);
  EXPECT_EQ(queue.top(), 2U);
  queue.remove(links, 2, 8191);
  EXPECT_EQ(queue.top(), 3U);
  queue.remove(links, 3, 4096);
  EXPECT_EQ(queue.top(), 0U);
  queue.remove(links, 0, 5);
  EXPECT_TRUE(queue.empty());
}

TEST(BucketQueue, HasSixteenBucketsPerDoublingOfTheIndex) {
  for (const double index : {1e-30, 0.3, 1.0, 7.7, 1e20}) {
    EXPECT_EQ(BucketQueue::bucket_of(2 * index), BucketQueue::bucket_of(index) + 16) << index;
  }
  EXPECT_EQ(BucketQueue::bucket_of(1.0), 4096U);
}

TEST(BucketQueue, ClampsIndicesThatAreOutOfRange) {
  EXPECT_EQ(BucketQueue::bucket_of(0), 0U);
  EXPECT_EQ(BucketQueue::bucket_of(-1), 0U);
  EXPECT_EQ(BucketQueue::bucket_of(std::numeric_limits<double>::quiet_NaN()), 0U);
  EXPECT_EQ(BucketQueue::bucket_of(1e-300), 0U);
  EXPECT_EQ(BucketQueue::bucket_of(1e300), 8191U);
  EXPECT_EQ(BucketQueue::bucket_of(std::numeric_limits<double>::infinity()), 8191U);
}

}  // namespace
}  // namespace godwit::scheduler

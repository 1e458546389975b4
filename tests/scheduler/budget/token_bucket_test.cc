// The bucket is exact to the byte and to the nanosecond.
#include "scheduler/budget/token_bucket.h"

#include <gtest/gtest.h>

namespace godwit::scheduler {
namespace {

Instant at_ns(std::int64_t ns) {
  return Instant::from_ns(ns);
}

TEST(TokenBucket, StartsFullAndRefillsAtItsRate) {
  TokenBucket bucket(at_ns(0), BitRate::bps(8'000), Bytes(100));  // 1 byte per ms.
  EXPECT_TRUE(bucket.try_take(at_ns(0), Bytes(100)));
  EXPECT_FALSE(bucket.try_take(at_ns(0), Bytes(1)));
  EXPECT_FALSE(bucket.try_take(at_ns(999'999), Bytes(1)));
  EXPECT_TRUE(bucket.try_take(at_ns(1'000'000), Bytes(1)));
  EXPECT_EQ(bucket.available(at_ns(51'500'000)), Bytes(50));
}

TEST(TokenBucket, NeverHoldsMoreThanItsBurst) {
  TokenBucket bucket(at_ns(0), BitRate::mbps(100'000), Bytes(1'000));
  EXPECT_EQ(bucket.available(Instant::from_ns(std::int64_t{1} << 60)), Bytes(1'000));
  EXPECT_FALSE(bucket.try_take(Instant::from_ns(std::int64_t{1} << 60), Bytes(1'001)));
}

TEST(TokenBucket, TellsTheExactInstantOfTheNextBytes) {
  TokenBucket bucket(at_ns(5), BitRate::bps(3'000'000), Bytes(10));
  bucket.try_take(at_ns(5), Bytes(10));
  // 10 bytes at 3 Mbit/s take 26,666.67 ns.
  EXPECT_EQ(bucket.ready_at(at_ns(5), Bytes(10)), at_ns(5 + 26'667));
  EXPECT_FALSE(bucket.try_take(at_ns(5 + 26'666), Bytes(10)));
  EXPECT_TRUE(bucket.try_take(at_ns(5 + 26'667), Bytes(10)));
  EXPECT_EQ(bucket.ready_at(at_ns(30'000), Bytes(11)), Instant::never());
}

TEST(TokenBucket, LosesNothingToRounding) {
  // A byte every 8/7 s: after 7,000,000 takes, 8,000,000 s have passed, to the nanosecond.
  TokenBucket bucket(at_ns(0), BitRate::bps(7), Bytes(1));
  Instant now = at_ns(0);
  bucket.try_take(now, Bytes(1));
  for (int i = 0; i < 7'000; ++i) {
    now = bucket.ready_at(now, Bytes(1));
    ASSERT_TRUE(bucket.try_take(now, Bytes(1)));
  }
  EXPECT_GE(now, at_ns(8'000 * 1'000'000'000LL));
  EXPECT_LE(now, at_ns(8'000 * 1'000'000'000LL + 7'000));
}

TEST(TokenBucket, GivesEverythingWhenUnlimitedAndOnlyTheBurstAtRateZero) {
  TokenBucket free_for_all(at_ns(0), BitRate::unlimited(), Bytes(10));
  EXPECT_TRUE(free_for_all.try_take(at_ns(0), Bytes(1'000'000)));
  EXPECT_EQ(free_for_all.ready_at(at_ns(3), Bytes(1'000'000)), at_ns(3));
  TokenBucket closed(at_ns(0), BitRate::bps(0), Bytes(10));
  EXPECT_TRUE(closed.try_take(at_ns(0), Bytes(10)));
  EXPECT_EQ(closed.ready_at(at_ns(0), Bytes(1)), Instant::never());
}

TEST(TokenBucket, KeepsItsCreditWhenTheRateChanges) {
  TokenBucket bucket(at_ns(0), BitRate::bps(8'000), Bytes(100));
  bucket.try_take(at_ns(0), Bytes(100));
  bucket.set_rate(at_ns(10'000'000), BitRate::bps(80'000));  // 10 bytes were earned.
  EXPECT_EQ(bucket.available(at_ns(11'000'000)), Bytes(20));
  bucket.set_burst(at_ns(11'000'000), Bytes(5));
  EXPECT_EQ(bucket.available(at_ns(12'000'000)), Bytes(5));
}

TEST(TokenBucket, EarnsNothingWhenTimeGoesBack) {
  TokenBucket bucket(at_ns(1'000'000), BitRate::bps(8'000), Bytes(1));
  bucket.try_take(at_ns(1'000'000), Bytes(1));
  EXPECT_FALSE(bucket.try_take(at_ns(0), Bytes(1)));
  EXPECT_FALSE(bucket.try_take(at_ns(1'999'999), Bytes(1)));
  EXPECT_TRUE(bucket.try_take(at_ns(2'000'000), Bytes(1)));
}

}  // namespace
}  // namespace godwit::scheduler

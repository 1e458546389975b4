// Promises by example.
#include "scheduler/deadline/commitments.h"

#include <gtest/gtest.h>

#include "tests/scheduler/deadline/line.h"
#include "tests/support/allocation_guard.h"

namespace godwit::scheduler {
namespace {

using testing::at_us;
using testing::kRate;
using testing::kStart;

TEST(Commitments, ArePromisedAsLongAsEveryDeadlineIsKept) {
  Commitments book(kStart, kRate, 8);
  EXPECT_TRUE(book.commit(kStart, Bytes(600), at_us(1'000)));
  EXPECT_FALSE(book.commit(kStart, Bytes(401), at_us(1'000))) << "1,001 bytes in a millisecond";
  EXPECT_TRUE(book.commit(kStart, Bytes(400), at_us(1'000)));
  EXPECT_FALSE(book.commit(kStart, Bytes(1), at_us(500))) << "those due later would be late";
  EXPECT_TRUE(book.commit(kStart, Bytes(1'000), at_us(2'000)));
  EXPECT_EQ(book.left(), Bytes(2'000));
}

TEST(Commitments, QuoteWhatCouldBePromisedInstead) {
  Commitments book(kStart, kRate, 8);
  ASSERT_TRUE(book.commit(kStart, Bytes(900), at_us(1'000)));
  const auto quote = book.quote(kStart, Bytes(300), at_us(800));
  EXPECT_EQ(quote.most, Bytes(100)) << "what is due at 1,000 can spare no more";
  EXPECT_EQ(quote.earliest, at_us(1'200));
  EXPECT_FALSE(book.commit(kStart, Bytes(300), quote.earliest - Duration::ns(1)));
  EXPECT_TRUE(book.commit(kStart, Bytes(300), quote.earliest));
}

TEST(Commitments, TheEarliestIsNextAndGoesWhenAllOfItIsSent) {
  Commitments book(kStart, kRate, 8);
  const auto late = book.commit(kStart, Bytes(100), at_us(900)).value();
  const auto early = book.commit(kStart, Bytes(100), at_us(400)).value();
  EXPECT_EQ(book.next()->id, early);
  book.on_sent(early, Bytes(60));
  EXPECT_EQ(book.next()->left, Bytes(40));
  book.on_sent(early, Bytes(40));
  EXPECT_EQ(book.next()->id, late);
  book.release(late);
  EXPECT_FALSE(book.next());
  book.on_sent(late, Bytes(1));  // nobody knows it any more
  EXPECT_EQ(book.size(), 0U);
}

TEST(Commitments, WhatWasNotCompleteByItsDeadlineIsTakenOut) {
  Commitments book(kStart, kRate, 8);
  ASSERT_TRUE(book.commit(kStart, Bytes(100), at_us(400)));
  ASSERT_TRUE(book.commit(kStart, Bytes(100), at_us(900)));
  EXPECT_FALSE(book.take_broken(at_us(399)));
  EXPECT_EQ(book.take_broken(at_us(400))->left, Bytes(100));
  EXPECT_FALSE(book.take_broken(at_us(400)));
  EXPECT_EQ(book.size(), 1U);
}

TEST(Commitments, ALowerRateRevokesNothingAndPromisesLess) {
  Commitments book(kStart, kRate, 8);
  ASSERT_TRUE(book.commit(kStart, Bytes(900), at_us(1'000)));
  book.set_rate(kStart, BitRate::mbps(4));
  EXPECT_EQ(book.size(), 1U);
  EXPECT_EQ(book.quote(kStart, Bytes(1), at_us(1'000)).most, Bytes(0));
  EXPECT_EQ(book.quote(kStart, Bytes(1), at_us(2'000)).most, Bytes(100)) << "behind all of it";
}

TEST(Commitments, AnAbsurdRateOrDeadlineOverflowsNothing) {
  Commitments book(kStart, BitRate::unlimited(), 8);
  EXPECT_TRUE(book.commit(kStart, Bytes(1'000'000'000'000), kStart + Duration::seconds(1)));
  EXPECT_TRUE(book.commit(kStart, Bytes(1), Instant::never()));
  book.set_rate(kStart, BitRate());
  EXPECT_FALSE(book.commit(kStart, Bytes(1), Instant::never()));
  EXPECT_EQ(book.quote(kStart, Bytes(1), Instant::never()).earliest, Instant::never());
  Commitments past(at_us(50), kRate, 8);
  EXPECT_FALSE(past.commit(at_us(50), Bytes(1), at_us(10))) << "a deadline that has passed";
}

TEST(Commitments, AllocateNothingAndTakeNoMoreThanTheyHavePlacesFor) {
  Commitments book(kStart, BitRate::mbps(1'000), 100);
  const testing_support::AllocationGuard guard;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 100; ++i) {
      ASSERT_TRUE(book.commit(kStart, Bytes(10), at_us(1'000 + i * 37 % 100)));
    }
    EXPECT_FALSE(book.commit(kStart, Bytes(10), at_us(5'000)));
    while (const auto due = book.next()) {
      book.on_sent(due->id, due->left);
    }
  }
  EXPECT_EQ(guard.allocations(), 0U);
}

}  // namespace
}  // namespace godwit::scheduler

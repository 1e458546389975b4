#include "api/local/ring.h"

#include <array>
#include <cstring>
#include <vector>

#include <gtest/gtest.h>

namespace godwit::local {
namespace {

// A ring in ordinary memory with both ends; tests write the control words as a hostile peer would.
struct TestRing {
  explicit TestRing(std::size_t bytes)
      : words(bytes / 8), memory{&control, std::as_writable_bytes(std::span(words))} {}

  bool put(RingProducer& producer, std::size_t body_bytes, std::uint8_t fill) {
    const auto body = producer.reserve(body_bytes);
    if (!body) {
      return false;
    }
    std::memset(body->data(), fill, body->size());
    rang = producer.commit(7, fill);
    return true;
  }

  RingControl control{};
  std::vector<std::uint64_t> words;
  RingMemory memory;
  bool rang = false;
};

TEST(Ring, DeliversARecordWithItsTypeFlagsAndBytes) {
  TestRing ring(1024);
  RingProducer producer(ring.memory);
  RingConsumer consumer(ring.memory);
  EXPECT_FALSE(consumer.peek());
  const auto body = producer.reserve(5);
  ASSERT_TRUE(body);
  std::memcpy(body->data(), "hello", 5);
  EXPECT_TRUE(producer.commit(3, 9)) << "the consumer looked, found nothing and wants a doorbell";
  const auto record = consumer.peek();
  ASSERT_TRUE(record);
  EXPECT_EQ(record->type, 3);
  EXPECT_EQ(record->flags, 9);
  ASSERT_EQ(record->body.size(), 5U);
  EXPECT_EQ(std::memcmp(record->body.data(), "hello", 5), 0);
  EXPECT_FALSE(consumer.consume());
  EXPECT_FALSE(consumer.peek());
}

TEST(Ring, RefusesWhatDoesNotFitAndRingsWhenHalfOfItIsFreeAgain) {
  TestRing ring(1024);
  RingProducer producer(ring.memory);
  RingConsumer consumer(ring.memory);
  int records = 0;
  while (ring.put(producer, 120, 1)) {  // 128 bytes each with the header
    ++records;
  }
  EXPECT_EQ(records, 8);
  for (int i = 1; i <= 8; ++i) {
    ASSERT_TRUE(consumer.peek());
    EXPECT_EQ(consumer.consume(), i == 4) << "after record " << i;
  }
  EXPECT_TRUE(ring.put(producer, 120, 2));
}

TEST(Ring, NeverSplitsARecordAtItsEnd) {
  TestRing ring(1024);
  RingProducer producer(ring.memory);
  RingConsumer consumer(ring.memory);
  for (std::uint8_t i = 1; i < 200; ++i) {
    ASSERT_TRUE(ring.put(producer, 8 + i % 200, i));
    const auto record = consumer.peek();
    ASSERT_TRUE(record);
    ASSERT_EQ(record->body.size(), 8U + i % 200);
    for (const std::byte b : record->body) {
      ASSERT_EQ(b, std::byte{i});
    }
    (void)consumer.consume();
  }
}

TEST(Ring, RingsOnlyOnceForEachTimeTheConsumerFoundNothing) {
  TestRing ring(1024);
  RingProducer producer(ring.memory);
  RingConsumer consumer(ring.memory);
  ASSERT_TRUE(ring.put(producer, 8, 1));
  EXPECT_FALSE(ring.rang) << "nobody waits yet";
  ASSERT_TRUE(consumer.peek());
  (void)consumer.consume();
  EXPECT_FALSE(consumer.peek());
  ASSERT_TRUE(ring.put(producer, 8, 2));
  EXPECT_TRUE(ring.rang);
  ASSERT_TRUE(ring.put(producer, 8, 3));
  EXPECT_FALSE(ring.rang);
}

TEST(Ring, TakesItsLargestRecordAtEveryPosition) {
  TestRing ring(256);
  RingProducer producer(ring.memory);
  RingConsumer consumer(ring.memory);
  const std::size_t largest = body_bytes_max(256);
  EXPECT_EQ(largest, 256U / 4 - 8);
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(ring.put(producer, static_cast<std::size_t>(i) % 3 * 8, 1));
    ASSERT_TRUE(ring.put(producer, largest, 2)) << "round " << i;
    for (int j = 0; j < 2; ++j) {
      ASSERT_TRUE(consumer.peek());
      (void)consumer.consume();
    }
  }
}

// ---- a lying producer -------------------------------------------------------------------------

TEST(HostileRing, BreaksOnAHeadMoreThanARingAway) {
  TestRing ring(1024);
  RingConsumer consumer(ring.memory);
  ring.control.head = 1024 + 8;
  EXPECT_FALSE(consumer.peek());
  EXPECT_EQ(consumer.fault(), RingFault::kIndexAhead);
  ring.control.head = 0;
  EXPECT_FALSE(consumer.peek()) << "broken for ever";
}

TEST(HostileRing, BreaksOnAHeadThatGoesBack) {
  TestRing ring(1024);
  RingProducer producer(ring.memory);
  RingConsumer consumer(ring.memory);
  ASSERT_TRUE(ring.put(producer, 8, 1));
  ASSERT_TRUE(consumer.peek());
  (void)consumer.consume();
  ring.control.head = 8;
  EXPECT_FALSE(consumer.peek());
  EXPECT_EQ(consumer.fault(), RingFault::kIndexBackwards);
}

TEST(HostileRing, BreaksOnAHeadThatIsNoMultipleOfEight) {
  TestRing ring(1024);
  RingConsumer consumer(ring.memory);
  ring.control.head = 12;
  EXPECT_FALSE(consumer.peek());
  EXPECT_EQ(consumer.fault(), RingFault::kIndexUnaligned);
}

TEST(HostileRing, BreaksOnALengthBeyondWhatWasPublished) {
  for (const std::uint32_t lie : {9U, 17U, 240U, 248U, 249U, 1000U, 0x7fffffffU, 0xffffffffU}) {
    TestRing ring(1024);
    RingConsumer consumer(ring.memory);
    const RecordHeader header{lie, 1, 0};
    std::memcpy(ring.words.data(), &header, sizeof(header));
    ring.control.head = 16;  // room for a body of 8 bytes
    EXPECT_FALSE(consumer.peek()) << lie;
    EXPECT_EQ(consumer.fault(), RingFault::kRecordLength) << lie;
  }
}

TEST(HostileRing, BreaksOnARecordOverTheEndOfTheRing) {
  TestRing ring(1024);
  RingProducer producer(ring.memory);
  RingConsumer consumer(ring.memory);
  for (int i = 0; i < 5; ++i) {  // 5 · 200 bytes: 24 are left
    ASSERT_TRUE(ring.put(producer, 192, 1));
    ASSERT_TRUE(consumer.peek());
    (void)consumer.consume();
  }
  const RecordHeader header{100, 1, 0};
  std::memcpy(&ring.words[1000 / 8], &header, sizeof(header));
  ring.control.head = 1000 + 108 + 4;
  EXPECT_FALSE(consumer.peek());
  EXPECT_EQ(consumer.fault(), RingFault::kRecordLength);
}

TEST(HostileRing, BreaksOnAWrapThatDoesNotEndTheRing) {
  for (const std::uint32_t lie : {0U, 8U, 1008U, 1016U, 1024U, 0xffffffffU}) {
    TestRing ring(1024);
    RingConsumer consumer(ring.memory);
    const RecordHeader header{lie, kWrapType, 0};
    std::memcpy(ring.words.data(), &header, sizeof(header));
    ring.control.head = 1024;
    EXPECT_FALSE(consumer.peek()) << lie;
    EXPECT_EQ(consumer.fault(), RingFault::kWrapLength) << lie;
  }
}

// ---- a lying consumer -------------------------------------------------------------------------

TEST(HostileRing, BreaksOnATailAheadOfTheHead) {
  TestRing ring(1024);
  RingProducer producer(ring.memory);
  while (ring.put(producer, 120, 1)) {
  }
  ring.control.tail = 2048;
  EXPECT_FALSE(producer.reserve(8).has_value() && producer.reserve(250).has_value());
  EXPECT_EQ(producer.fault(), RingFault::kIndexAhead);
}

TEST(HostileRing, BreaksOnATailThatGoesBackOrIsUnaligned) {
  for (const std::uint64_t lie : {std::uint64_t{64}, std::uint64_t{131}}) {
    TestRing ring(1024);
    RingProducer producer(ring.memory);
    RingConsumer consumer(ring.memory);
    while (ring.put(producer, 120, 1)) {
    }
    ASSERT_TRUE(consumer.peek());
    (void)consumer.consume();
    while (ring.put(producer, 120, 1)) {
    }
    ring.control.tail = lie;
    EXPECT_FALSE(producer.reserve(120));
    EXPECT_NE(producer.fault(), RingFault::kNone) << lie;
  }
}

}  // namespace
}  // namespace godwit::local

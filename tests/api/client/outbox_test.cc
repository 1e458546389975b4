// What the outbox keeps in memory, and what it remembers to have sent.
#include "api/client/outbox.h"

#include <gtest/gtest.h>

#include "api/local/memory_channel.h"

namespace godwit::client {
namespace {

constexpr std::size_t kValues = 25'000;
constexpr std::size_t kBytes = kValues * sizeof(float);

Publish publish(std::vector<std::byte> buffer = {}) {
  buffer.resize(kBytes);
  return {.first = 0, .count = kValues, .values = std::move(buffer)};
}

TEST(Outbox, FreesTheValuesOfSafePublishesButOneBuffer) {
  // They were emptied and not freed: a trainer's process grew by every publish it made.
  Outbox outbox;
  for (std::uint64_t number = 1; number <= 100; ++number) {
    ASSERT_EQ(outbox.add(publish()), number);
  }
  EXPECT_GE(outbox.held_bytes(), 100 * kBytes);
  for (std::uint64_t number = 1; number <= 100; ++number) {
    EXPECT_GT(outbox.on_safe(number, number, {1, 7}), 0U);
  }
  EXPECT_GE(outbox.held_bytes(), kBytes);
  EXPECT_LT(outbox.held_bytes(), 2 * kBytes);
}

TEST(Outbox, GivesTheBufferOfAFinishedPublishToTheNext) {
  Outbox outbox;
  EXPECT_EQ(outbox.take_buffer().capacity(), 0U);
  outbox.add(publish());
  outbox.on_safe(1, 1, {1, 7});
  auto buffer = outbox.take_buffer();
  EXPECT_GE(buffer.capacity(), kBytes);
  EXPECT_EQ(outbox.held_bytes(), 0U);
  outbox.add(publish(std::move(buffer)));
  EXPECT_EQ(outbox.state(2), PublishState::kUnsafe);
}

TEST(Outbox, KnowsWhatItSentWholeToThisLifeOfTheTopic) {
  local::MemoryLink link;
  Outbox outbox;
  const auto pump = [&](int records) {
    for (int i = 0; i < records; ++i) {
      EXPECT_EQ(outbox.pump(link.client_end(), {}, Instant()), PumpResult::kSent);
    }
  };
  for (int i = 0; i < 3; ++i) {
    outbox.add({.count = 1, .values = std::vector<std::byte>(sizeof(float))});
  }
  pump(3 + 3 + 2);  // begin, data, commit; the last publish is not committed
  EXPECT_EQ(outbox.last_unanswered(), 2U);
  EXPECT_EQ(outbox.rewind(), 3U);
  EXPECT_EQ(outbox.last_unanswered(), 2U);
  pump(3);
  outbox.begin_life();  // it was Declared of this connection that told it
  EXPECT_EQ(outbox.last_unanswered(), 1U);
  outbox.on_safe(1, 1, {1, 7});
  EXPECT_EQ(outbox.last_unanswered(), 0U);
}

}  // namespace
}  // namespace godwit::client

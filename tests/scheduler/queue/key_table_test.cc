// The key table finds what was inserted, and only that.
#include "scheduler/queue/key_table.h"

#include <gtest/gtest.h>

namespace godwit::scheduler {
namespace {

TEST(KeyTable, FindsWhatWasInserted) {
  KeyTable table;
  table.insert({1, 2}, 7);
  table.insert({2, 1}, 8);
  EXPECT_EQ(table.find({1, 2}), 7U);
  EXPECT_EQ(table.find({2, 1}), 8U);
  EXPECT_EQ(table.find({1, 1}), kNoSlot);
}

TEST(KeyTable, KeepsAllKeysWhenItGrows) {
  KeyTable table;
  for (std::uint32_t tile = 0; tile < 10'000; ++tile) {
    table.insert({3, tile}, tile);
  }
  EXPECT_EQ(table.size(), 10'000U);
  for (std::uint32_t tile = 0; tile < 10'000; ++tile) {
    ASSERT_EQ(table.find({3, tile}), tile);
  }
}

TEST(KeyTable, ForgetsWhatWasErasedAndNothingElse) {
  KeyTable table;
  for (std::uint32_t tile = 0; tile < 1'000; ++tile) {
    table.insert({0, tile}, tile);
  }
  for (std::uint32_t tile = 0; tile < 1'000; tile += 2) {
    table.erase({0, tile});
  }
  table.erase({9, 9});
  for (std::uint32_t tile = 0; tile < 1'000; ++tile) {
    ASSERT_EQ(table.find({0, tile}), tile % 2 == 0 ? kNoSlot : tile);
  }
}

}  // namespace
}  // namespace godwit::scheduler

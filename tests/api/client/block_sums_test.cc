// Sums of received changes, handed over and taken back.
#include "api/client/block_sums.h"

#include <vector>

#include <gtest/gtest.h>

namespace godwit::client {
namespace {

TEST(BlockSums, StartFromZeroInABlockThatWasUsedBefore) {
  BlockSums sums;
  sums.add(4094, std::vector<std::int64_t>{1, 2, 3, 4});  // two blocks
  SumBlocks taken = sums.take();
  ASSERT_EQ(taken.size(), 2U);
  const SumBlock* const before = taken.begin()->second.get();
  sums.recycle(std::move(taken));
  EXPECT_TRUE(sums.empty());

  sums.add(10, std::vector<std::int64_t>{7});
  sums.add(20'000, std::vector<std::int64_t>{8, 9});
  sums.add(40'000, std::vector<std::int64_t>{5});  // one block more than were given back
  std::vector<std::int64_t> all(4100);
  sums.copy(0, all);
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i], i == 10 ? 7 : 0) << i;
  }
  taken = sums.take();
  ASSERT_EQ(taken.size(), 3U);
  bool is_reused = false;
  for (const auto& [number, block] : taken) {
    is_reused = is_reused || block.get() == before;
  }
  EXPECT_TRUE(is_reused);
  EXPECT_EQ(taken.at(0)->touched().size(), 1U);
  EXPECT_EQ(taken.at(4)->touched()[1], 9);
}

}  // namespace
}  // namespace godwit::client

// Which codec is chosen for a tile and a budget.
#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include <gtest/gtest.h>

#include "codec/codec.h"
#include "tests/codec/tiles.h"
#include "tests/support/allocation_guard.h"

namespace godwit::codec {
namespace {

class Choice : public ::testing::Test {
 protected:
  // Codes a tile, checks that the decoder makes the same of it, and keeps the code.
  Encoded code(const testing::Integers& tile, Budget budget, Accepts accepts = {}) {
    out_.assign(coded_bytes_max(tile.size()), std::byte{0});
    removed_.assign(tile.size(), 1);
    encoder_.load(tile);
    const Encoded done = encoder_.encode(budget, out_, removed_, accepts);
    EXPECT_LE(done.bytes, budget.bytes);
    if (done.bytes != 0) {
      testing::Integers decoded(tile.size());
      EXPECT_TRUE(decoder_.decode(done.id, std::span(out_).first(done.bytes), decoded));
      EXPECT_EQ(decoded, removed_);
    }
    return done;
  }

  Encoder encoder_;
  Decoder decoder_;
  testing::Bytes out_;
  testing::Integers removed_;
  Random random_{41};
};

TEST_F(Choice, AListServesTinyBudgetsAndNeverWorseThanPlanes) {
  std::vector<testing::Integers> tiles;
  tiles.push_back(testing::gaussian(kTileElements, 1e9, random_));
  tiles.push_back(testing::heavy_tailed(kTileElements, 1e8, random_));
  tiles.push_back(testing::gaussian(9000, 1e9, random_));
  for (const auto& tile : tiles) {
    int lists = 0;
    for (std::size_t bytes = 4; bytes <= 1024; bytes = bytes * 5 / 4 + 1) {
      const Encoded chosen = code(tile, {.bytes = bytes});
      const Encoded planes = code(tile, {.bytes = bytes}, {.sparse_list = false});
      EXPECT_NE(planes.id, Id::kSparseList);
      EXPECT_LE(chosen.energy_after, planes.energy_after) << bytes;
      const bool is_list = chosen.id == Id::kSparseList;
      EXPECT_TRUE(!is_list || bytes <= sparse_bytes_max(tile.size())) << bytes;
      lists += is_list ? 1 : 0;
    }
    EXPECT_GT(lists, 5);
  }
}

TEST_F(Choice, SixteenBytesAlwaysTakeSomething) {
  for (const auto& tile : testing::tiles()) {
    const Encoded done = code(tile.values, {.bytes = kSparseProgressBytes});
    const bool is_zero = done.energy_before == 0;
    EXPECT_TRUE(is_zero || done.energy_after < done.energy_before) << tile.name;
  }
  for (const std::size_t at : {0U, 1U, 777U, 32766U, 32767U}) {
    testing::Integers tile(kTileElements);
    tile[at] = -kValueLimit + 1;
    const Encoded done = code(tile, {.bytes = kSparseProgressBytes});
    EXPECT_LT(done.energy_after, done.energy_before) << at;
  }
}

TEST_F(Choice, ABudgetOfALongListWantsPlanes) {
  const auto tile = testing::gaussian(kTileElements, 1e9, random_);
  EXPECT_EQ(code(tile, {.bytes = 512}).id, Id::kSparseList);
  EXPECT_EQ(code(tile, {.bytes = 4096}).id, Id::kBpc);
  EXPECT_EQ(code(tile, {}).id, Id::kBpc);
}

TEST_F(Choice, ATileThatFitsWholeIsSentWhole) {
  testing::Integers tile(kTileElements);
  tile[5] = 1;
  tile[31'000] = -1;
  const Encoded done = code(tile, {.bytes = 100});
  EXPECT_EQ(done.energy_after, 0);
  EXPECT_EQ(removed_, tile);
}

// Rows of 32, of which few were touched.
testing::Integers touched_rows(Random& random) {
  testing::Integers tile(kTileElements);
  for (std::size_t row = 0; row < tile.size() / 32; ++row) {
    for (std::size_t i = 0; i < 32 && row % 11 == 3; ++i) {
      tile[row * 32 + i] = 1 + std::llround(1e9 * std::fabs(testing::normal(random)));
    }
  }
  return tile;
}

TEST_F(Choice, RowsThatWereTouchedAreSentAlone) {
  const auto tile = touched_rows(random_);
  for (const std::size_t bytes : {600U, 1000U, 2000U, 8000U}) {
    const Encoded rows = code(tile, {.bytes = bytes});
    EXPECT_EQ(rows.id, Id::kRow);
    const Encoded planes = code(tile, {.bytes = bytes}, {.row = false});
    EXPECT_NE(planes.id, Id::kRow);
    EXPECT_LT(rows.energy_after, 0.8 * planes.energy_after) << bytes;
  }
  EXPECT_EQ(code(tile, {.floor = 1000}).id, Id::kRow);
  EXPECT_NE(code(tile, {.bytes = 2000}, {.bpc = false}).id, Id::kRow);
  const auto dense = testing::gaussian(kTileElements, 1e9, random_);
  EXPECT_EQ(code(dense, {.bytes = 2000}).id, Id::kBpc);
}

// 93 of 1,024 rows: a head of 5 bytes, and gaps of 93 * 5 - 1 bits. Steps are in the inner code's
// third.
TEST_F(Choice, WithinRowsStepsAreWhatTheReceiverReads) {
  const auto tile = touched_rows(random_);
  const auto quarters = [&](Accepts accepts) {
    unsigned found = 0;
    for (std::size_t bytes = 600; bytes < 2000; bytes += 100) {
      EXPECT_EQ(code(tile, {.bytes = bytes}, accepts).id, Id::kRow);
      found |= std::to_integer<unsigned>(out_.at(5 + 58 + 2)) >> 6U;
    }
    return found;
  };
  EXPECT_NE(quarters({}), 0U);
  EXPECT_EQ(quarters({.finer_steps = false}), 0U);
}

TEST_F(Choice, RowsAreDrainedToTheLastQuantum) {
  auto tile = touched_rows(random_);
  int calls = 0;
  for (; std::any_of(tile.begin(), tile.end(), [](auto x) { return x != 0; }); ++calls) {
    ASSERT_LT(calls, 40);
    const Encoded done = code(tile, {.bytes = 2000});
    ASSERT_LT(done.energy_after, done.energy_before);
    std::transform(tile.begin(), tile.end(), removed_.begin(), tile.begin(), std::minus<>());
  }
  EXPECT_LT(calls, 10) << "31 bits of 2,976 elements and their planes are 12 KB";
}

TEST_F(Choice, RowsOfTheLeastIntegersAreRowsToo) {
  auto tile = touched_rows(random_);
  for (std::int64_t& value : tile) {
    value = value == 0 ? 0 : 1 + value % 2;
  }
  const Encoded done = code(tile, {});
  EXPECT_EQ(done.id, Id::kRow);
  EXPECT_EQ(removed_, tile);
}

TEST_F(Choice, OfRowsTooAllocatesNothing) {
  const auto tile = touched_rows(random_);
  ASSERT_EQ(code(tile, {.bytes = 1000}).id, Id::kRow);
  testing::Integers decoded(tile.size());
  const testing_support::AllocationGuard guard;
  encoder_.load(tile);
  const Encoded done = encoder_.encode({.bytes = 1000}, out_, removed_);
  const bool good =
      decoder_.decode(done.id, std::span(out_).first(done.bytes), decoded).has_value();
  EXPECT_EQ(guard.allocations(), 0U);
  EXPECT_TRUE(good);
}

TEST_F(Choice, OfAListTooAllocatesNothing) {
  const auto tile = testing::gaussian(kTileElements, 1e9, random_);
  ASSERT_EQ(code(tile, {.bytes = 300}).id, Id::kSparseList);
  const testing_support::AllocationGuard guard;
  encoder_.load(tile);
  encoder_.encode({.bytes = 300}, out_, removed_);
  EXPECT_EQ(guard.allocations(), 0U);
}

}  // namespace
}  // namespace godwit::codec

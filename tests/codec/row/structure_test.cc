#include "codec/row/structure.h"

#include <vector>

#include <gtest/gtest.h>

#include "codec/codec.h"
#include "dataplane/base/random.h"

namespace godwit::codec::row {
namespace {

// Which elements of a tile are not 0, when these rows of it were touched.
BitMap ones_of(const Rows& rows, const std::vector<std::size_t>& touched) {
  BitMap bits{};
  for (const std::size_t row : touched) {
    set_ones(bits, rows.first_of(row), rows.first_of(row + 1));
  }
  return bits;
}

std::vector<std::size_t> some(std::size_t rows, std::uint64_t every, Random& random) {
  std::vector<std::size_t> touched;
  for (std::size_t row = 0; row < rows; ++row) {
    if (random.below(every) == 0) {
      touched.push_back(row);
    }
  }
  return touched;
}

TEST(Structure, TheWidthDividesWhatLiesBetweenBorders) {
  const Rows rows{.elements = 5000, .width = 96, .phase = 17};
  const auto found = find_rows(ones_of(rows, {2, 5, 6, 11, 30}), rows.elements);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->width, 96U);
  EXPECT_EQ(found->phase, 17U);
  EXPECT_EQ(found->elements, 5000U);
}

TEST(Structure, OneStretchIsARow) {
  const Rows rows{.elements = 5000, .width = 96, .phase = 17};
  const auto found = find_rows(ones_of(rows, {3, 4}), rows.elements);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->width, 192U);
  EXPECT_EQ(rows.first_of(3) % 192, found->phase);
}

TEST(Structure, TheEndsOfTheTileAreNoBorders) {
  const Rows rows{.elements = 4000, .width = 96, .phase = 17};
  const auto found = find_rows(ones_of(rows, {0, 5, 7, 20, rows.count() - 1}), rows.elements);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->width, 96U);
  EXPECT_FALSE(find_rows(ones_of(rows, {0, 1, 2}), rows.elements)) << "one border has no distance";
  EXPECT_FALSE(find_rows(BitMap{}, 4000));
  BitMap all{};
  set_ones(all, 0, 4000);
  EXPECT_FALSE(find_rows(all, 4000));
}

// In each row the first or last element is 0 by chance now and then.
TEST(Structure, ToleratesBordersThatAreMovedByZeros) {
  Random random(5);
  for (const std::size_t width : {16U, 50U, 100U, 256U}) {
    const Rows rows{kTileElements, width, 7};
    BitMap bits = ones_of(rows, some(rows.count(), 8, random));
    const BitMap before = bits;
    for (std::size_t row = 0; row < rows.count(); ++row) {
      for (const std::size_t at : {rows.first_of(row), rows.first_of(row + 1) - 1}) {
        if (random.below(8) == 0) {
          bits[at / 64] &= ~(std::uint64_t{1} << (at % 64));
        }
      }
    }
    const std::size_t first = next_run(before, 8, rows.elements).first;
    bits[first / 64] &= ~(std::uint64_t{1} << (first % 64));  // of the first border at least
    ASSERT_NE(bits, before);
    close_gaps(bits);
    const auto found = find_rows(bits, rows.elements);
    ASSERT_TRUE(found) << width;
    EXPECT_EQ(found->width, width);
    EXPECT_EQ(found->phase, 7U);
  }
}

TEST(Structure, ChanceIsNone) {
  Random random(6);
  int found = 0;
  for (int round = 0; round < 200; ++round) {
    BitMap bits{};
    const std::uint64_t every = 10 + random.below(90);
    for (std::size_t i = 0; i < kTileElements; ++i) {
      if (random.below(every) == 0) {
        set_ones(bits, i, i + 1);
      }
    }
    close_gaps(bits);
    found += find_rows(bits, kTileElements) ? 1 : 0;
  }
  EXPECT_LE(found, 10);
}

TEST(Structure, RowsNarrowerThanEightAreNone) {
  const Rows rows{.elements = 4000, .width = 7, .phase = 0};
  EXPECT_FALSE(find_rows(ones_of(rows, {2, 5, 9, 16, 30}), rows.elements));
}

}  // namespace
}  // namespace godwit::codec::row

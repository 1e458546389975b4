#include "codec/row/rows.h"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

#include "dataplane/base/random.h"

namespace godwit::codec::row {
namespace {

TEST(Rows, CoverTheTileOnce) {
  for (const Rows rows : {Rows{1, 1, 0},
                          Rows{1, 32768, 0},
                          Rows{2, 2, 1},
                          Rows{14, 4, 2},
                          Rows{16, 4, 0},
                          Rows{3, 100, 2},
                          Rows{kTileElements, 1, 0},
                          Rows{kTileElements, 2, 1},
                          Rows{kTileElements, 300, 299}}) {
    ASSERT_LE(rows.count(), kTileElements);
    EXPECT_EQ(rows.first_of(0), 0U);
    EXPECT_EQ(rows.first_of(rows.count()), rows.elements);
    for (std::size_t row = 0; row < rows.count(); ++row) {
      const std::size_t first = rows.first_of(row);
      const std::size_t end = rows.first_of(row + 1);
      ASSERT_LT(first, end);
      EXPECT_EQ(rows.row_of(first), row);
      EXPECT_EQ(rows.row_of(end - 1), row);
      // Whole ones lie between parts.
      const bool is_whole = end - first == rows.width;
      EXPECT_TRUE(is_whole || row == 0 || end == rows.elements);
    }
    EXPECT_TRUE(rows.phase == 0 || rows.first_of(1) == rows.phase);
  }
}

TEST(Rows, WhatIsGatheredIsScatteredToItsPlaces) {
  Random random(3);
  for (int round = 0; round < 300; ++round) {
    Rows rows{.elements = 1 + random.below(3000), .width = 1 + random.below(200)};
    rows.phase = random.below(std::min(rows.width, rows.elements));
    std::vector<std::int64_t> values(rows.elements);
    BitMap named{};
    std::size_t count = 0;
    const std::uint64_t every = 1 + random.below(5);
    for (std::size_t row = 0; row < rows.count(); ++row) {
      if (random.below(every) != 0) {
        continue;
      }
      set_ones(named, row, row + 1);
      for (std::size_t i = rows.first_of(row); i < rows.first_of(row + 1); ++i) {
        values[i] = static_cast<std::int64_t>(i + 1);
        ++count;
      }
    }
    ASSERT_EQ(elements_in(rows, named), count);
    std::vector<std::int64_t> together(count);
    gather(rows, named, values, together);
    EXPECT_TRUE(std::is_sorted(together.begin(), together.end()));
    std::vector<std::int64_t> out(rows.elements, 77);
    std::copy(together.begin(), together.end(), out.end() - static_cast<std::ptrdiff_t>(count));
    scatter(rows, named, out);
    ASSERT_EQ(out, values) << rows.width << " " << rows.phase;
  }
}

TEST(Rows, AreNamedByTheirElements) {
  const Rows rows{.elements = 100, .width = 10, .phase = 5};
  BitMap ones{};
  set_ones(ones, 4, 5);    // of row 0
  set_ones(ones, 24, 26);  // of rows 2 and 3
  set_ones(ones, 95, 96);  // of the last
  BitMap expected{};
  set_ones(expected, 0, 1);
  set_ones(expected, 2, 4);
  set_ones(expected, 10, 11);
  EXPECT_EQ(rows_with(rows, ones), expected);
}

}  // namespace
}  // namespace godwit::codec::row

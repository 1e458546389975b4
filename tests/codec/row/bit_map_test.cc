#include "codec/row/bit_map.h"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

#include "codec/row/vector_kernels.h"
#include "tests/codec/targets.h"
#include "tests/codec/tiles.h"

namespace godwit::codec::row {
namespace {

std::vector<bool> loose(const BitMap& bits) {
  std::vector<bool> result(kTileElements);
  for (std::size_t i = 0; i < result.size(); ++i) {
    result[i] = (bits[i / 64] >> (i % 64) & 1U) != 0;
  }
  return result;
}

// Stretches of ones and zeros of up to `longest`.
BitMap stretches(std::uint64_t longest, Random& random) {
  BitMap bits{};
  for (std::size_t at = random.below(longest); at < kTileElements;) {
    const std::size_t end = std::min(kTileElements, at + 1 + random.below(longest));
    set_ones(bits, at, end);
    at = end + 1 + random.below(longest);
  }
  return bits;
}

TEST(BitMap, RunsAreWhatABitByBitReaderFinds) {
  Random random(1);
  for (const std::uint64_t longest : {2U, 20U, 70U, 5000U}) {
    const BitMap bits = stretches(longest, random);
    const auto each = loose(bits);
    const std::size_t count = kTileElements - random.below(100);
    std::size_t ones = 0;
    std::size_t at = 0;
    for (auto run = next_run(bits, 0, count); run.first < count;
         run = next_run(bits, run.end, count)) {
      for (; at < run.first; ++at) {
        ASSERT_FALSE(each[at]);
      }
      ASSERT_LT(run.first, run.end);
      for (; at < run.end; ++at) {
        ASSERT_TRUE(each[at]);
        ++ones;
      }
      ASSERT_TRUE(at == count || !each[at]);
    }
    EXPECT_EQ(ones,
              static_cast<std::size_t>(std::count(
                  each.begin(), each.begin() + static_cast<std::ptrdiff_t>(count), true)));
    EXPECT_EQ(count_ones(bits),
              static_cast<std::size_t>(std::count(each.begin(), each.end(), true)));
  }
}

TEST(BitMap, GapsBelowEightAreClosedAndNoOthers) {
  Random random(2);
  for (const std::uint64_t longest : {3U, 12U, 30U, 200U}) {
    BitMap bits = stretches(longest, random);
    auto expected = loose(bits);
    std::size_t zeros = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      if (!expected[i]) {
        ++zeros;
        continue;
      }
      for (std::size_t back = 1; zeros < 8 && back <= zeros; ++back) {
        expected[i - back] = true;
      }
      zeros = 0;
    }
    close_gaps(bits);
    ASSERT_EQ(loose(bits), expected) << longest;
  }
}

class BitsAbove : public testing::OnEveryTarget {};

INSTANTIATE_TEST_SUITE_P(Targets,
                         BitsAbove,
                         ::testing::ValuesIn(testing::targets()),
                         testing::target_name);

TEST_P(BitsAbove, AreOfTheValuesAboveTheFloorAlone) {
  Random random(3);
  for (const std::size_t count : {1U, 7U, 63U, 64U, 65U, 257U, 30001U, 32768U}) {
    auto values = testing::uniform(count, 4, random);
    values.back() = kValueLimit - 1;
    values.front() = -(kValueLimit - 1);
    for (const std::uint64_t floor :
         {std::uint64_t{0}, std::uint64_t{5}, std::uint64_t{1} << 61U}) {
      BitMap bits{};
      std::fill_n(bits.begin(), (count + 63) / 64, ~std::uint64_t{0});
      bits_above(values, floor, bits.data());
      const auto each = loose(bits);
      for (std::size_t i = 0; i < kTileElements; ++i) {
        ASSERT_EQ(each[i], i < count && testing::size_of(values[i]) > floor)
            << i << " of " << count;
      }
    }
  }
}

}  // namespace
}  // namespace godwit::codec::row

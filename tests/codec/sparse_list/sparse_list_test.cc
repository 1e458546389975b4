#include "codec/sparse_list/sparse_list.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "codec/sparse_list/vector_kernels.h"
#include "tests/codec/targets.h"
#include "tests/codec/tiles.h"

namespace godwit::codec::sparse_list {
namespace {

using testing::Bytes;
using testing::bytes;
using testing::Integers;
using testing::size_of;

Code refusal(const Bytes& coded, std::size_t elements) {
  Integers out(elements);
  const auto result = Decoder().decode(coded, out);
  return result ? Code::kOk : result.error().code;
}

class SparseListKernels : public testing::OnEveryTarget {};
INSTANTIATE_TEST_SUITE_P(Targets,
                         SparseListKernels,
                         ::testing::ValuesIn(testing::targets()),
                         testing::target_name);

TEST_P(SparseListKernels, FindThePositionsThatALoopFinds) {
  for (const auto& tile : testing::tiles()) {
    for (const std::uint64_t least : {std::uint64_t{1},
                                      std::uint64_t{30'000},
                                      std::uint64_t{1} << 40U,
                                      std::uint64_t{1} << 61U}) {
      std::vector<std::uint16_t> expected;
      for (std::size_t i = 0; i < tile.values.size(); ++i) {
        if (size_of(tile.values[i]) >= least) {
          expected.push_back(static_cast<std::uint16_t>(i));
        }
      }
      std::vector<std::uint16_t> found(tile.values.size());
      found.resize(positions_of(tile.values, least, found.data()));
      ASSERT_EQ(found, expected) << tile.name << " from " << least;
    }
  }
}

TEST(SparseList, TheWorkedExampleDecodes) {
  Integers out(8);
  ASSERT_TRUE(Decoder().decode(bytes({0x05, 0x05, 0x00, 0x04, 0x00, 0xda, 0x00}), out));
  EXPECT_EQ(out, (Integers{0, 0, -9, 0, 0, 0, 5, 0}));
}

TEST(SparseList, RefusesWhatNoEncoderWrites) {
  EXPECT_EQ(refusal(bytes({0x00, 0x05, 0x00, 0x01}), 1), Code::kOk);
  EXPECT_EQ(refusal(bytes({0x04, 0x05, 0x00, 0x01}), 1), Code::kCorrupt);  // two of one
  EXPECT_EQ(refusal(bytes({0x80, 0x00, 0x05, 0x00, 0x01}), 1),
            Code::kCorrupt);                                               // longer than needed
  EXPECT_EQ(refusal(bytes({0x00, 0x00, 0x00, 0x01}), 1), Code::kCorrupt);  // of size 0
  EXPECT_EQ(refusal(bytes({0x00, 0x01, 0xd4, 0x01}), 1), Code::kCorrupt);  // 2^53 * 1
  EXPECT_EQ(refusal(bytes({0x01, 0xff, 0xd3, 0xff, 0xd3, 0x01}), 1),
            Code::kCorrupt);                                               // beyond 2^62
  EXPECT_EQ(refusal(bytes({0x00, 0x05, 0x00, 0x02}), 1), Code::kCorrupt);  // behind the last
  EXPECT_EQ(refusal(bytes({0x00, 0x05, 0x00, 0x05}), 1), Code::kCorrupt);  // padding
  EXPECT_EQ(refusal(bytes({0x00, 0x05, 0x00, 0x00}), 1), Code::kCorrupt);  // nothing named
}

// Seven steps of 586 * 2^52 are 6 * 2^52 more than 2^64: a sum that wraps looks small.
TEST(SparseList, RefusesSizesWhoseSumOverflows) {
  EXPECT_EQ(refusal(bytes({0x03, 0x01, 0x00, 0x4a, 0xd2, 0x09}), 1), Code::kCorrupt);
}

// A budget is used, and for the largest elements.
TEST(SparseList, NamesTheLargestAndUsesItsBudget) {
  Random random(3);
  const Integers open = testing::gaussian(kTileElements, 1e6, random);
  Encoder encoder;
  encoder.load(open);
  for (const std::size_t budget : {12U, 41U, 82U, 205U, 1000U}) {
    Bytes out(budget);
    Integers removed(open.size());
    const Encoded done = encoder.encode({}, out, removed);
    EXPECT_LE(done.bytes, budget);
    EXPECT_GE(done.bytes + 3 + budget / 50, budget);
    std::uint64_t least_named = UINT64_MAX;
    std::uint64_t largest_left = 0;
    for (std::size_t i = 0; i < open.size(); ++i) {
      ASSERT_LE(size_of(open[i] - removed[i]), size_of(open[i]));
      if (removed[i] != 0) {
        least_named = std::min(least_named, size_of(open[i]));
      } else {
        largest_left = std::max(largest_left, size_of(open[i]));
      }
    }
    // Within a bin, an eighth of an octave, the first ones are taken.
    EXPECT_LT(static_cast<double>(largest_left), 1.13 * static_cast<double>(least_named));
  }
}

// The least element named decides what sizes there may be, however much room there is.
// Whatever the sample from which the encoder guesses how large the largest are: every eighth
// element.
TEST(SparseList, NamesAsManyAsFitWhereASampleOfThemMisleads) {
  for (const std::size_t large : {0U, 3U}) {
    Integers tile(kTileElements);
    for (std::size_t i = 0; i < tile.size(); ++i) {
      tile[i] = i % 8 == large ? 1 << 30 : 1 << 29;
    }
    Encoder encoder;
    encoder.load(tile);
    Bytes out(coded_bytes_max(tile.size()));
    Integers removed(tile.size());
    encoder.encode({.bytes = 4100}, out, removed);
    const auto named =
        tile.size() - static_cast<std::size_t>(std::count(removed.begin(), removed.end(), 0));
    EXPECT_GT(named, 6000U) << large << ": all that are large, and others";
  }
}

TEST(SparseList, OneSizeIsEnoughForEqualElements) {
  Encoder encoder;
  Bytes out(1000);
  for (const std::int64_t size : {1, 5, 1000, 1023 << 20}) {
    const Integers open = {0, size, -size, 0, 0, size};
    Integers removed(open.size());
    encoder.load(open);
    const Encoded done = encoder.encode({}, out, removed);
    EXPECT_EQ(removed, open);
    EXPECT_EQ(done.bytes, 5U);
  }
}

TEST(SparseList, NeverLeavesMoreThanThereWas) {
  Encoder encoder;
  for (const auto& tile : testing::tiles()) {
    encoder.load(tile.values);
    for (const std::size_t budget : {9U, 60U, 400U, 3000U}) {
      Bytes out(budget);
      Integers removed(tile.values.size());
      encoder.encode({}, out, removed);
      for (std::size_t i = 0; i < removed.size(); ++i) {
        ASSERT_TRUE(removed[i] == 0 ||
                    size_of(tile.values[i] - removed[i]) < size_of(tile.values[i]))
            << tile.name << ", " << budget << " bytes: " << removed[i] << " of " << tile.values[i];
      }
    }
  }
  // One of many equal ones is far larger: the mean of all is no size for the others.
  Integers open(1000, 10);
  open[7] = 1000000;
  Bytes out(300);
  Integers removed(open.size());
  encoder.load(open);
  ASSERT_GT(encoder.encode({}, out, removed).bytes, 0U);
  for (const std::size_t i : {0U, 1U}) {
    EXPECT_LE(size_of(open[i] - removed[i]), size_of(open[i]));
  }
}

TEST(SparseList, LeavesWhatIsNotAboveTheFloor) {
  Random random(4);
  const Integers open = testing::gaussian(5000, 1000, random);
  Encoder encoder;
  encoder.load(open);
  Bytes out(20000);
  Integers removed(open.size());
  ASSERT_GT(encoder.encode({.floor = 1500}, out, removed).bytes, 0U);
  for (std::size_t i = 0; i < open.size(); ++i) {
    EXPECT_TRUE(removed[i] == 0 || size_of(open[i]) > 1500);
  }
  EXPECT_EQ(encoder.encode({.floor = 100000}, out, removed).bytes, 0U);
}

TEST(SparseList, AFloorSpendsItsBytesAsWellAsABudgetDoes) {
  Random random(5);
  const Integers open = testing::gaussian(kTileElements, 1e6, random);
  Encoder encoder;
  encoder.load(open);
  Bytes out(20000);
  Integers removed(open.size());
  for (const std::uint64_t floor : {2'000'000U, 2'500'000U, 3'000'000U}) {
    const Encoded by_floor = encoder.encode({.floor = floor}, out, removed);
    const Encoded by_budget = encoder.encode({.bytes = by_floor.bytes}, out, removed);
    EXPECT_GT(by_floor.energy_before - by_floor.energy_after,
              0.99 * (by_budget.energy_before - by_budget.energy_after));
  }
}

}  // namespace
}  // namespace godwit::codec::sparse_list

#include "codec/row/row.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include <gtest/gtest.h>

#include "codec/bpc/encoder.h"
#include "codec/row/format.h"
#include "tests/codec/tiles.h"

namespace godwit::codec::row {
namespace {

using testing::Bytes;
using testing::bytes;
using testing::Integers;
using testing::size_of;

// Front of a code whose inner one is BPC's worked example, `5 -3 0 1`.
Bytes with_example(std::vector<unsigned> front) {
  for (const unsigned byte : {0x80U, 0x10U, 0U, 1U, 4U, 0U, 1U, 0x10U, 1U, 0U, 1U, 2U, 3U}) {
    front.push_back(byte);
  }
  return bytes(front);
}

Code refusal(const Bytes& coded, std::size_t elements) {
  Integers out(elements);
  const auto result = Decoder().decode(coded, out);
  return result ? Code::kOk : result.error().code;
}

// Normal values in one row of `every`, which begin at `phase`.
Integers touched(std::size_t width, std::size_t phase, std::uint64_t every, Random& random) {
  Integers values(kTileElements);
  bool is_touched = false;
  for (std::size_t i = 0; i < values.size(); ++i) {
    is_touched = i == 0 || i % width == phase % width ? random.below(every) == 0 : is_touched;
    values[i] = is_touched ? std::llround(testing::normal(random) * 1e7) : 0;
  }
  return values;
}

// Encodes within a budget, checks that the decoder makes the same of it, and what is said of it.
class RowTest : public ::testing::Test {
 protected:
  Encoded code(const Integers& open, Budget budget) {
    out_.assign(std::min(budget.bytes, coded_bytes_max(open.size())), std::byte{0});
    removed_.assign(open.size(), 5);
    encoder_.load(open);
    const Encoded done = encoder_.encode(budget, out_, removed_);
    EXPECT_LE(done.bytes, out_.size());
    double energy = 0;
    std::uint64_t largest = 0;
    for (std::size_t i = 0; i < open.size(); ++i) {
      const std::int64_t left = open[i] - removed_[i];
      energy += static_cast<double>(left) * static_cast<double>(left);
      largest = std::max(largest, size_of(left));
    }
    EXPECT_NEAR(done.energy_after, energy, 1e-9 * done.energy_before);
    EXPECT_EQ(done.remainder_max, largest);
    if (done.bytes != 0) {
      out_.resize(done.bytes);
      Integers decoded(open.size(), 3);
      EXPECT_TRUE(Decoder().decode(out_, decoded));
      EXPECT_EQ(decoded, removed_);
    }
    return done;
  }

  // What BPC takes for the same, or leaves of it.
  static Encoded by_planes(const Integers& open, Budget budget) {
    bpc::Encoder planes;
    planes.load(open);
    Bytes out(coded_bytes_max(open.size()));
    Integers removed(open.size());
    return planes.encode(budget, out, removed);
  }

  Head head() const {
    const auto at = [&](std::size_t i) { return std::to_integer<unsigned>(out_.at(i)); };
    return Head::unpack(static_cast<std::uint16_t>(at(0) | at(1) << 8U),
                        static_cast<std::uint16_t>(at(2) | at(3) << 8U));
  }
  // The code within, where at most 128 rows are named.
  std::span<const std::byte> inner() const {
    const std::size_t count = 1 + std::to_integer<std::size_t>(out_.at(4));
    const Rows rows{removed_.size(), head().width, head().phase};
    BitMap named{};
    const auto* const set = reinterpret_cast<const std::uint8_t*>(out_.data()) + 5;
    const auto bytes = read_set(head().form, {count, rows.count()}, set, out_.size() - 21, named);
    return std::span(out_).subspan(5 + bytes.value());
  }
  bool inner_is_list() const { return head().inner == Id::kSparseList; }

  Encoder encoder_;
  Bytes out_;
  Integers removed_;
  Random random_{11};
};

TEST(Row, TheWorkedExampleDecodes) {
  for (const Bytes& coded : {with_example({0x03, 0x00, 0x02, 0x00, 0x00, 0x02}),
                             with_example({0x03, 0x00, 0x02, 0x80, 0x00, 0x04})}) {
    Integers out(14, 9);
    ASSERT_TRUE(Decoder().decode(coded, out));
    EXPECT_EQ(out, (Integers{0, 0, 0, 0, 0, 0, 5, -3, 0, 1, 0, 0, 0, 0}));
  }
}

TEST(Row, APartOfARowAtEitherEndIsOne) {
  // 1 | 4 | 3: the first and the last are named, and have four elements in all.
  Integers out(8, 9);
  ASSERT_TRUE(Decoder().decode(with_example({0x03, 0x00, 0x01, 0x80, 0x01, 0x05}), out));
  EXPECT_EQ(out, (Integers{5, 0, 0, 0, 0, -3, 0, 1}));
}

TEST(Row, RefusesWhatNoEncoderWrites) {
  const auto refuses = [](std::vector<unsigned> front, std::size_t elements) {
    return refusal(with_example(std::move(front)), elements) == Code::kCorrupt;
  };
  ASSERT_FALSE(refuses({0x03, 0x00, 0x02, 0x80, 0x00, 0x04}, 14));
  EXPECT_TRUE(refuses({0x03, 0x00, 0x04, 0x80, 0x00, 0x04}, 14)) << "a phase of 4 in rows of 4";
  EXPECT_TRUE(refuses({0x0f, 0x00, 0x04, 0x80, 0x00, 0x01}, 4)) << "a phase that is all there is";
  EXPECT_FALSE(refuses({0x0f, 0x00, 0x04, 0x80, 0x00, 0x01}, 5));
  EXPECT_TRUE(refuses({0x03, 0x00, 0x00, 0x80, 0x01, 0x01}, 4)) << "two of one row";
  EXPECT_TRUE(refuses({0x03, 0x00, 0x02, 0x80, 0x80, 0x00, 0x04}, 14)) << "longer than needed";
  EXPECT_TRUE(
      refuses({0x03, 0x00, 0x02, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x02}, 14))
      << "2^56 of four rows, of which 256 times are none in 64 bits";
  EXPECT_TRUE(refuses({0x03, 0x00, 0x02, 0x80, 0x01, 0x04}, 14)) << "one row is set, not two";
  EXPECT_TRUE(refuses({0x03, 0x00, 0x02, 0x80, 0x00, 0x14}, 14)) << "a bit behind the last row";
  EXPECT_TRUE(refuses({0x03, 0x00, 0x02, 0x00, 0x00, 0x0a}, 14)) << "padding behind the gaps";
  EXPECT_TRUE(refuses({0x03, 0x00, 0x02, 0x00, 0x00, 0x04}, 14)) << "a gap of four rows";
  EXPECT_TRUE(refuses({0x03, 0x80, 0x02, 0x80, 0x00, 0x04}, 14)) << "the inner code is no list";
  EXPECT_TRUE(refuses({0x02, 0x00, 0x02, 0x80, 0x00, 0x04}, 14)) << "or of another length";
}

TEST(Row, RefusesACodeThatEndsAnywhere) {
  const Bytes whole = with_example({0x03, 0x00, 0x02, 0x00, 0x00, 0x02});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(refusal(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)), 14),
              Code::kCorrupt)
        << size;
  }
}

TEST_F(RowTest, FindsRowsOfAnyWidthWhereverTheyBegin) {
  for (const std::size_t width : {8U, 16U, 32U, 50U, 64U, 100U, 128U, 300U, 700U, 1000U}) {
    for (const std::size_t phase : {std::size_t{0}, std::size_t{3}, width - 1}) {
      const Integers open = touched(width, phase, 6, random_);
      ASSERT_GT(code(open, {.bytes = 4000}).bytes, 0U) << width << " from " << phase;
      // Where rows are few, those may happen to lie in pairs.
      EXPECT_EQ(head().width % width, 0U) << width << " from " << phase;
      EXPECT_LT(head().width, 5 * width) << width << " from " << phase;
      EXPECT_EQ(head().phase % width, phase) << width;
    }
  }
}

TEST_F(RowTest, FindsThemWhereElementsOfTouchedRowsAreZeroOrBelowTheFloor) {
  Integers open = touched(64, 5, 12, random_);
  for (std::int64_t& value : open) {
    value = random_.below(8) == 0 ? 0 : value;
  }
  ASSERT_GT(code(open, {.bytes = 1000}).bytes, 0U);
  EXPECT_EQ(head().width, 64U);
  EXPECT_EQ(head().phase, 5U);
  // Above one and a half of the deviation lies an element in seven.
  ASSERT_GT(code(open, {.floor = 15'000'000}).bytes, 0U);
  EXPECT_EQ(head().width, 64U);
}

TEST_F(RowTest, TakesFewerBytesThanPlanesOfTheWholeTile) {
  for (const std::size_t width : {16U, 32U, 64U, 100U, 300U}) {
    const Integers open = touched(width, 3, 10, random_);
    const Encoded rows = code(open, {.floor = 100'000});
    const Encoded planes = by_planes(open, {.floor = 100'000});
    EXPECT_LT(rows.bytes * 100, planes.bytes * 95) << width;
    EXPECT_LE(rows.energy_after, 1.1 * planes.energy_after);
    EXPECT_TRUE(encoder_.pays({.floor = 100'000}));
  }
}

TEST_F(RowTest, UsesABudgetFarBetterThanPlanes) {
  const Integers open = touched(64, 5, 20, random_);
  for (const std::size_t budget : {300U, 600U, 1200U}) {
    const Encoded rows = code(open, {.bytes = budget});
    EXPECT_GT(rows.bytes, budget * 8 / 10);
    EXPECT_LT(rows.energy_after, 0.9 * by_planes(open, {.bytes = budget}).energy_after) << budget;
  }
}

TEST_F(RowTest, AListOfTheLargestServesTinyBudgets) {
  const Integers open = touched(100, 0, 4, random_);
  EXPECT_GT(code(open, {.bytes = 120}).bytes, 0U);
  EXPECT_TRUE(inner_is_list());
  EXPECT_GT(code(open, {.bytes = 3000}).bytes, 0U);
  EXPECT_FALSE(inner_is_list());
  encoder_.use({.sparse_list = false});
  EXPECT_GT(code(open, {.bytes = 120}).bytes, 0U);
  EXPECT_FALSE(inner_is_list());
}

// Of most of the tile there is no room to hold what a list removes beside what planes do.
TEST_F(RowTest, OfMostRowsNoListIsTried) {
  Integers open(kTileElements);
  for (std::size_t i = 0; i < open.size(); ++i) {
    open[i] = i / 64 % 3 == 1 ? 0 : std::llround(testing::normal(random_) * 1e7);
  }
  for (const std::size_t budget : {150U, 200U, 300U}) {
    EXPECT_GT(code(open, {.bytes = budget}).bytes, 0U);
    EXPECT_FALSE(inner_is_list());
  }
}

TEST_F(RowTest, OneLoadServesSeveralFloors) {
  Integers open = touched(64, 0, 3, random_);
  for (std::size_t i = 0; i < open.size(); ++i) {
    open[i] = i / 64 % 2 == 0 ? open[i] % 1000 : open[i];
  }
  Encoder once;
  once.load(open);
  Bytes out(50'000);
  Integers removed(open.size());
  for (const std::uint64_t floor : {0U, 2000U, 0U, 100'000U}) {
    const Encoded done = once.encode({.floor = floor}, out, removed);
    EXPECT_EQ(done.bytes, code(open, {.floor = floor}).bytes) << floor;
    EXPECT_TRUE(std::equal(out_.begin(), out_.end(), out.begin())) << floor;
    EXPECT_EQ(removed, removed_);
  }
}

TEST_F(RowTest, WritesFinerStepsOnlyForWhoReadsThem) {
  const Integers open = touched(100, 0, 4, random_);
  const auto quarter_of = [&](bool finer) {
    encoder_.use({.finer_steps = finer});
    unsigned quarters = 0;
    for (std::size_t budget = 1000; budget < 3000; budget += 100) {
      EXPECT_GT(code(open, {.bytes = budget}).bytes, 0U);
      quarters |= std::to_integer<unsigned>(inner()[2]) >> 6U;
    }
    return quarters;
  };
  EXPECT_NE(quarter_of(true), 0U);
  EXPECT_EQ(quarter_of(false), 0U);
}

TEST_F(RowTest, NamesOnlyRowsAboveTheFloor) {
  // Old rows of which little is left, and one in forty that is new.
  Integers open = touched(64, 0, 3, random_);
  for (std::int64_t& value : open) {
    value %= 1000;
  }
  Integers fresh = touched(64, 0, 40, random_);
  std::transform(open.begin(), open.end(), fresh.begin(), open.begin(), std::plus<>());
  const Encoded all = code(open, {.bytes = 800});
  const Encoded some = code(open, {.bytes = 800, .floor = 2000});
  EXPECT_LT(some.energy_after, all.energy_after);
  for (std::size_t i = 0; i < open.size(); ++i) {
    EXPECT_TRUE(fresh[i] != 0 || removed_[i] == 0) << i;
  }
  EXPECT_EQ(code(open, {.floor = std::uint64_t{1} << 40U}).bytes, 0U);
}

TEST_F(RowTest, SaysNothingWhereThereAreNoRows) {
  std::vector<Integers> tiles = {testing::gaussian(kTileElements, 1e6, random_),
                                 Integers(kTileElements),
                                 testing::single(1, 0, 7)};
  // Single elements here and there.
  Integers scattered(kTileElements);
  for (std::int64_t& value : scattered) {
    value = random_.below(20) == 0 ? std::llround(testing::normal(random_) * 1e6) : 0;
  }
  tiles.push_back(scattered);
  for (const Integers& open : tiles) {
    EXPECT_EQ(code(open, {.bytes = 3000}).bytes, 0U);
    EXPECT_FALSE(encoder_.pays({.bytes = 3000}));
  }
}

TEST_F(RowTest, PaysNeitherWhereRowsAreSubBlocksNorForAFewElements) {
  const Integers aligned = touched(1024, 0, 8, random_);
  encoder_.load(aligned);
  EXPECT_FALSE(encoder_.pays({.bytes = 3000})) << "planes pass over those as well";
  const Integers open = touched(16, 0, 8, random_);
  encoder_.load(open);
  EXPECT_TRUE(encoder_.pays({.bytes = 3000}));
  EXPECT_FALSE(encoder_.pays({.bytes = 300})) << "of which half would be the set";
  EXPECT_FALSE(encoder_.pays({.floor = 30'000'000}))
      << "of some elements, each in a row of its own";
}

}  // namespace
}  // namespace godwit::codec::row

// Steps between powers of two: which is chosen, and what it is worth.
#include "codec/bpc/step_choice.h"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "codec/bpc/decoder.h"
#include "codec/bpc/encoder.h"
#include "tests/codec/tiles.h"

namespace godwit::codec::bpc {
namespace {

struct Coded {
  std::vector<std::byte> code;
  double error = 0;
  std::uint64_t left_most = 0;

  int quarter() const { return static_cast<int>(code.at(2)) >> 6; }
};

class Steps : public ::testing::Test {
 protected:
  Coded code(const std::vector<std::int64_t>& tile, Budget budget, bool finer) {
    encoder_.use_finer_steps(finer);
    encoder_.load(tile);
    Coded coded;
    coded.code.resize(coded_bytes_max(tile.size()));
    std::vector<std::int64_t> removed(tile.size());
    const Encoded done = encoder_.encode(budget, coded.code, removed);
    coded.code.resize(done.bytes);
    coded.error = std::sqrt(done.energy_after / done.energy_before);
    coded.left_most = done.remainder_max;
    std::vector<std::int64_t> decoded(tile.size());
    EXPECT_TRUE(decoder_.decode(coded.code, decoded));
    EXPECT_EQ(decoded, removed);
    return coded;
  }

  Encoder encoder_;
  Decoder decoder_;
  Random random_{31};
};

TEST_F(Steps, DeliverMoreThanPowersOfTwoForTheSameBytes) {
  std::vector<std::vector<std::int64_t>> tiles;
  tiles.push_back(testing::gaussian(kTileElements, 1e9, random_));
  tiles.push_back(testing::heavy_tailed(kTileElements, 1e8, random_));
  for (const auto& tile : tiles) {
    double logarithms = 0;
    int budgets = 0;
    for (double bits = 0.1; bits < 4; bits *= 1.15) {
      const Budget budget{.bytes = static_cast<std::size_t>(bits * kTileElements / 8)};
      const double finer = code(tile, budget, true).error;
      const double powers = code(tile, budget, false).error;
      EXPECT_LT(finer, powers * 1.04) << bits;
      logarithms += std::log(finer / powers);
      ++budgets;
    }
    EXPECT_LT(std::exp(logarithms / budgets), 0.985);
  }
}

// Nearly all of one size just below a power of two, as Adam makes them: a plane of that power holds
// nothing, and the next one expects them far below.
TEST_F(Steps, MeetTheSizeThatMostElementsHave) {
  std::vector<std::int64_t> tile(kTileElements);
  for (auto& value : tile) {
    const auto size = static_cast<std::int64_t>(random_.below(40'000'000));
    value = random_.chance(0.3) ? 1'000'000'000 + size : size;
    value = random_.chance(0.5) ? value : -value;
  }
  const Budget budget{.bytes = kTileElements * 13 / 80};  // 1.3 bits: positions and signs
  EXPECT_LT(code(tile, budget, true).error, 0.5 * code(tile, budget, false).error);
}

TEST_F(Steps, EndAtTheFloorAndNotBelow) {
  const auto tile = testing::gaussian(kTileElements, 1e9, random_);
  for (int quarter = 0; quarter < 4; ++quarter) {
    const std::uint64_t unit = StepSize{26, quarter}.quanta();
    for (const std::uint64_t floor : {unit - 1, unit, unit + unit / 8}) {
      const Coded coded = code(tile, {.floor = floor}, true);
      EXPECT_EQ(coded.quarter(), quarter) << floor;
      EXPECT_LE(coded.left_most, floor);
      const Coded powers = code(tile, {.floor = floor}, false);
      EXPECT_LE(powers.left_most, floor);
      EXPECT_EQ(coded.code.size() < powers.code.size(), quarter != 0);
    }
    EXPECT_NE(code(tile, {.floor = unit - 2}, true).quarter(), quarter) << "one quantum too coarse";
  }
}

TEST_F(Steps, ServeSeveralBudgetsAndTheEstimateOfOneTile) {
  const auto tile = testing::gaussian(kTileElements, 1e9, random_);
  const auto segments = [&] {
    std::vector<std::uint32_t> bytes;
    for (const Segment& segment : encoder_.segments()) {
      bytes.push_back(segment.bytes);
    }
    return bytes;
  };
  encoder_.load(tile);
  const auto before = segments();
  std::vector<std::byte> out(coded_bytes_max(kTileElements));
  std::vector<std::int64_t> removed(kTileElements);
  std::vector<int> quarters(4);
  for (const std::size_t bytes : {300U, 9000U, 800U, 40000U, 2500U, 5000U, 300U, 1500U, 12000U}) {
    encoder_.load(tile);
    const Encoded alone = encoder_.encode({bytes}, out, removed);
    const std::vector<std::byte> code(out.begin(), out.begin() + static_cast<long>(alone.bytes));
    encoder_.encode({bytes / 3}, out, removed);
    EXPECT_EQ(segments(), before);
    const Encoded again = encoder_.encode({bytes}, out, removed);
    EXPECT_EQ(std::vector<std::byte>(out.begin(), out.begin() + static_cast<long>(again.bytes)),
              code);
    ++quarters[static_cast<std::size_t>(out[2]) >> 6U];
  }
  EXPECT_LT(quarters[0], 9) << "some step is another one";
}

TEST(ChooseQuarter, IsAPowerOfTwoWhereTheSampleTellsNothing) {
  const std::vector<std::uint16_t> zeros(64);
  EXPECT_EQ(choose_quarter({.sample = zeros, .elements = 64, .top = 15, .room = 100}), 0);
  EXPECT_EQ(choose_quarter({.sample = {}, .elements = 64, .top = 15, .room = 100}), 0);
  const std::vector<std::uint16_t> few(64, 7);
  EXPECT_EQ(choose_quarter({.sample = few, .elements = 64, .top = 2, .room = 100}), 0)
      << "sixteenths of these steps are no steps";
}

}  // namespace
}  // namespace godwit::codec::bpc

// Vector kernels against plain loops, on every instruction set that this machine has.
#include "codec/bpc/vector_kernels.h"

#include <bit>

#include <gtest/gtest.h>

#include "tests/codec/targets.h"
#include "tests/codec/tiles.h"

namespace godwit::codec::bpc {
namespace {

using testing::size_of;
using testing::Tile;

class VectorKernels : public testing::OnEveryTarget {
 protected:
  void load(const Tile& tile) {
    values = tile.values;
    values.shrink_to_fit();
    summaries = {};
    std::uint64_t max = 1;
    for (const auto value : values) {
      max = std::max(max, size_of(value));
    }
    shift = std::max(0, static_cast<int>(floor_log2(max)) - 15);
    magnitudes.assign(words_of(values.size()) * kWordBits, 0);
    signs.assign(words_of(values.size()), 0);
    analyse(values.data(), values.size(), shift, summaries, magnitudes.data(), signs.data());
  }

  bool negative(std::size_t i) const { return (signs[i / 64] >> (i % 64) & 1U) != 0; }

  std::vector<std::int64_t> values;
  SubSummaries summaries;
  int shift = 0;
  std::vector<std::uint16_t> magnitudes;
  std::vector<std::uint64_t> signs;
};

TEST_P(VectorKernels, SummariseEverySubBlock) {
  for (const Tile& tile : testing::tiles()) {
    SCOPED_TRACE(tile.name);
    load(tile);
    for (std::size_t sub = 0; sub * kSubBlock < values.size(); ++sub) {
      std::uint64_t max = 0;
      double energy = 0;
      for (std::size_t i = sub * kSubBlock; i < std::min(values.size(), (sub + 1) * kSubBlock);
           ++i) {
        max = std::max(max, size_of(values[i]));
        energy += static_cast<double>(values[i]) * static_cast<double>(values[i]);
      }
      ASSERT_EQ(summaries.max[sub], max);
      ASSERT_NEAR(summaries.energy[sub], energy, energy * 1e-12);
    }
  }
}

TEST_P(VectorKernels, QuantiseAndExtractEveryPlane) {
  for (const Tile& tile : testing::tiles()) {
    SCOPED_TRACE(tile.name);
    load(tile);
    std::array<std::uint32_t, kPlanes> expected{};
    for (std::size_t i = 0; i < values.size(); ++i) {
      ASSERT_EQ(magnitudes[i], size_of(values[i]) >> static_cast<unsigned>(shift));
      if (magnitudes[i] != 0) {
        ASSERT_EQ(negative(i), values[i] < 0);
      }
      for (std::size_t plane = 0; plane < kPlanes; ++plane) {
        expected[plane] += std::uint32_t{magnitudes[i]} >> plane != 0 ? 1U : 0U;
      }
    }
    std::array<std::uint32_t, kPlanes> counts{};
    count_planes(magnitudes.data(), signs.size(), counts);
    ASSERT_EQ(counts, expected);
    std::vector<std::uint16_t> rebuilt(magnitudes.size());
    for (int plane = 0; plane < kPlanes; ++plane) {
      std::vector<std::uint64_t> bits(signs.size());
      extract_plane(magnitudes.data(), bits.size(), plane, bits.data());
      for (std::size_t i = 0; i < magnitudes.size(); ++i) {
        ASSERT_EQ(bits[i / 64] >> (i % 64) & 1U,
                  std::uint32_t{magnitudes[i]} >> static_cast<unsigned>(plane) & 1U);
      }
      insert_plane(bits.data(), bits.size(), plane, rebuilt.data());
    }
    ASSERT_EQ(rebuilt, magnitudes);
  }
}

TEST_P(VectorKernels, QuantiseToEveryPartOfAStep) {
  for (const Tile& tile : testing::tiles()) {
    SCOPED_TRACE(tile.name);
    load(tile);
    shift = std::clamp(shift, kSixteenthBits, kShiftMax - 1);
    analyse(values.data(), values.size(), shift, summaries, magnitudes.data(), signs.data());
    for (const int quarter : {3, 1, 2, 0}) {
      const StepSize step{shift, quarter};
      quantise(values.data(), values.size(), step, summaries, magnitudes.data());
      for (std::size_t i = 0; i < values.size(); ++i) {
        const std::uint64_t expected = size_of(values[i]) / step.quanta();
        const bool written = summaries.max[i / kSubBlock] >> static_cast<unsigned>(shift) != 0;
        if (written && size_of(values[i]) >> static_cast<unsigned>(shift) < 65536) {
          ASSERT_EQ(magnitudes[i], expected) << i << " " << quarter;
        }
      }
      std::size_t many = 0;
      for (const auto magnitude : magnitudes) {
        many += magnitude >= 300 ? 1 : 0;
      }
      ASSERT_EQ(count_at_least(magnitudes.data(), magnitudes.size(), 300), many);
    }
  }
}

// The multiples of every divisor and their neighbours, where a rounded reciprocal would be wrong.
TEST_P(VectorKernels, DivideWithoutAnyError) {
  constexpr int kShift = 20;
  for (const int quarter : {1, 2, 3}) {
    const StepSize step{kShift, quarter};
    for (std::int64_t first = 0; first < 65536 * 16 / 27; first += 128) {
      values.clear();
      for (std::int64_t m = first; m < first + 128; ++m) {
        const std::int64_t multiple = m * static_cast<std::int64_t>(step.quanta());
        values.push_back(multiple);
        values.push_back(multiple + static_cast<std::int64_t>(step.quanta()) - 1);
      }
      magnitudes.assign(kSubBlock, 0);
      signs.assign(kSubWords, 0);
      analyse(values.data(), values.size(), kShift, summaries, magnitudes.data(), signs.data());
      quantise(values.data(), values.size(), step, summaries, magnitudes.data());
      for (std::size_t i = 0; i < values.size(); ++i) {
        ASSERT_EQ(magnitudes[i], first + static_cast<std::int64_t>(i) / 2) << quarter;
      }
    }
  }
}

TEST_P(VectorKernels, ReconstructByTheRuleOfTheFormat) {
  for (const Tile& tile : testing::tiles()) {
    SCOPED_TRACE(tile.name);
    load(tile);
    const int finer = std::clamp(shift, kSixteenthBits, kShiftMax - 1);
    for (const Rule rule : {Rule{{shift}, 0, 0},
                            Rule{{shift}, 3, 4},
                            Rule{{shift}, 11, 11},
                            Rule{{shift}, 15, 16},
                            Rule{{finer, 1}, 0, 0},
                            Rule{{finer, 2}, 3, 4},
                            Rule{{finer, 3}, 14, 14}}) {
      std::vector<std::int64_t> alone(values.size());
      std::vector<std::int64_t> with(values.size());
      reconstruct(magnitudes.data(), signs.data(), values.size(), rule, alone.data());
      const Remainder rest = reconstruct_and_subtract(
          magnitudes.data(), signs.data(), values.size(), rule, values.data(), with.data());
      std::uint64_t max = 0;
      double energy = 0;
      for (std::size_t i = 0; i < values.size(); ++i) {
        const auto value = static_cast<std::int64_t>(rule.value(magnitudes[i]));
        ASSERT_EQ(alone[i], negative(i) ? -value : value) << i;
        const auto left = static_cast<double>(values[i] - alone[i]);
        max = std::max(max, size_of(values[i] - alone[i]));
        energy += left * left;
      }
      ASSERT_EQ(with, alone);
      ASSERT_EQ(rest.max, max);
      ASSERT_NEAR(rest.energy, energy, energy * 1e-12);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Targets,
                         VectorKernels,
                         ::testing::ValuesIn(testing::targets()),
                         testing::target_name);

}  // namespace
}  // namespace godwit::codec::bpc

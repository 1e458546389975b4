// The vector loops against plain ones, for every length around a vector's and at the extremes.
#include "dataplane/ledger/kernels.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "dataplane/base/random.h"
#include "tests/codec/targets.h"

namespace godwit::ledger {
namespace {

__extension__ using Wide = __int128;

constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
constexpr const std::int64_t* kNoHome = nullptr;

std::int64_t wrapped(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

struct Drawn {
  std::vector<std::int64_t> home, values, third;
  std::vector<std::uint32_t> weights;
};

// Every eighth value is extreme.
Drawn draw(std::size_t count, std::uint64_t seed) {
  Random random(seed);
  const auto value = [&] {
    const std::uint64_t word = random.next();
    return random.below(8) == 0 ? (word % 2 == 0 ? kLeast + 1 : kMost)
                                : static_cast<std::int64_t>(word) >> 20U;
  };
  Drawn drawn;
  for (std::size_t i = 0; i < count; ++i) {
    drawn.home.push_back(value());
    drawn.values.push_back(value());
    drawn.third.push_back(value());
    drawn.weights.push_back(static_cast<std::uint32_t>(random.next()));
  }
  return drawn;
}

Wide total(const WeightedSum& sum) {
  return (static_cast<Wide>(sum.high) * (Wide{1} << 64U)) + (static_cast<Wide>(sum.middle) << 32U) +
         static_cast<Wide>(sum.low);
}

class Kernels : public codec::testing::OnEveryTarget {};

TEST_P(Kernels, MeasureAndAddAsPlainLoopsDo) {
  for (const std::size_t count : {1U, 3U, 7U, 8U, 9U, 31U, 64U, 100U, 4096U}) {
    const Drawn drawn = draw(count, count);
    std::uint64_t max = 0;
    double mass = 0;
    Wide weighted = 0;
    std::vector<std::int64_t> sums(count);
    for (std::size_t i = 0; i < count; ++i) {
      const std::int64_t x = drawn.values[i];
      const std::uint64_t size =
          x < 0 ? 0 - static_cast<std::uint64_t>(x) : static_cast<std::uint64_t>(x);
      max = std::max(max, size);
      mass += static_cast<double>(size);
      weighted += static_cast<Wide>(x) * drawn.weights[i];
      sums[i] = wrapped(drawn.home[i], x);
    }
    std::vector<std::int64_t> out(count + 1, 77);
    const BlockMeasure added =
        add_measured(drawn.home.data(), drawn.values, drawn.weights.data(), out.data());
    EXPECT_EQ(out.back(), 77) << count;
    out.pop_back();
    EXPECT_EQ(out, sums) << count;
    const BlockMeasure measured = measure(drawn.values, drawn.weights.data());
    for (const BlockMeasure& each : {added, measured}) {
      EXPECT_EQ(each.statistics.max, max) << count;
      EXPECT_NEAR(each.statistics.mass, mass, mass * 1e-12) << count;
      EXPECT_TRUE(total(each.weighted) == weighted) << count;
    }
    EXPECT_TRUE(total(weighted_sum(drawn.values, drawn.weights.data())) == weighted) << count;
    EXPECT_EQ(block_statistics(drawn.values).max, max) << count;

    std::vector<std::int64_t> plain(count);
    add(drawn.home.data(), drawn.values, plain.data());
    EXPECT_EQ(plain, sums) << count;
    add(nullptr, drawn.values, plain.data());
    EXPECT_EQ(plain, drawn.values) << count;
  }
}

// Home, values and weights of a block of which so many of a thousand elements change.
Drawn draw_block(std::uint64_t per_mille) {
  Drawn drawn = draw(kBlockElements, per_mille);
  Random random(per_mille + 1);
  for (std::int64_t& value : drawn.values) {
    value = random.below(1000) < per_mille ? value : 0;
  }
  return drawn;
}

bool is_in(const LineBits& lines, std::size_t line) {
  return (lines[line / 64] >> (line % 64) & 1U) != 0;
}

TEST_P(Kernels, TouchedLinesAreThoseWithAChangeOrARunOfMostlySuch) {
  for (const std::uint64_t per_mille : {0U, 1U, 30U, 100U, 160U, 200U, 1000U}) {
    const Drawn drawn = draw_block(per_mille);
    const auto change = touched(std::span(drawn.values).first<kBlockElements>());
    EXPECT_EQ(change.values.data(), drawn.values.data());
    EXPECT_EQ(change.is_empty(), per_mille == 0);
    for (std::size_t word = 0; word < change.lines.size(); ++word) {
      LineBits changed{};
      for (std::size_t i = word * 512; i < (word + 1) * 512; ++i) {
        if (drawn.values[i] != 0) {
          changed[word] |= std::uint64_t{1} << (i / 8 % 64);
        }
      }
      const bool mostly = lines_in(changed) >= 48 || std::popcount(changed[word] & 0xFFFFU) >= 12;
      EXPECT_EQ(change.lines[word], mostly ? ~std::uint64_t{0} : changed[word]) << per_mille;
    }
  }
  std::vector<std::int64_t> one(kBlockElements);
  for (std::size_t i = 0; i < kBlockElements; i += 509) {  // any place of a line
    one[i] = kLeast;
    const auto change = touched(std::span(std::as_const(one)).first<kBlockElements>());
    EXPECT_EQ(lines_in(change.lines), 1U);
    EXPECT_TRUE(is_in(change.lines, i / 8)) << i;
    one[i] = 0;
  }
}

TEST_P(Kernels, MeasureAndAddTouchedLinesAsTheWholeBlock) {
  for (const std::uint64_t per_mille : {0U, 1U, 30U, 100U, 160U, 200U, 1000U}) {
    const Drawn drawn = draw_block(per_mille);
    const auto change = touched(std::span(drawn.values).first<kBlockElements>());
    std::vector<std::int64_t> sums(kBlockElements);
    const BlockMeasure all =
        add_measured(drawn.home.data(), drawn.values, drawn.weights.data(), sums.data());
    for (const std::int64_t* const home : {drawn.home.data(), kNoHome}) {
      std::vector<std::int64_t> expected;
      for (std::size_t i = 0; i < kBlockElements; ++i) {
        if (is_in(change.lines, i / 8)) {
          expected.push_back(home != nullptr ? sums[i] : drawn.values[i]);
        }
      }
      EXPECT_EQ(lines_in(change.lines) * kLineElements, expected.size());
      expected.push_back(77);
      std::vector<std::int64_t> out(expected.size(), 77);
      add(home, change, out.data());
      EXPECT_EQ(out, expected) << per_mille;
      std::fill(out.begin(), out.end(), 77);
      prefetch(drawn.home.data(), change);  // changes nothing
      const BlockMeasure added = add_measured(home, change, drawn.weights.data(), out.data());
      EXPECT_EQ(out, expected) << per_mille;
      for (const BlockMeasure& each : {added, measure(change, drawn.weights.data())}) {
        EXPECT_EQ(each.statistics.max, all.statistics.max) << per_mille;
        EXPECT_NEAR(each.statistics.mass, all.statistics.mass, all.statistics.mass * 1e-12);
        EXPECT_NEAR(each.statistics.energy, all.statistics.energy, all.statistics.energy * 1e-12);
        EXPECT_TRUE(total(each.weighted) == total(all.weighted)) << per_mille;
      }
    }
  }
}

TEST_P(Kernels, OpenIsWhatIsKnownLessWhatWasSentSaturated) {
  for (const std::size_t count : {1U, 7U, 8U, 9U, 65U, 4096U}) {
    const Drawn drawn = draw(count, count + 1);
    const std::vector<std::int64_t>& sent = drawn.third;
    std::vector<std::int64_t> out(count);
    open_of(drawn.home.data(), drawn.values.data(), sent.data(), out);
    for (std::size_t i = 0; i < count; ++i) {
      const std::int64_t known = wrapped(drawn.home[i], drawn.values[i]);
      const Wide exact = static_cast<Wide>(known) - sent[i];
      const auto expected = exact > kMost    ? kMost
                            : exact < kLeast ? kLeast + 1
                                             : static_cast<std::int64_t>(exact);
      EXPECT_EQ(out[i], expected) << count << " " << i;
    }
    open_of(drawn.home.data(), nullptr, nullptr, out);
    EXPECT_EQ(out, drawn.home);
    open_of(nullptr, nullptr, nullptr, out);
    EXPECT_EQ(out, std::vector<std::int64_t>(count, 0));
  }
}

INSTANTIATE_TEST_SUITE_P(Targets,
                         Kernels,
                         ::testing::ValuesIn(codec::testing::targets()),
                         codec::testing::target_name);

}  // namespace
}  // namespace godwit::ledger

// The table's numbers, computed again from formats and theory.
#include "api/cli/codec_bench/comparison.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <vector>

#include <gtest/gtest.h>

#include "codec/bpc/encoder.h"
#include "codec/codec.h"
#include "tests/api/cli/codec_bench/samples.h"

namespace godwit::codec_bench {
namespace {

using tensor::ElementType;

Comparison compared(const Sample& sample, const Options& options = {.repetitions = 1}) {
  const Quanta quanta = quanta_of(sample, {}).value();
  return compare(sample, quanta, options, [](auto, auto, auto) {});
}

std::vector<Row> rows_of(const Comparison& comparison, Subject subject) {
  std::vector<Row> rows;
  std::copy_if(comparison.rows.begin(),
               comparison.rows.end(),
               std::back_inserter(rows),
               [&](const Row& row) { return row.subject == subject; });
  return rows;
}

TEST(Comparison, FixedRatesAndRawTakeWhatTheirFormatsSay) {
  const auto values = gaussian(100'000, 0.01);
  const Comparison comparison = compared(floats(values));
  // A step of 2 bytes for 256 elements, and 4 or 8 bits an element; four tiles, the last of 1,696.
  const std::uint64_t steps = 2 * (3 * 128 + 7);
  EXPECT_EQ(rows_of(comparison, Subject::kQ4)[0].bytes, steps + 50'000);
  EXPECT_EQ(rows_of(comparison, Subject::kQ8)[0].bytes, steps + 100'000);
  // RAW: one byte, and each tile's integers at the width of its largest, with a sign.
  std::uint64_t raw = 0;
  for (std::size_t first = 0; first < values.size(); first += 32768) {
    const std::size_t count = std::min<std::size_t>(32768, values.size() - first);
    double largest = 0;
    for (std::size_t i = first; i < first + count; ++i) {
      largest = std::max(largest, std::fabs(static_cast<double>(values[i])));
    }
    const auto quanta = static_cast<std::uint64_t>(std::llround(std::ldexp(largest, 40)));
    raw += 1 + (count * (static_cast<unsigned>(std::bit_width(quanta)) + 1U) + 7) / 8;
  }
  EXPECT_EQ(rows_of(comparison, Subject::kRaw)[0].bytes, raw);
}

TEST(Comparison, TheErrorOfRawIsThatOfRounding) {
  const auto values = gaussian(100'000, 0.01);
  std::vector<double> fine;  // with bits below a quantum, which float32 has not
  for (const float value : values) {
    fine.push_back(static_cast<double>(value) * 1.0000001);
  }
  const Comparison comparison = compared(sample_of(ElementType::kFloat64, fine));
  // Rounding to 2^-40 of values of 0.01: a quantum's square's twelfth.
  EXPECT_NEAR(
      rows_of(comparison, Subject::kRaw)[0].error / (std::ldexp(1, -40) / std::sqrt(12) / 0.01),
      1,
      0.02);
}

TEST(Comparison, ErrorsAreThoseOfTheFixedRateQuantisersByTheory) {
  const Comparison comparison = compared(floats(gaussian(131'072, 0.01)));
  // Steps of a seventh (a 127th) of the largest of 256 Gaussian values, 3.05 deviations in the
  // mean; a step's square's twelfth.
  EXPECT_NEAR(rows_of(comparison, Subject::kQ4)[0].error, 3.05 / 7 / std::sqrt(12), 0.004);
  EXPECT_NEAR(rows_of(comparison, Subject::kQ8)[0].error, 3.05 / 127 / std::sqrt(12), 0.0003);
  for (const Row& row : comparison.rows) {
    EXPECT_DOUBLE_EQ(row.energy_delivered(), 1 - row.error * row.error);
    ASSERT_TRUE(row.speed);
    // No machine moves a terabyte a second through one core.
    EXPECT_GT(row.speed->encode, 1e3);
    EXPECT_LT(row.speed->encode, 1e12);
    EXPECT_GT(row.speed->decode, 1e3);
    EXPECT_LT(row.speed->decode, 1e12);
  }
  EXPECT_GT(comparison.copy_speed, 0);
}

TEST(Comparison, BpcIsWhatTheCodecDoesWithTheSameBytes) {
  const auto values = gaussian(20'000, 0.3);
  const Comparison comparison = compared(floats(values));
  std::vector<std::int64_t> integers;
  for (const float value : values) {
    integers.push_back(std::llround(std::ldexp(static_cast<double>(value), 40)));
  }
  std::size_t checked = 0;
  for (const Row& row : rows_of(comparison, Subject::kBpc)) {
    codec::bpc::Encoder encoder;
    codec::Decoder decoder;
    std::vector<std::byte> out(codec::coded_bytes_max(values.size()));
    std::vector<std::int64_t> decoded(values.size());
    encoder.load(integers);
    const double wanted = *row.budget_bits * 20'000 / 8;
    const auto budget =
        static_cast<std::size_t>(row.is_target ? std::round(wanted) : std::ceil(wanted));
    const auto done = encoder.encode({.bytes = budget}, out, decoded);
    ASSERT_TRUE(decoder.decode(codec::Id::kBpc, std::span(out).first(done.bytes), decoded));
    long double left = 0;
    long double all = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const long double x = values[i];
      const long double rest = x - std::ldexp(static_cast<long double>(decoded[i]), -40);
      left += rest * rest;
      all += x * x;
    }
    EXPECT_EQ(row.bytes, done.bytes);
    EXPECT_NEAR(row.error, static_cast<double>(std::sqrt(left / all)), 1e-9);
    EXPECT_LE(row.bits(values.size()), *row.budget_bits + 8.0 / 20'000);
    ++checked;
  }
  EXPECT_GE(checked, 14U);
}

TEST(Comparison, TheTargetIsKeptAndNearlyTheLeast) {
  const auto values = gaussian(100'000, 0.01);
  for (const double error : {0.3, 0.01}) {
    const Comparison comparison = compared(floats(values), {.error = error, .repetitions = 1});
    const Row* target = comparison.target();
    ASSERT_NE(target, nullptr);
    EXPECT_LE(target->error, error);
    EXPECT_GT(target->error, 0.97 * error);
    // Between the rows around it.
    for (const Row& row : rows_of(comparison, Subject::kBpc)) {
      EXPECT_TRUE(row.bytes > target->bytes || row.error >= target->error) << row.bytes;
    }
  }
  // Gaussian values at 1 %: the bound of rate and distortion is log2(100) bits, and 0.25 more for
  // whole steps with an ideal coder of their indices.
  const double bits = compared(floats(values)).target()->bits(values.size());
  EXPECT_GT(bits, std::log2(100));
  EXPECT_LT(bits, 1.1 * (std::log2(100) + 0.25));
}

TEST(Comparison, MoreBytesAreNeverWorseAndRowsAreInOrder) {
  const Comparison comparison = compared(floats(gaussian(100'000, 0.01)));
  for (const Subject subject : {Subject::kBpc, Subject::kSparseList}) {
    const auto rows = rows_of(comparison, subject);
    ASSERT_GE(rows.size(), 5U);
    for (std::size_t i = 1; i < rows.size(); ++i) {
      EXPECT_GE(rows[i].bytes, rows[i - 1].bytes);
      EXPECT_LE(rows[i].error, rows[i - 1].error * 1.0001);
    }
  }
  EXPECT_LT(rows_of(comparison, Subject::kSparseList).back().error, 0.98);
}

TEST(Comparison, RowsAreThereWhereSomeAreZeroAndBeatPlanesOfAll) {
  auto values = gaussian(4 * codec::kTileElements, 0.01);
  EXPECT_TRUE(rows_of(compared(floats(values)), Subject::kRow).empty()) << "no row is zero";
  constexpr std::size_t kWidth = 64;
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = i / kWidth % 20 == 0 ? values[i] : 0;
  }
  const Comparison comparison = compared(floats(values));
  const auto rows = rows_of(comparison, Subject::kRow);
  ASSERT_GE(rows.size(), 3U);
  const auto planes = rows_of(comparison, Subject::kBpc);
  for (const Row& row : rows) {
    const auto same = std::find_if(planes.begin(), planes.end(), [&](const Row& other) {
      return other.budget_bits == row.budget_bits;
    });
    EXPECT_TRUE(same == planes.end() || row.error < same->error) << *row.budget_bits;
  }
}

TEST(Comparison, UnevenTilesAreCodedAsOneTensor) {
  auto values = gaussian(4 * codec::kTileElements, 0.01);
  for (std::size_t i = 0; i < codec::kTileElements; ++i) {
    values[i] *= 64;
  }
  // At 1.5 bits a value the large tile alone gets 6: 1 - 4096 / (4096 + 3) of the energy is in the
  // others, and the large one's own error is about 2^-6 * 1.5.
  const auto rows = rows_of(compared(floats(values)), Subject::kBpc);
  const auto at =
      std::find_if(rows.begin(), rows.end(), [](const Row& row) { return row.budget_bits == 1.5; });
  ASSERT_NE(at, rows.end());
  EXPECT_LT(at->error, 0.045);
}

TEST(Comparison, XhIsThereForWhatItKnowsAndKeepsEveryBit) {
  const auto exact = rows_of(compared(floats(gaussian(10'000, 1))), Subject::kXh);
  ASSERT_EQ(exact.size(), 1U);
  EXPECT_EQ(exact[0].error, 0);
  EXPECT_LT(exact[0].bits(10'000), 32);
  const std::vector<double> doubles(10, 0.1);
  EXPECT_TRUE(rows_of(compared(sample_of(ElementType::kFloat64, doubles)), Subject::kXh).empty());
  const std::vector<std::uint16_t> brain(5000, 0x3F80);
  EXPECT_EQ(rows_of(compared(sample_of(ElementType::kBfloat16, brain)), Subject::kXh).size(), 1U);
}

TEST(Comparison, SmallTensors) {
  EXPECT_TRUE(compared(floats({})).rows.empty());
  EXPECT_TRUE(compared(floats(std::vector<float>(100'000, 0))).rows.empty());
  for (const std::size_t count : {std::size_t{1}, std::size_t{2}, std::size_t{255}}) {
    const Comparison one = compared(floats(std::vector<float>(count, -0.37F)));
    // The code of bit planes for one value ends before a hundredth. Others do not.
    ASSERT_EQ(one.target() != nullptr, count > 1) << count;
    ASSERT_NE(one.shortest_within(0.01), nullptr);
    EXPECT_LE(one.shortest_within(0.01)->error, 0.01);
    EXPECT_EQ(rows_of(one, Subject::kRaw).size(), 1U);
    for (const Row& row : one.rows) {
      EXPECT_GT(row.bytes, 0U);
      EXPECT_LE(row.error, 1);
      EXPECT_FALSE(row.speed);
    }
  }
  // One tile of many has something.
  std::vector<float> values(200'000, 0);
  values[150'000] = 3;
  const Comparison sparse = compared(floats(values));
  EXPECT_LE(sparse.target()->bytes, 32U);
}

TEST(Comparison, EveryStepIsToldAndTheLastIsTheLast) {
  const Sample sample = floats(gaussian(5000, 1));
  const auto quanta = quanta_of(sample, {});
  std::size_t told = 0;
  std::size_t of = 0;
  compare(sample, *quanta, {.repetitions = 1}, [&](auto what, std::size_t step, std::size_t all) {
    EXPECT_FALSE(what.empty());
    EXPECT_EQ(step, told++);
    of = all;
  });
  EXPECT_EQ(told, of);
}

}  // namespace
}  // namespace godwit::codec_bench

#include "codec/xh/prefix_code.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <gtest/gtest.h>

#include "dataplane/base/random.h"

namespace godwit::codec::xh {
namespace {

// All of a code's length, 1 when the code is full.
double weight(const Lengths& lengths) {
  double sum = 0;
  for (const unsigned length : lengths) {
    sum += length == 0 ? 0 : std::ldexp(1.0, -static_cast<int>(length));
  }
  return sum;
}

std::uint64_t cost(const Counts& counts, const Lengths& lengths) {
  std::uint64_t bits = 0;
  for (std::size_t symbol = 0; symbol < kSymbols; ++symbol) {
    bits += std::uint64_t{counts[symbol]} * lengths[symbol];
  }
  return bits;
}

// Huffman's own, without a limit: merges the two lightest until one is left.
std::uint64_t cost_without_limit(const Counts& counts) {
  std::vector<std::uint64_t> weights;
  std::copy_if(
      counts.begin(), counts.end(), std::back_inserter(weights), [](auto c) { return c != 0; });
  std::uint64_t bits = 0;
  while (weights.size() > 1) {
    std::sort(weights.begin(), weights.end(), std::greater<>());
    const std::uint64_t merged = weights.back() + weights[weights.size() - 2];
    weights.resize(weights.size() - 2);
    weights.push_back(merged);
    bits += merged;
  }
  return bits;
}

TEST(XhPrefixCode, ItsLengthsAreHuffmansWhenTheseAreShortEnough) {
  Random random(1);
  for (int round = 0; round < 200; ++round) {
    Counts counts{};
    const std::size_t symbols = 2 + random.below(40);
    for (std::size_t i = 0; i < symbols; ++i) {
      counts[i * 6] = static_cast<std::uint32_t>(1 + random.below(100));
    }
    const Lengths lengths = best_lengths(counts);
    EXPECT_EQ(weight(lengths), 1);
    EXPECT_EQ(cost(counts, lengths), cost_without_limit(counts));
  }
}

TEST(XhPrefixCode, ItsLengthsAreLimitedAndNoneIsLeftOut) {
  Counts counts{};
  std::uint32_t previous = 1;
  std::uint32_t current = 1;
  for (std::size_t i = 0; i < 30; ++i) {  // Fibonacci: Huffman would give 29 bits
    counts[i] = current;
    current += previous;
    previous = counts[i];
  }
  const Lengths lengths = best_lengths(counts);
  EXPECT_EQ(weight(lengths), 1);
  for (std::size_t symbol = 0; symbol < kSymbols; ++symbol) {
    EXPECT_EQ(lengths[symbol] > 0, counts[symbol] > 0);
    EXPECT_LE(lengths[symbol], kLengthMax);
  }
  Counts all{};
  all.fill(1);
  all[7] = 1000000;
  EXPECT_EQ(weight(best_lengths(all)), 1);
}

// The cheapest code within the limit by trying all: each symbol in turn takes some length out of
// what is left of the code's weight.
std::uint64_t least_cost(const std::vector<std::uint32_t>& counts) {
  constexpr std::size_t kWhole = std::size_t{1} << kLengthMax;
  constexpr std::uint64_t kNever = UINT64_MAX / 2;
  std::vector<std::uint64_t> best(kWhole + 1, kNever);  // by weight that is left
  best[0] = 0;
  for (const std::uint32_t count : counts) {
    std::vector<std::uint64_t> next(kWhole + 1, kNever);
    for (unsigned length = 1; length <= kLengthMax; ++length) {
      const std::size_t weight = kWhole >> length;
      for (std::size_t left = weight; left <= kWhole; ++left) {
        next[left] = std::min(next[left], best[left - weight] + std::uint64_t{count} * length);
      }
    }
    best = next;
  }
  return best[kWhole];
}

TEST(XhPrefixCode, NoCodeWithinTheLimitIsCheaper) {
  Random random(2);
  for (int round = 0; round < 20; ++round) {
    Counts counts{};
    std::vector<std::uint32_t> occurring;
    for (std::size_t symbol = 0; symbol < 20; ++symbol) {
      counts[symbol] = static_cast<std::uint32_t>(std::exp(random.uniform() * 16)) + 1;
      occurring.push_back(counts[symbol]);
    }
    EXPECT_EQ(cost(counts, best_lengths(counts)), least_cost(occurring));
    EXPECT_GT(cost(counts, best_lengths(counts)), cost_without_limit(counts)) << "the limit binds";
  }
}

TEST(XhPrefixCode, CountsEveryByte) {
  Random random(3);
  std::vector<std::uint8_t> bytes(1003);
  Counts expected{};
  for (auto& byte : bytes) {
    byte = static_cast<std::uint8_t>(random.below(7) * 40);
    ++expected[byte];
  }
  EXPECT_EQ(count_bytes(bytes), expected);
}

TEST(XhPrefixCode, EstimatesWhatItDoesNotCount) {
  Random random(8);
  std::vector<std::uint8_t> bytes(131'072);
  for (std::size_t i = 0; i < bytes.size(); ++i) {  // of a period that eight lines have, too
    bytes[i] = static_cast<std::uint8_t>(random.below(10) + (i % 512 < 64 ? 100 : 0));
  }
  const Counts all = count_bytes(bytes);
  const Counts estimated = estimated_counts(bytes, {.least = 0, .greatest = 120});
  for (std::size_t symbol = 0; symbol < kSymbols; ++symbol) {
    const double expected = all[symbol] / 8.0;
    EXPECT_NEAR(estimated[symbol], expected, 1 + 5 * std::sqrt(expected)) << symbol;
    EXPECT_EQ(estimated[symbol] > 0, symbol <= 120) << "whatever may occur is counted";
  }
  const auto few = std::span(bytes).first(65'535);
  EXPECT_EQ(estimated_counts(few, {.least = 0, .greatest = 120}), count_bytes(few));
}

TEST(XhPrefixCode, StreamsOfAnyLengthComeBack) {
  Random random(4);
  for (const std::size_t count : {2U, 3U, 5U, 9U, 40U, 41U, 43U, 1000U, 65537U}) {
    std::vector<std::uint8_t> bytes(count);
    for (auto& byte : bytes) {
      byte = static_cast<std::uint8_t>(120 + std::min(random.below(30), random.below(30)));
    }
    bytes[0] = 3;  // at least two symbols
    bytes[1] = 250;
    const PrefixWriter writer(best_lengths(count_bytes(bytes)));
    std::vector<std::uint8_t> out(writer.description_bytes() + 2 * count + 64, 0x5a);
    std::uint8_t* const described = writer.describe(out.data());
    EXPECT_EQ(described - out.data(), static_cast<std::ptrdiff_t>(writer.description_bytes()));
    std::uint8_t* const end = writer.write(bytes, described, out.data() + out.size());
    ASSERT_NE(end, nullptr);
    // Within any limit it writes the same or nothing, and never behind it.
    const std::vector<std::uint8_t> whole = out;
    const auto size = static_cast<std::size_t>(end - out.data());
    for (std::size_t limit = writer.description_bytes(); limit < out.size();
         limit += 1 + out.size() / 97) {
      std::fill(described, out.data() + out.size(), 0x5a);
      const std::uint8_t* const within = writer.write(bytes, described, out.data() + limit);
      EXPECT_TRUE(limit < size ? within == nullptr : within == nullptr || within == end);
      EXPECT_TRUE(within != nullptr || limit < size + 800) << "there was room";
      EXPECT_TRUE(std::all_of(out.begin() + static_cast<std::ptrdiff_t>(limit),
                              out.end(),
                              [](auto byte) { return byte == 0x5a; }));
    }
    out = whole;
    const std::span<const std::uint8_t> coded(out.data(), size);
    PrefixReader reader;
    const auto learnt = reader.learn(coded);
    ASSERT_TRUE(learnt);
    std::vector<std::uint8_t> again(count);
    const auto read = reader.read(coded.subspan(*learnt), again);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(*learnt + *read, coded.size());
    EXPECT_EQ(again, bytes);
  }
}

TEST(XhPrefixCode, RefusesADescriptionThatIsNotAFullCode) {
  PrefixReader reader;
  const auto refused = [&](std::vector<std::uint8_t> description) {
    const auto result = reader.learn(description);
    return !result && result.error().code == Code::kCorrupt;
  };
  EXPECT_TRUE(reader.learn(std::vector<std::uint8_t>{5, 6, 0x11}));
  EXPECT_TRUE(refused({}));
  EXPECT_TRUE(refused({5, 6}));           // cut
  EXPECT_TRUE(refused({5, 5, 0x01}));     // one symbol
  EXPECT_TRUE(refused({6, 5, 0x11}));     // backwards
  EXPECT_TRUE(refused({5, 6, 0x21}));     // not full
  EXPECT_TRUE(refused({5, 7, 0x11, 1}));  // over full
  EXPECT_TRUE(refused({5, 7, 0x01, 0}));  // the last has no code
  EXPECT_TRUE(refused({5, 7, 0x11, 0x10}));
  EXPECT_TRUE(refused({5, 6, 0xc1}));  // 12 bits
}

}  // namespace
}  // namespace godwit::codec::xh

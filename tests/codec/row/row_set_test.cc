#include "codec/row/row_set.h"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

#include "dataplane/base/random.h"

namespace godwit::codec::row {
namespace {

struct Drawn {
  BitMap named{};
  SetSize size;
};

// One in `every` of `rows`, and the one at `surely`.
Drawn drawn(std::size_t rows, std::uint64_t every, std::size_t surely, Random& random) {
  Drawn set;
  for (std::size_t row = 0; row < rows; ++row) {
    if (row == surely || random.below(every) == 0) {
      set_ones(set.named, row, row + 1);
    }
  }
  set.size = {count_ones(set.named), rows};
  return set;
}

// Written with a canary behind it, and read again.
void expect_round_trip(const Drawn& set, SetForm form, std::size_t bytes) {
  std::vector<std::uint8_t> code(bytes + 2 * kSetPad, 0);
  write_set(form, set.named, set.size, code.data());
  std::fill(code.begin() + static_cast<std::ptrdiff_t>(bytes), code.end(), 0xff);
  BitMap read;
  read.fill(0x55);
  ASSERT_EQ(read_set(form, set.size, code.data(), bytes, read), bytes);
  ASSERT_EQ(read, set.named);
  // What follows is not looked at, and a byte less is not enough.
  EXPECT_EQ(read_set(form, set.size, code.data(), bytes + kSetPad / 2, read), bytes);
  EXPECT_FALSE(read_set(form, set.size, code.data(), bytes - 1, read));
}

TEST(RowSet, IsReadAsItWasWrittenInEitherForm) {
  Random random(4);
  for (const std::size_t rows : {1U, 2U, 8U, 9U, 63U, 64U, 65U, 328U, 4097U, 32768U}) {
    for (const std::uint64_t every : {1U, 2U, 5U, 40U, 1000U, 100'000U}) {
      const Drawn set = drawn(rows, every, random.below(rows), random);
      const SetCode code = shortest_set(set.named, set.size);
      ASSERT_LE(code.bytes, set_bytes_max(rows));
      ASSERT_LE(code.bytes, (rows + 7) / 8);
      expect_round_trip(set, code.form, code.bytes);
      if (code.form == SetForm::kGaps) {
        ASSERT_LT(code.bytes, (rows + 7) / 8);
        expect_round_trip(set, SetForm::kBits, (rows + 7) / 8);
      }
    }
  }
}

TEST(RowSet, TakesAboutItsEntropy) {
  Random random(5);
  const Drawn few = drawn(4096, 64, 0, random);
  // H(1/64) = 0.116 bits a row.
  EXPECT_EQ(shortest_set(few.named, few.size).form, SetForm::kGaps);
  EXPECT_NEAR(static_cast<double>(shortest_set(few.named, few.size).bytes),
              static_cast<double>(few.size.count) * (6 + 1.44) / 8,
              10);
  const Drawn half = drawn(4096, 2, 4095, random);
  EXPECT_EQ(shortest_set(half.named, half.size).form, SetForm::kBits);
}

// Whatever is in the bytes: as many rows as the count says, or a refusal.
TEST(RowSet, OfAnyBytesHasItsCount) {
  Random random(6);
  int read = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::vector<std::uint8_t> code(random.below(24) + kSetPad);
    for (auto& byte : code) {
      byte = static_cast<std::uint8_t>(random.next() & (random.chance(0.4) ? random.next() : 255U));
    }
    const std::size_t rows = 1 + random.below(60);
    const SetSize size{1 + random.below(rows), rows};
    BitMap named{};
    const auto form = random.chance(0.5) ? SetForm::kBits : SetForm::kGaps;
    const auto bytes = read_set(form, size, code.data(), code.size() - kSetPad, named);
    if (bytes) {
      ++read;
      ASSERT_LE(*bytes, code.size() - kSetPad);
      ASSERT_EQ(count_ones(named), size.count);
      ASSERT_EQ(next_run(named, rows, kTileElements).first, kTileElements);
    }
  }
  EXPECT_GT(read, 100);
}

}  // namespace
}  // namespace godwit::codec::row

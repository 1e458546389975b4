// RAW's bytes, written out by hand.
#include "codec/raw/raw.h"

#include <algorithm>
#include <cstdlib>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/hex.h"

namespace godwit::codec::raw {
namespace {

using testing_support::from_hex;
using testing_support::to_hex;

std::string encoded(const std::vector<std::int64_t>& open) {
  Encoder encoder;
  encoder.load(open);
  std::vector<std::byte> out(coded_bytes_max(open.size()));
  std::vector<std::int64_t> removed(open.size());
  const Encoded done = encoder.encode({}, out, removed);
  EXPECT_EQ(removed, open);
  EXPECT_EQ(done.remainder_max, 0U);
  EXPECT_EQ(done.energy_after, 0);
  return to_hex(std::span(out).first(done.bytes));
}

bool decodes(std::string_view hex, std::size_t elements) {
  Decoder decoder;
  std::vector<std::int64_t> out(elements);
  return decoder.decode(from_hex(hex), out).has_value();
}

TEST(Raw, IsTheWorkedExampleOfItsSpecification) {
  // 5 needs 3 bits and a sign: 0101 (5), 1101 (-3), 0000, 0001 from the lowest bit up.
  EXPECT_EQ(encoded({5, -3, 0, 1}), "04d510");
}

// What is open after one code of at most `bytes`, which a decoder reads as what was removed.
std::vector<std::int64_t> left_by_cut(const std::vector<std::int64_t>& open, std::size_t bytes) {
  Encoder encoder;
  encoder.load(open);
  std::vector<std::byte> out(bytes);
  std::vector<std::int64_t> removed(open.size());
  const Encoded done = encoder.encode_cut({.bytes = bytes}, out, removed);
  if (done.bytes > 0) {
    std::vector<std::int64_t> read(open.size());
    EXPECT_TRUE(Decoder().decode(std::span(out).first(done.bytes), read));
    EXPECT_EQ(read, removed);
  }
  std::vector<std::int64_t> left(open.size());
  std::uint64_t most = 0;
  double energy = 0;
  for (std::size_t i = 0; i < open.size(); ++i) {
    left[i] = open[i] - removed[i];
    most = std::max(most, static_cast<std::uint64_t>(std::abs(left[i])));
    energy += static_cast<double>(left[i]) * static_cast<double>(left[i]);
  }
  EXPECT_EQ(done.remainder_max, most);
  EXPECT_EQ(done.energy_after, energy);
  return left;
}

TEST(Raw, CutsIntegersToTheWidthThatFits) {
  const std::vector<std::int64_t> open = {100, -3, 0, 7};  // 8 bits each: five bytes
  EXPECT_EQ(left_by_cut(open, 5), (std::vector<std::int64_t>{0, 0, 0, 0}));
  EXPECT_EQ(left_by_cut(open, 4), (std::vector<std::int64_t>{69, 0, 0, 0})) << "6 bits: 31";
  EXPECT_EQ(left_by_cut(open, 2), (std::vector<std::int64_t>{99, -2, 0, 6})) << "2 bits: 1";
  EXPECT_EQ(left_by_cut(open, 1), open) << "nothing fits";
  EXPECT_EQ(left_by_cut(open, 0), open);
  EXPECT_EQ(left_by_cut({0, 0, 0, 0}, 9), (std::vector<std::int64_t>(4)));
  EXPECT_EQ(left_by_cut({kValueLimit - 1, 1 - kValueLimit}, 17), (std::vector<std::int64_t>(2)));
}

TEST(Raw, SpendsOneByteOnZeros) {
  EXPECT_EQ(encoded(std::vector<std::int64_t>(32768)), "00");
  EXPECT_TRUE(decodes("00", 32768));
}

TEST(Raw, RefusesWidthsAndLengthsThatNoEncoderWrites) {
  EXPECT_TRUE(decodes("04d510", 4));
  EXPECT_FALSE(decodes("04d510", 3));  // a byte too many
  EXPECT_FALSE(decodes("04d510", 5));  // a byte too few
  EXPECT_FALSE(decodes("04d51000", 4));
  EXPECT_FALSE(decodes("", 1));
  EXPECT_FALSE(decodes("0100", 4));  // one bit has no sign
  EXPECT_FALSE(decodes("400000000000000000", 1));
  EXPECT_FALSE(decodes("ff", 1));
}

TEST(Raw, RefusesBitsBehindTheLastElement) {
  EXPECT_TRUE(decodes("0401", 1));
  EXPECT_FALSE(decodes("0411", 1));
}

TEST(Raw, RefusesAnIntegerOutOfRange) {
  EXPECT_TRUE(decodes("3f01000000000000c0", 1) == false);  // bit 63 is padding
  EXPECT_TRUE(decodes("3f0100000000000040", 1));           // -2^62 + 1
  EXPECT_FALSE(decodes("3f0000000000000040", 1));          // -2^62
}

TEST(Raw, WritesAllOrNothing) {
  Encoder encoder;
  const std::vector<std::int64_t> open = {5, -3, 0, 1};
  encoder.load(open);
  std::vector<std::byte> out(100);
  std::vector<std::int64_t> removed(4, 9);
  EXPECT_EQ(encoder.encode({2}, out, removed).bytes, 0U);
  EXPECT_EQ(removed, std::vector<std::int64_t>(4));
  EXPECT_EQ(encoder.encode({3}, out, removed).bytes, 3U);
}

}  // namespace
}  // namespace godwit::codec::raw

#include "codec/fixed_rate/fixed_rate.h"

#include <cmath>

#include <gtest/gtest.h>

#include "codec/fixed_rate/vector_kernels.h"
#include "tests/codec/targets.h"
#include "tests/codec/tiles.h"

namespace godwit::codec::fixed_rate {
namespace {

using testing::Bytes;
using testing::bytes;
using testing::Integers;
using testing::size_of;

template <unsigned kBits>
Bytes encoded(const Integers& open, Integers& removed) {
  Encoder<kBits> encoder;
  encoder.load(open);
  Bytes out(coded_bytes(kBits, open.size()));
  removed.resize(open.size());
  EXPECT_EQ(encoder.encode({}, out, removed).bytes, out.size());
  return out;
}

TEST(FixedRate, TheWorkedExampleIsWhatIsWritten) {
  const Integers open = {1000, -3, 0, 500};
  Integers removed;
  EXPECT_EQ(encoded<8>(open, removed), bytes({0x08, 0x00, 0x7d, 0x00, 0x00, 0x3e}));
  EXPECT_EQ(removed, (Integers{1000, 0, 0, 496}));
  EXPECT_EQ(encoded<4>(open, removed), bytes({0x8f, 0x00, 0x07, 0x30}));
  EXPECT_EQ(removed, (Integers{1001, 0, 0, 429}));
}

TEST(FixedRate, AStepIsTheLeastOfItsFormThatReaches) {
  Random random(1);
  for (int round = 0; round < 20000; ++round) {
    const std::uint64_t wanted = random.next() >> (2 + random.below(62));
    const Step step = Step::at_least(wanted);
    ASSERT_GE(step.quanta(), wanted);
    ASSERT_EQ(Step::unpack(step.packed()).quanta(), step.quanta());
    if (wanted > 0) {
      ASSERT_LT(Step::at_most(step.quanta() - 1).quanta(), wanted) << wanted;
    }
  }
}

TEST(FixedRate, LeavesHalfAStepAndNeverMoreThanThereWas) {
  for (const auto& tile : testing::tiles()) {
    SCOPED_TRACE(tile.name);
    Integers removed;
    encoded<8>(tile.values, removed);
    for (std::size_t first = 0; first < removed.size(); first += kGroup) {
      std::uint64_t largest = 0;
      const std::size_t end = std::min(first + kGroup, removed.size());
      for (std::size_t i = first; i < end; ++i) {
        largest = std::max(largest, size_of(tile.values[i]));
      }
      const std::uint64_t step = step_for(largest, 127).quanta();
      // What would be out of range is cut by a step at most.
      const std::uint64_t allowed = largest > (std::uint64_t{1} << 61U) ? step : (step + 1) / 2;
      for (std::size_t i = first; i < end; ++i) {
        const std::uint64_t left = size_of(tile.values[i] - removed[i]);
        ASSERT_LE(left, size_of(tile.values[i]));
        // Half a step, and what doubles are wrong by.
        ASSERT_LE(left, allowed + (allowed >> 40U)) << tile.values[i];
      }
    }
  }
}

TEST(FixedRate, RefusesQuotientsThatNoEncoderWrites) {
  const auto refused = [](auto decoder, const Bytes& coded, std::size_t elements) {
    Integers out(elements);
    const auto result = decoder.decode(coded, out);
    return !result && result.error().code == Code::kCorrupt;
  };
  const Decoder<8> eight;
  const Decoder<4> four;
  EXPECT_FALSE(refused(eight, bytes({0x08, 0x00, 0x7d}), 1));
  EXPECT_TRUE(refused(eight, bytes({0x08, 0x00, 0x80}), 1));  // -128
  EXPECT_TRUE(refused(eight, bytes({0x00, 0x00, 0x01}), 1));  // of a step of nothing
  EXPECT_TRUE(refused(eight, bytes({0x01, 0xd4, 0x01}), 1));  // 2^53
  EXPECT_TRUE(refused(eight, bytes({0xff, 0xd3, 0x7f}), 1));  // beyond 2^62
  EXPECT_TRUE(refused(four, bytes({0x08, 0x00, 0x08}), 1));   // -8
  EXPECT_TRUE(refused(four, bytes({0x08, 0x00, 0x11}), 1));   // a second element
  EXPECT_FALSE(refused(four, bytes({0x08, 0x00, 0x01}), 1));
}

class FixedRateKernels : public testing::OnEveryTarget {};
INSTANTIATE_TEST_SUITE_P(Targets,
                         FixedRateKernels,
                         ::testing::ValuesIn(testing::targets()),
                         testing::target_name);

TEST_P(FixedRateKernels, AreTheSameOnEveryInstructionSet) {
  for (const auto& tile : testing::tiles()) {
    SCOPED_TRACE(tile.name);
    Integers removed;
    Integers portable_removed;
    testing::choose(HWY_EMU128);
    const Bytes portable8 = encoded<8>(tile.values, portable_removed);
    const Bytes portable4 = encoded<4>(tile.values, portable_removed);
    testing::choose(GetParam());
    EXPECT_EQ(encoded<8>(tile.values, removed), portable8);
    EXPECT_EQ(encoded<4>(tile.values, removed), portable4);
    EXPECT_EQ(removed, portable_removed);
    Integers decoded(tile.values.size());
    ASSERT_TRUE(Decoder<4>().decode(portable4, decoded));
    EXPECT_EQ(decoded, removed);
  }
}

// Against the specification's words, an element at a time.
TEST_P(FixedRateKernels, RoundToTheNearestMultipleOfTheStep) {
  for (const auto& tile : testing::tiles()) {
    SCOPED_TRACE(tile.name);
    Integers removed;
    const Bytes coded = encoded<8>(tile.values, removed);
    for (std::size_t i = 0; i < tile.values.size(); ++i) {
      const auto* const packed =
          reinterpret_cast<const std::uint8_t*>(coded.data()) + i / kGroup * 2;
      const auto header = static_cast<unsigned>(packed[0] | packed[1] << 8U);
      const std::int64_t step = std::int64_t{header & 0x3ffU} << (header >> 10U);
      const auto quotient =
          static_cast<std::int8_t>(coded[(tile.values.size() + kGroup - 1) / kGroup * 2 + i]);
      ASSERT_EQ(removed[i], quotient * step) << i;
      // Of a multiple that is half a step away either neighbour is the nearest, a rounding of the
      // quotient in double aside.
      const auto off = static_cast<double>(size_of(tile.values[i] - removed[i]));
      const bool is_last = size_of(removed[i]) + size_of(step) >= size_of(kValueLimit);
      ASSERT_LE(off, static_cast<double>(step) / (is_last ? 1 : 2) * (1 + 1e-12)) << i;
    }
  }
}

TEST_P(FixedRateKernels, NibblesComeBack) {
  Random random(2);
  for (std::size_t count = 1; count <= kGroup; ++count) {
    std::vector<std::int8_t> quotients(count);
    for (auto& quotient : quotients) {
      quotient = static_cast<std::int8_t>(static_cast<int>(random.below(16)) - 8);
    }
    std::vector<std::uint8_t> packed((count + 1) / 2);
    pack_nibbles(quotients.data(), count, packed.data());
    std::vector<std::int8_t> again(count);
    unpack_nibbles(packed.data(), count, again.data());
    ASSERT_EQ(again, quotients);
  }
}

}  // namespace
}  // namespace godwit::codec::fixed_rate

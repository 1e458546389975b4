#include "dataplane/base/units.h"

#include <cstdint>
#include <limits>

#include <gtest/gtest.h>

namespace godwit {
namespace {

constexpr std::int64_t kMostSigned = std::numeric_limits<std::int64_t>::max();

TEST(Duration, ConvertsBetweenItsUnits) {
  EXPECT_EQ(Duration::us(3), Duration::ns(3'000));
  EXPECT_EQ(Duration::ms(3), Duration::us(3'000));
  EXPECT_EQ(Duration::seconds(0.003), Duration::ms(3));
  EXPECT_EQ(Duration::ns(2'999'999).count_ms(), 2);
  EXPECT_EQ(Duration::ns(2'999'999).count_us(), 2'999);
  EXPECT_DOUBLE_EQ(Duration::ms(250).to_seconds(), 0.25);
}

TEST(Duration, AddsSubtractsAndScales) {
  EXPECT_EQ(Duration::ms(5) + Duration::ms(7) - Duration::ms(2), Duration::ms(10));
  EXPECT_EQ(Duration::ms(5) * 3 / 5, Duration::ms(3));
  EXPECT_EQ(-Duration::ms(5), Duration::zero() - Duration::ms(5));
  EXPECT_LT(Duration::ms(-1), Duration::zero());
}

TEST(Instant, MeasuresTheTimeBetweenTwo) {
  const Instant start = Instant::from_ns(1'000);

  const Instant later = start + Duration::us(9);

  EXPECT_EQ(later - start, Duration::us(9));
  EXPECT_EQ(later - Duration::us(9), start);
  EXPECT_LT(start, later);
}

TEST(Instant, NeverStaysNeverWhateverIsAddedOrTakenAway) {
  EXPECT_EQ(Instant::never() + Duration::ns(1), Instant::never());
  EXPECT_EQ(Instant::never() - Duration::seconds(9), Instant::never());
  EXPECT_EQ(Instant::from_ns(kMostSigned - 1) + Duration::ns(2), Instant::never());
  EXPECT_EQ(Instant::from_ns(5) + Duration::max(), Instant::never());
}

TEST(Bytes, DifferencesNeverGoBelowZero) {
  EXPECT_EQ(Bytes(5) - Bytes(3), Bytes(2));
  EXPECT_EQ(Bytes(3) - Bytes(5), Bytes(0));
  EXPECT_EQ(Bytes::kib(1024), Bytes::mib(1));
}

TEST(BitRate, TimeForRoundsUpSoThatALineIsNeverOverrun) {
  const BitRate rate = BitRate::bps(3);  // a byte takes 8/3 s

  EXPECT_EQ(rate.time_for(Bytes(1)), Duration::ns(2'666'666'667));
  EXPECT_EQ(BitRate::mbps(8).time_for(Bytes(1'000'000)), Duration::seconds(1));
  EXPECT_EQ(rate.time_for(Bytes(0)), Duration::zero());
}

TEST(BitRate, BytesInRoundsDownSoThatALineIsNeverOverrun) {
  EXPECT_EQ(BitRate::bps(15).bytes_in(Duration::seconds(1)), Bytes(1));
  EXPECT_EQ(BitRate::mbps(8).bytes_in(Duration::ms(1)), Bytes(1'000));
}

TEST(BitRate, TheEndsOfTheRangeSaturateInsteadOfWrapping) {
  const Bytes all(std::numeric_limits<std::uint64_t>::max());

  EXPECT_EQ(BitRate::bps(1).time_for(all), Duration::max());
  EXPECT_EQ(BitRate().time_for(Bytes(1)), Duration::max());
  EXPECT_EQ(BitRate::unlimited().time_for(all), Duration::zero());
  EXPECT_EQ(BitRate::unlimited().bytes_in(Duration::max()), all);
  EXPECT_TRUE(BitRate::unlimited().is_unlimited());
  EXPECT_FALSE(BitRate::bps(1).is_unlimited());
}

}  // namespace
}  // namespace godwit

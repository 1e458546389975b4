// What the coder counts of its own work.
#include "api/gateway/coder.h"

#include <vector>

#include <gtest/gtest.h>

namespace godwit::gateway {
namespace {

constexpr auto kBpc = static_cast<std::size_t>(codec::Id::kBpc);

TEST(Coder, CountsTilesBytesAndTimeOfEachCodecInEachDirection) {
  Instant now = Instant::from_ns(0);
  Coder coder([&now] { return now = now + Duration::us(10); });
  std::vector<std::int64_t> values(codec::kTileElements);
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<std::int64_t>(i * i % 1001) << 20U;
  }
  std::vector<std::byte> out(4096);
  const auto coded = coder.encode(values, {.bytes = out.size()}, BitRate(), out, Capabilities());
  ASSERT_EQ(coded.id, codec::Id::kBpc);
  std::vector<std::int64_t> read(values.size());
  const auto bytes = std::span(out).first(coded.bytes);
  ASSERT_TRUE(coder.decode(static_cast<std::uint8_t>(coded.id), bytes, read));

  for (const CodecUse& use : {coder.encoded()[kBpc], coder.decoded()[kBpc]}) {
    EXPECT_EQ(use.tiles, 1U);
    EXPECT_EQ(use.bytes, coded.bytes);
    EXPECT_EQ(use.time, Duration::us(10));
  }
  EXPECT_EQ(coder.encoded()[0].tiles + coder.decoded()[0].tiles, 0U);
}

TEST(Coder, CountsNothingThatItCouldNotDecode) {
  Coder coder([] { return Instant::from_ns(0); });
  std::vector<std::int64_t> read(codec::kTileElements);
  EXPECT_FALSE(coder.decode(static_cast<std::uint8_t>(codec::Id::kBpc), {}, read));
  EXPECT_FALSE(coder.decode(200, {}, read));
  EXPECT_EQ(coder.decoded()[kBpc].tiles, 0U);
  EXPECT_EQ(coder.refused(), 2U);
}

// Each reading of the clock is 100 us later than the last: 3 ns for each byte of a full Q8.
TEST(Coder, SendsByFixedRateWhereTheLinkIsFasterThanPlanes) {
  Instant now = Instant::from_ns(0);
  Coder coder([&now] { return now = now + Duration::us(100); });
  std::vector<std::int64_t> values(codec::kTileElements);
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<std::int64_t>(i * i % 1001 + 1) << 20U;
  }
  std::vector<std::byte> out(40'000);
  const auto id_of = [&](BitRate link, const Capabilities& peer) {
    return coder.encode(values, {.bytes = out.size()}, link, out, peer).id;
  };
  const Capabilities own = Capabilities::own();
  EXPECT_EQ(id_of(BitRate::mbps(10'000), own), codec::Id::kBpc) << "nothing is known yet";
  EXPECT_EQ(id_of(BitRate::mbps(10'000), own), codec::Id::kQ8);
  EXPECT_EQ(id_of(BitRate::mbps(100), own), codec::Id::kBpc) << "planes keep up";
  EXPECT_EQ(id_of(BitRate(), own), codec::Id::kBpc) << "nobody knows how fast it is";
  EXPECT_EQ(id_of(BitRate::mbps(10'000), Capabilities()), codec::Id::kBpc);
  EXPECT_EQ(coder.encoded()[static_cast<std::size_t>(codec::Id::kQ8)].tiles, 1U);
}

}  // namespace
}  // namespace godwit::gateway

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
  const auto coded = coder.encode(values, {.bytes = out.size()}, out, Capabilities());
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

}  // namespace
}  // namespace godwit::gateway

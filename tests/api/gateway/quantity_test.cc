#include "api/gateway/quantity.h"

#include <gtest/gtest.h>

namespace godwit::gateway {
namespace {

TEST(Quantity, IsANumberWithAUnit) {
  EXPECT_EQ(*parse_rate("1.5Gbit/s"), BitRate::bps(1'500'000'000));
  EXPECT_EQ(*parse_rate("800kbit/s"), BitRate::bps(800'000));
  EXPECT_EQ(*parse_rate("9bit/s"), BitRate::bps(9));
  EXPECT_EQ(*parse_duration("2m"), Duration::seconds(120));
  EXPECT_EQ(*parse_duration("1.5us"), Duration::ns(1500));
  EXPECT_EQ(*parse_duration("1h"), Duration::seconds(3600));
  EXPECT_EQ(*parse_bytes("64KiB"), Bytes(65536));
  EXPECT_EQ(*parse_bytes("2GB"), Bytes(2'000'000'000));
  EXPECT_EQ(*parse_bytes("7B"), Bytes(7));
  for (const std::string_view text : {"", "Mbit/s", "20", "20 Mbit/s", "1e99Gbit/s", "infMbit/s"}) {
    EXPECT_FALSE(parse_rate(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace godwit::gateway

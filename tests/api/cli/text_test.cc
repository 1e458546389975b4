#include "api/cli/text.h"

#include <cstdint>

#include <gtest/gtest.h>

namespace godwit::cli {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

TEST(Text, DurationsShowThreeDigitsAndThenTwoUnits) {
  EXPECT_EQ(human_duration(0), "0 ns");
  EXPECT_EQ(human_duration(1'500), "1.50 us");
  EXPECT_EQ(human_duration(73'000'000), "73.0 ms");
  EXPECT_EQ(human_duration(41'200'000'000), "41.2 s");
  EXPECT_EQ(human_duration(59'999'999'999), "60.0 s");
  EXPECT_EQ(human_duration(61 * kSecond), "1 min 1 s");
  EXPECT_EQ(human_duration(3'600 * kSecond), "1 h 0 min");
  EXPECT_EQ(human_duration((12 * 24 + 3) * 3'600 * kSecond), "12 d 3 h");
}

TEST(Text, BytesCountInPowersOfTwoAndRatesInPowersOfTen) {
  EXPECT_EQ(human_bytes(999), "999 B");
  EXPECT_EQ(human_bytes(1'024), "1.00 KiB");
  EXPECT_EQ(human_bytes(1'024ULL * 1'024 * 3 / 2), "1.50 MiB");
  EXPECT_EQ(human_bytes(UINT64_MAX), "16384 PiB");
  EXPECT_EQ(human_rate(16'760'000), "16.8 Mbit/s");
  EXPECT_EQ(human_rate(999), "999 bit/s");
  EXPECT_EQ(human_rate(1'005'000'000), "1.00 Gbit/s");
}

TEST(Text, AFigureNeverRoundsUpIntoAFourthDigit) {
  EXPECT_EQ(human_rate(999'600), "1.00 Mbit/s");
  EXPECT_EQ(human_rate(9'996), "10.0 kbit/s");
  EXPECT_EQ(human_rate(99'960), "100 kbit/s");
}

TEST(Text, CountsAreGroupedByThousands) {
  EXPECT_EQ(human_count(0), "0");
  EXPECT_EQ(human_count(999), "999");
  EXPECT_EQ(human_count(1'000), "1,000");
  EXPECT_EQ(human_count(1'234'567), "1,234,567");
}

TEST(Table, ColumnsAreAsWideAsTheirWidestCell) {
  Table table({"SITE", "BYTES"});
  table.add({"fra", "7"});
  table.add({"singapore", "1,024"});

  EXPECT_EQ(table.text(),
            "SITE       BYTES\n"
            "fra            7\n"
            "singapore  1,024\n");
}

TEST(Table, ANameInUtf8DoesNotShiftItsRow) {
  Table table({"SITE", "N"});
  table.add({"Zürich", "1"});
  table.add({"Berlin", "2"});

  EXPECT_EQ(table.text(),
            "SITE    N\n"
            "Zürich  1\n"
            "Berlin  2\n");
}

TEST(Table, WithoutRowsIsNothing) {
  EXPECT_EQ(Table({"SITE"}).text(), "");
}

}  // namespace
}  // namespace godwit::cli

// The version-1 transfer: the worked example of SPEC.md byte by byte, and everything refused.
#include "dataplane/wire/transfer.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "dataplane/base/bytes.h"
#include "dataplane/base/checksum.h"

namespace godwit::wire {
namespace {

// The transfer of SPEC.md's example, with records of either kind.
std::vector<std::byte> example(std::uint8_t flags = 0) {
  TransferHeader header;
  header.flags = flags;
  header.topic = TopicId(0x1122334455667788);
  header.shard = 3;
  header.traffic_class = 2;
  header.tenant = 7;
  header.from = SiteId(0xA1A2A3A4);
  header.to = 0xB1B2B3B4;
  header.from_incarnation = {.counter = 1, .nonce = 0x0BADF00D};
  header.to_incarnation = {.counter = 2, .nonce = 0x0DEFACED};
  header.k = 5;
  header.remaining_deadline_ms = 250;
  header.coverage = 41;
  header.checksum = 0x123456789ABCDEF;
  header.cumulative = 0xFEDCBA987654321;
  header.tile_count = 2;
  const auto record = static_cast<std::uint32_t>(tile_record_bytes(9, 3, flags));
  header.payload_bytes = record + 3 + record + 1;
  header.origin_count = 1;
  header.origins[0] = header.from;
  std::vector<std::byte> bytes(header_bytes(1) + header.payload_bytes + kTrailerBytes);
  write_header(header, bytes);
  auto rest = std::span(bytes).subspan(header_bytes(1));
  write_tile_record(9, 0, 3, flags, rest);
  std::memcpy(rest.data() + record, "abc", 3);
  write_tile_record(4, 1, 1, flags, rest.subspan(record + 3));
  rest[record + 3 + record] = std::byte{'z'};
  write_trailer(bytes);
  return bytes;
}

// Puts correct crcs over changed bytes, so that a test reaches the check behind them.
void fix_crcs(std::vector<std::byte>& bytes) {
  const std::uint32_t header_crc = crc32c(std::span(bytes).first(94));
  std::memcpy(bytes.data() + 94, &header_crc, 4);
  write_trailer(bytes);
}

constexpr std::uint32_t kTiles = 10;

Code refusal(const std::vector<std::byte>& bytes) {
  const auto view = parse_transfer(bytes, kTiles);
  return view ? Code::kOk : view.error().code;
}

TEST(Transfer, SaysWholeMillisecondsOfWhatIsLeftAndZeroForWhatHasPassed) {
  const Instant now = Instant::from_ns(7'000'000'000);
  EXPECT_EQ(remaining_deadline_ms(Instant::never(), now), kNoDeadline);
  EXPECT_EQ(remaining_deadline_ms(now + Duration::ms(250), now), 250U);
  EXPECT_EQ(remaining_deadline_ms(now + Duration::us(1'999), now), 1U);
  EXPECT_EQ(remaining_deadline_ms(now, now), 0U);
  EXPECT_EQ(remaining_deadline_ms(now - Duration::seconds(5), now), 0U);
  EXPECT_EQ(remaining_deadline_ms(now + Duration::seconds(8'640'000), now), kNoDeadline - 1);
}

class EitherRecords : public ::testing::TestWithParam<std::uint8_t> {};

INSTANTIATE_TEST_SUITE_P(Transfer,
                         EitherRecords,
                         ::testing::Values(std::uint8_t{0}, kFlagShortRecords));

TEST_P(EitherRecords, EqualTheGoldenFile) {
  const std::string name = GetParam() == 0 ? "transfer_v1" : "transfer_v1_short";
  std::ifstream file("tests/dataplane/wire/" + name + ".golden", std::ios::binary);
  ASSERT_TRUE(file.is_open());
  const std::string golden((std::istreambuf_iterator<char>(file)), {});
  const auto bytes = example(GetParam());
  ASSERT_EQ(bytes.size(), golden.size());
  EXPECT_EQ(as_text(bytes), golden);
}

TEST_P(EitherRecords, AreReadAsTheyWereWritten) {
  const auto bytes = example(GetParam());
  const auto view = parse_transfer(bytes, kTiles);
  ASSERT_TRUE(view.has_value()) << view.error().message;
  EXPECT_EQ(view->header().k, 5U);
  EXPECT_EQ(view->header().to, 0xB1B2B3B4U);
  EXPECT_EQ(view->header().to_incarnation.nonce, 0x0DEFACEDU);
  EXPECT_EQ(view->header().origins[0], SiteId(0xA1A2A3A4));
  std::vector<std::uint32_t> tiles;
  std::string coded;
  for (const TilePart part : *view) {
    tiles.push_back(part.tile);
    coded += as_text(part.coded);
  }
  EXPECT_EQ(tiles, (std::vector<std::uint32_t>{9, 4}));
  EXPECT_EQ(coded, "abcz");
}

TEST(Transfer, TellsItsLengthFromAPrefixOfTheStream) {
  const auto bytes = example();
  for (std::size_t have = 0; have < kHeaderFixedBytes; ++have) {
    const auto length = transfer_bytes(std::span(bytes).first(have));
    ASSERT_FALSE(length.has_value());
    EXPECT_EQ(length.error().code, Code::kFull);
  }
  EXPECT_EQ(transfer_bytes(std::span(bytes).first(kHeaderFixedBytes)).value(), bytes.size());
}

TEST_P(EitherRecords, RefuseEveryTruncation) {
  const auto bytes = example(GetParam());
  for (std::size_t have = 0; have < bytes.size(); ++have) {
    EXPECT_FALSE(parse_transfer(std::span(bytes).first(have), kTiles).has_value()) << have;
  }
}

TEST_P(EitherRecords, RefuseEveryFlippedBit) {
  const auto good = example(GetParam());
  for (std::size_t i = 0; i < good.size() * 8; ++i) {
    auto bytes = good;
    bytes[i / 8] ^= std::byte{1} << (i % 8);
    EXPECT_NE(refusal(bytes), Code::kOk) << "bit " << i;
  }
}

TEST(Transfer, NamesAnotherVersionAsUnsupported) {
  auto bytes = example();
  bytes[2] = std::byte{2};
  fix_crcs(bytes);
  EXPECT_EQ(refusal(bytes), Code::kUnsupported);
}

TEST_P(EitherRecords, RefuseATileBeyondTheShape) {
  EXPECT_FALSE(parse_transfer(example(GetParam()), 9).has_value());
  EXPECT_TRUE(parse_transfer(example(GetParam()), 10).has_value());
}

TEST(ShortRecords, TakeAsFewBytesAsTheirNumbersNeed) {
  const auto bytes = [](std::uint32_t tile, std::uint32_t coded) {
    return tile_record_bytes(tile, coded, kFlagShortRecords);
  };
  EXPECT_EQ(bytes(0, 0), 3U);
  EXPECT_EQ(bytes(127, 127), 3U);
  EXPECT_EQ(bytes(128, 127), 4U);
  EXPECT_EQ(bytes(127, 128), 4U);
  EXPECT_EQ(bytes(16'383, 16'383), 5U);
  EXPECT_EQ(bytes(kShortTilesMax - 1, kTransferBytesMax), kTileRecordBytes);
  EXPECT_EQ(tile_record_bytes(0, 0, 0), kTileRecordBytes);
}

// Else the same transfer could be written in two ways.
TEST(ShortRecords, AreRefusedWithMoreBytesThanTheirNumbersNeed) {
  auto bytes = example(kFlagShortRecords);
  const std::size_t record = header_bytes(1);
  // Tile 9 with 3 bytes of code becomes tile 9, written with two bytes, and 2 bytes of code.
  const std::array<std::byte, 4> longer = {
      std::byte{0x89}, std::byte{0}, std::byte{0}, std::byte{2}};
  std::copy(longer.begin(), longer.end(), bytes.begin() + static_cast<std::ptrdiff_t>(record));
  fix_crcs(bytes);
  EXPECT_EQ(refusal(bytes), Code::kCorrupt);
}

TEST_P(EitherRecords, RefuseATileTwice) {
  auto bytes = example(GetParam());
  bytes[header_bytes(1) + tile_record_bytes(9, 3, GetParam()) + 3] = std::byte{9};
  fix_crcs(bytes);
  EXPECT_EQ(refusal(bytes), Code::kCorrupt);
}

TEST(Transfer, RefusesANumberZero) {
  auto bytes = example();
  bytes[48] = std::byte{0};  // the low byte of k: 2+1+1+8+2+1+1+4+4+8+8+8 = 48
  fix_crcs(bytes);
  EXPECT_EQ(refusal(bytes), Code::kCorrupt);
}

TEST(Transfer, RefusesUnknownFlagsTooManyOriginsAndChecksumsOutsideTheField) {
  auto flags = example();
  flags[3] = std::byte{0x80};
  fix_crcs(flags);
  EXPECT_EQ(refusal(flags), Code::kCorrupt);

  auto origins = example();
  origins[15] = std::byte{200};
  fix_crcs(origins);
  EXPECT_EQ(refusal(origins), Code::kCorrupt);

  auto field = example();
  field[75] = std::byte{0xFF};  // the top byte of c(q), which ends at 76
  fix_crcs(field);
  EXPECT_EQ(refusal(field), Code::kCorrupt);
}

TEST(Transfer, RefusesATileCountThatDoesNotMatchTheRecords) {
  for (const std::uint8_t count : std::initializer_list<std::uint8_t>{0, 1, 3}) {
    auto bytes = example();
    bytes[84] = std::byte{count};
    fix_crcs(bytes);
    EXPECT_EQ(refusal(bytes), Code::kCorrupt) << int{count};
  }
}

}  // namespace
}  // namespace godwit::wire

#include "dataplane/base/bytes.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace godwit {
namespace {

using namespace std::string_view_literals;

constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();

std::uint64_t varint_of(std::string_view bytes, bool* ok) {
  ByteReader reader(as_bytes(bytes));
  const std::uint64_t value = reader.varint();
  *ok = reader.ok();
  return value;
}

TEST(ByteReader, ReadsLittleEndianFieldsInOrder) {
  ByteReader reader(as_bytes("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a tail"sv));

  EXPECT_EQ(reader.u8(), 0x01U);
  EXPECT_EQ(reader.u16(), 0x0302U);
  EXPECT_EQ(reader.u24(), 0x060504U);
  EXPECT_EQ(reader.u32(), 0x0a090807U);
  EXPECT_EQ(reader.position(), 10U);
  EXPECT_EQ(as_text(reader.bytes(5)), " tail");
  EXPECT_EQ(reader.remaining(), 0U);
  EXPECT_TRUE(reader.ok());
}

TEST(ByteReader, AShortReadFailsAndEverythingAfterItIsZero) {
  ByteReader reader(as_bytes("\xff\xff\xff"sv));

  EXPECT_EQ(reader.u32(), 0U);
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.u8(), 0U);
  EXPECT_EQ(reader.remaining(), 0U);
  EXPECT_TRUE(reader.bytes(0).empty());
}

TEST(ByteReader, ALengthFromOutsideCannotOverflowTheCursor) {
  ByteReader reader(as_bytes("abc"sv));
  ASSERT_EQ(reader.u8(), 'a');

  EXPECT_TRUE(reader.bytes(std::numeric_limits<std::size_t>::max()).empty());

  EXPECT_FALSE(reader.ok());
}

TEST(ByteReader, ReadsNothingFromNothing) {
  ByteReader reader({});

  EXPECT_TRUE(reader.bytes(0).empty());
  EXPECT_TRUE(reader.ok());
  EXPECT_EQ(reader.u8(), 0U);
  EXPECT_FALSE(reader.ok());
}

TEST(ByteReader, VarintsHaveAtMostTenBytesAndSixtyFourBits) {
  bool ok = false;

  EXPECT_EQ(varint_of("\x00"sv, &ok), 0U);
  EXPECT_TRUE(ok);
  EXPECT_EQ(varint_of("\xac\x02"sv, &ok), 0x2cU + 2U * 128U);
  EXPECT_TRUE(ok);
  EXPECT_EQ(varint_of("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"sv, &ok), kMost);
  EXPECT_TRUE(ok);
  EXPECT_EQ(varint_of("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"sv, &ok), 0U);
  EXPECT_FALSE(ok);
  EXPECT_EQ(varint_of("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"sv, &ok), 0U);
  EXPECT_FALSE(ok);
  EXPECT_EQ(varint_of("\x80"sv, &ok), 0U);
  EXPECT_FALSE(ok);
}

TEST(ByteWriter, WritesWhatTheReaderReads) {
  std::array<std::byte, 64> buffer{};
  ByteWriter writer(buffer);

  writer.u8(0xfe);
  writer.u16(0xfedc);
  writer.u24(0xfedcba);
  writer.u32(0xfedcba98);
  writer.u64(kMost - 1);
  writer.i64(-2);
  writer.varint(300);
  writer.bytes(as_bytes("xyz"));

  ASSERT_TRUE(writer.ok());
  EXPECT_EQ(writer.size(), 1U + 2 + 3 + 4 + 8 + 8 + 2 + 3);
  EXPECT_EQ(writer.remaining(), buffer.size() - writer.size());
  ByteReader reader(writer.written());
  EXPECT_EQ(reader.u8(), 0xfeU);
  EXPECT_EQ(reader.u16(), 0xfedcU);
  EXPECT_EQ(reader.u24(), 0xfedcbaU);
  EXPECT_EQ(reader.u32(), 0xfedcba98U);
  EXPECT_EQ(reader.u64(), kMost - 1);
  EXPECT_EQ(reader.i64(), -2);
  EXPECT_EQ(reader.varint(), 300U);
  EXPECT_EQ(as_text(reader.bytes(3)), "xyz");
  EXPECT_TRUE(reader.ok());
}

TEST(ByteWriter, WhatDoesNotFitIsNotWrittenAndIsReported) {
  std::array<std::byte, 5> buffer{};
  ByteWriter writer(buffer);
  writer.u32(7);

  writer.u16(0xffff);
  writer.u8(1);  // would fit; but a message with a gap is no message

  EXPECT_FALSE(writer.ok());
  EXPECT_EQ(writer.size(), 4U);
  EXPECT_EQ(buffer[4], std::byte{0});
  EXPECT_EQ(writer.remaining(), 0U);
}

}  // namespace
}  // namespace godwit

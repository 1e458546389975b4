#include "codec/xh/snapshot.h"

#include <gtest/gtest.h>

#include "dataplane/base/bytes.h"
#include "dataplane/base/checksum.h"
#include "tests/codec/xh/tensors.h"

namespace godwit::codec::xh {
namespace {

using testing::Bytes;
using testing::bytes_of_all;

Bytes weights(std::size_t count) {
  Random random(9);
  return bytes_of_all(testing::weights(count, 0.1, random));
}

// All chunks, the last one first.
Result<Bytes> read_all(std::span<const std::byte> file, std::span<const std::byte> base) {
  const auto snapshot = Snapshot::open(file);
  if (!snapshot) {
    return Failure(snapshot.error());
  }
  const std::size_t width = bytes_of(snapshot->type());
  Bytes values(snapshot->elements() * width);
  ChunkDecoder decoder;
  for (std::size_t chunk = snapshot->chunks(); chunk-- > 0;) {
    const std::size_t first = Snapshot::first_of(chunk) * width;
    const std::size_t size = snapshot->elements_of(chunk) * width;
    const auto read = snapshot->read(chunk,
                                     base.empty() ? base : base.subspan(first, size),
                                     decoder,
                                     std::span(values).subspan(first, size));
    if (!read) {
      return Failure(read.error());
    }
  }
  return values;
}

TEST(XhSnapshot, AnyNumberOfElementsComesBack) {
  for (const std::size_t count : {std::size_t{0},
                                  std::size_t{1},
                                  kChunkElements,
                                  kChunkElements + 1,
                                  3 * kChunkElements - 7}) {
    const Bytes values = weights(count);
    const Bytes file = write_snapshot(Type::kFloat32, values, {});
    const auto again = read_all(file, {});
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(*again, values);
  }
}

TEST(XhSnapshot, AgainstABaseItIsShortAndNeedsThatBase) {
  Random random(10);
  const Bytes base = weights(2 * kChunkElements);
  const Bytes values = testing::touched(base, 4, 100, random);
  const Bytes file = write_snapshot(Type::kFloat32, values, base);
  EXPECT_LT(file.size(), values.size() / 20);
  EXPECT_EQ(read_all(file, base).value(), values);
  EXPECT_EQ(read_all(file, {}).error().code, Code::kInvalid);
  Bytes other = base;
  other[kChunkElements * 4 + 2] ^= std::byte{1};
  const auto wrong = read_all(file, other);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, Code::kCorrupt);
  EXPECT_NE(wrong.error().message.find("chunk 1"), std::string::npos) << wrong.error().message;
}

TEST(XhSnapshot, RefusesWhatIsCutExtendedOrFlipped) {
  const Bytes values = weights(kChunkElements + 100);
  const Bytes file = write_snapshot(Type::kFloat32, values, {});
  for (std::size_t size = 0; size < file.size(); size += 1 + size / 3) {
    EXPECT_FALSE(Snapshot::open(std::span(file).first(size))) << size;
  }
  Bytes longer = file;
  longer.push_back(std::byte{0});
  EXPECT_FALSE(Snapshot::open(longer));
  Random random(11);
  for (std::size_t round = 0; round < 200; ++round) {
    Bytes wrong = file;
    const std::size_t at = random.below(round % 2 == 0 ? 48 : wrong.size());
    wrong[at] ^= static_cast<std::byte>(1U << random.below(8));
    EXPECT_FALSE(read_all(wrong, {})) << "byte " << at;
  }
}

// The index is what its checksum says, and its second chunk ends before its first.
TEST(XhSnapshot, ChunksFollowOneAnother) {
  Bytes file = write_snapshot(Type::kInt8, Bytes(3 * kChunkElements), {});
  constexpr std::size_t kFirstEnd = 16;
  constexpr std::size_t kFront = kFirstEnd + 3 * 12;
  const std::size_t front = kFront + 4;
  for (const std::size_t first_end : {front + 1, file.size()}) {
    ByteWriter(std::span(file).subspan(kFirstEnd)).u64(first_end);
    ByteWriter(std::span(file).subspan(kFirstEnd + 12)).u64(file.size() - 1);
    ByteWriter(std::span(file).subspan(kFront)).u32(crc32c(std::span(file).first(kFront)));
    EXPECT_EQ(Snapshot::open(file).has_value(), first_end == front + 1);
  }
}

// A front whose checksum is right, and which lies.
TEST(XhSnapshot, BelievesNoSizeThatTheBytesDoNotHave) {
  const auto forged = [](std::uint8_t version, std::uint8_t type, std::uint64_t elements) {
    Bytes file(16);
    ByteWriter writer(file);
    writer.u32(0x48585747);
    writer.u8(version);
    writer.u8(type);
    writer.u16(0);
    writer.u64(elements);
    const std::uint32_t checksum = crc32c(file);
    file.resize(20);
    ByteWriter(std::span(file).subspan(16)).u32(checksum);
    const auto snapshot = Snapshot::open(file);
    return snapshot ? Code::kOk : snapshot.error().code;
  };
  EXPECT_EQ(forged(1, 0, 0), Code::kOk);
  EXPECT_EQ(forged(1, 0, 1), Code::kCorrupt);
  EXPECT_EQ(forged(1, 0, UINT64_MAX), Code::kCorrupt);
  EXPECT_EQ(forged(2, 0, 0), Code::kUnsupported);
  EXPECT_EQ(forged(1, 7, 0), Code::kUnsupported);
}

}  // namespace
}  // namespace godwit::codec::xh

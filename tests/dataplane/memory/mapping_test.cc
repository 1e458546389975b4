// The mapping: what survives, what is refused, and how storage is counted.
#include "dataplane/memory/mapping.h"

#include <cstdio>
#include <string>

#include <gtest/gtest.h>
#include <unistd.h>

namespace godwit::memory {
namespace {

class MappingFile : public testing::Test {
 protected:
  MappingFile() : path_("/dev/shm/godwit-mapping-test-" + std::to_string(::getpid())) {}
  ~MappingFile() override { ::unlink(path_.c_str()); }
  std::string path_;
};

TEST_F(MappingFile, KeepsItsContentForTheNextOpener) {
  {
    auto mapping = Mapping::open(path_, 4 * kGranuleBytes);
    ASSERT_TRUE(mapping.has_value());
    EXPECT_FALSE(mapping->existed());
    ASSERT_TRUE(mapping->reserve(kGranuleBytes + 5, 1).has_value());
    mapping->bytes()[kGranuleBytes + 5] = std::byte{42};
  }
  const auto again = Mapping::open(path_, 4 * kGranuleBytes);
  ASSERT_TRUE(again.has_value());
  EXPECT_TRUE(again->existed());
  EXPECT_EQ(again->bytes()[kGranuleBytes + 5], std::byte{42});
}

TEST_F(MappingFile, RefusesAFileOfAnotherSizeAndLeavesItAlone) {
  { ASSERT_TRUE(Mapping::open(path_, 4 * kGranuleBytes).has_value()); }
  const auto other = Mapping::open(path_, 8 * kGranuleBytes);
  ASSERT_FALSE(other.has_value());
  EXPECT_EQ(other.error().code, Code::kInvalid);
  EXPECT_TRUE(Mapping::open(path_, 4 * kGranuleBytes).has_value());
}

TEST_F(MappingFile, IsLockedAgainstASecondOpener) {
  const auto first = Mapping::open(path_, kGranuleBytes);
  ASSERT_TRUE(first.has_value());
  const auto second = Mapping::open(path_, kGranuleBytes);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, Code::kRefused);
}

TEST_F(MappingFile, OccupiesOnlyWhatIsReservedAndGivesItBack) {
  auto mapping = Mapping::open(path_, 1024 * kGranuleBytes);
  ASSERT_TRUE(mapping.has_value());
  const std::uint64_t empty = mapping->storage_bytes();
  ASSERT_TRUE(mapping->reserve(10 * kGranuleBytes, 3 * kGranuleBytes).has_value());
  EXPECT_EQ(mapping->storage_bytes(), empty + (3 * kGranuleBytes));
  ASSERT_TRUE(mapping->reserve(10 * kGranuleBytes, 3 * kGranuleBytes).has_value());
  EXPECT_EQ(mapping->storage_bytes(), empty + (3 * kGranuleBytes));
  mapping->bytes()[11 * kGranuleBytes] = std::byte{1};
  mapping->release(10 * kGranuleBytes, 3 * kGranuleBytes);
  EXPECT_EQ(mapping->storage_bytes(), empty);
  ASSERT_TRUE(mapping->reserve(11 * kGranuleBytes, 1).has_value());
  EXPECT_EQ(mapping->bytes()[11 * kGranuleBytes], std::byte{0});
}

TEST_F(MappingFile, AnswersInsteadOfDyingWhenItCannotBeOpened) {
  const auto mapping = Mapping::open("/nonexistent-directory/x", kGranuleBytes);
  ASSERT_FALSE(mapping.has_value());
  EXPECT_EQ(mapping.error().code, Code::kIo);
}

TEST(Mapping, AnswersFullAtItsLimitAndRecoversAfterRelease) {
  auto mapping = Mapping::anonymous(16 * kGranuleBytes, 2 * kGranuleBytes);
  ASSERT_TRUE(mapping.has_value());
  ASSERT_TRUE(mapping->reserve(0, 2 * kGranuleBytes).has_value());
  const auto full = mapping->reserve(5 * kGranuleBytes, 1);
  ASSERT_FALSE(full.has_value());
  EXPECT_EQ(full.error().code, Code::kFull);
  EXPECT_TRUE(mapping->reserve(1, 10).has_value());
  mapping->release(0, kGranuleBytes);
  EXPECT_TRUE(mapping->reserve(5 * kGranuleBytes, 1).has_value());
  EXPECT_EQ(mapping->storage_bytes(), 2 * kGranuleBytes);
}

TEST(Mapping, RoundsReservationsOutAndReleasesIn) {
  auto mapping = Mapping::anonymous(8 * kGranuleBytes);
  ASSERT_TRUE(mapping.has_value());
  ASSERT_TRUE(mapping->reserve(kGranuleBytes - 1, 2).has_value());
  EXPECT_EQ(mapping->storage_bytes(), 2 * kGranuleBytes);
  mapping->release(1, kGranuleBytes);
  EXPECT_EQ(mapping->storage_bytes(), 2 * kGranuleBytes);
}

}  // namespace
}  // namespace godwit::memory

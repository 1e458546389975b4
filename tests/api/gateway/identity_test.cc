#include "api/gateway/identity.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/temporary_folder.h"

namespace godwit::gateway {
namespace {

// Each life is a process of its own: the lock is held until the process ends.
class Identity : public ::testing::Test {
 protected:
  // The incarnation that a new process gets, or 0 when it is refused.
  std::uint64_t life(std::uint32_t nonce) const {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      const auto got = recover_or_begin_incarnation(state(), durable(), nonce);
      const std::uint64_t packed = got ? got->packed() : 0;
      const bool written = ::write(ends[1], &packed, sizeof(packed)) == sizeof(packed);
      ::_exit(written ? 0 : 1);
    }
    ::close(ends[1]);
    std::uint64_t packed = 0;
    EXPECT_EQ(::read(ends[0], &packed, sizeof(packed)), static_cast<ssize_t>(sizeof(packed)));
    ::close(ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    return packed;
  }
  std::string state() const { return (folder_ / "state").string(); }
  std::string durable() const { return (folder_ / "durable").string(); }
  static std::uint64_t packed(std::uint32_t counter, std::uint32_t nonce) {
    return Incarnation{counter, nonce}.packed();
  }

  testing_support::TemporaryFolder folder_;
};

TEST_F(Identity, BeginsWithOneAndMakesPrivateFolders) {
  EXPECT_EQ(life(77), packed(1, 77));
  struct stat facts {};
  ASSERT_EQ(::stat(state().c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777U, 0700U);
}

TEST_F(Identity, StaysAsLongAsTheStateIsThere) {
  EXPECT_EQ(life(1), packed(1, 1));
  EXPECT_EQ(life(2), packed(1, 1));
  EXPECT_EQ(life(3), packed(1, 1));
}

TEST_F(Identity, RisesWhenTheStateIsLost) {
  EXPECT_EQ(life(1), packed(1, 1));
  for (std::uint32_t counter = 2; counter < 5; ++counter) {
    std::filesystem::remove_all(state());
    EXPECT_EQ(life(counter), packed(counter, counter));
  }
}

TEST_F(Identity, StaysWhenOnlyTheDiskWasLost) {
  EXPECT_EQ(life(1), packed(1, 1));
  std::filesystem::remove_all(durable());
  EXPECT_EQ(life(2), packed(1, 1));
}

TEST_F(Identity, RefusesADamagedFile) {
  EXPECT_EQ(life(1), packed(1, 1));
  const std::string file = state() + "/incarnation";
  for (const std::size_t at : {0U, 5U, 9U, 15U}) {
    std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
    bytes.seekg(static_cast<std::streamoff>(at));
    const char before = static_cast<char>(bytes.get());
    bytes.seekp(static_cast<std::streamoff>(at));
    bytes.put(static_cast<char>(before ^ 1));
    bytes.flush();
    EXPECT_EQ(life(2), 0U) << at;
    bytes.seekp(static_cast<std::streamoff>(at));
    bytes.put(before);
  }
  EXPECT_EQ(life(2), packed(1, 1));
  std::filesystem::resize_file(file, 17);
  EXPECT_EQ(life(2), 0U) << "a byte too many";
  std::filesystem::resize_file(file, 7);
  EXPECT_EQ(life(2), 0U);
}

TEST_F(Identity, RefusesACounterThatWasNeverGivenOut) {
  EXPECT_EQ(decode_incarnation(encode_incarnation({7, 9}))->packed(), packed(7, 9));
  EXPECT_THAT(decode_incarnation(encode_incarnation({0, 9})).error().message,
              ::testing::HasSubstr("its counter is 0"));
}

// A counter that began again at 0 would number new transfers as old ones.
TEST_F(Identity, EndsWithTheLastCounter) {
  EXPECT_EQ(life(1), packed(1, 1));
  const auto last = encode_incarnation({0xffffffff, 1});
  std::ofstream(durable() + "/incarnation", std::ios::binary)
      .write(reinterpret_cast<const char*>(last.data()), last.size());
  std::filesystem::remove_all(state());
  EXPECT_EQ(life(2), 0U);
}

TEST_F(Identity, RefusesADamagedCounterOnTheDisk) {
  EXPECT_EQ(life(1), packed(1, 1));
  std::filesystem::remove_all(state());
  std::ofstream(durable() + "/incarnation") << "0123456789abcdef";
  EXPECT_EQ(life(2), 0U);
}

TEST_F(Identity, KeepsASecondGatewayOut) {
  const auto mine = recover_or_begin_incarnation(state(), durable(), 1);
  ASSERT_TRUE(mine.has_value());
  const auto second = recover_or_begin_incarnation(state(), durable(), 2);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, Code::kRefused);
  EXPECT_THAT(second.error().message, ::testing::HasSubstr("another gateway uses this state"));
}

TEST_F(Identity, NamesAPathThatCannotBeMade) {
  std::ofstream(folder_ / "file") << "x";
  const auto got = recover_or_begin_incarnation((folder_ / "file" / "x").string(), durable(), 1);
  ASSERT_FALSE(got.has_value());
  EXPECT_EQ(got.error().code, Code::kIo);
  EXPECT_THAT(got.error().message, ::testing::HasSubstr("/file/x"));
}

}  // namespace
}  // namespace godwit::gateway

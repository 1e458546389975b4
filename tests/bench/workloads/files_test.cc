// Snapshots and published sums against the disk.
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "bench/workloads/through/published_sums.h"
#include "bench/workloads/trainer/file.h"
#include "bench/workloads/trainer/model.h"
#include "bench/workloads/trainer/snapshot.h"
#include "tests/support/temporary_folder.h"

namespace godwit {
namespace {

namespace fs = std::filesystem;

using Sums = std::vector<std::int64_t>;

void set_size(const std::string& path, std::ptrdiff_t change) {
  fs::resize_file(path, fs::file_size(path) + static_cast<std::uintmax_t>(change));
}

TEST(Snapshot, ComesBackAsItWasAndIsRefusedWhenCutOrLonger) {
  const testing_support::TemporaryFolder folder;
  const std::vector<float> parameters = trainer::seed_parameters(2);
  ASSERT_TRUE(
      trainer::write_snapshot(folder.path().string(), 3, 17, Duration::ms(1700), parameters));
  const std::string path = (folder / "000003.snapshot").string();
  const auto back = trainer::read_snapshot(path);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->step, 17U);
  EXPECT_EQ(back->since_start, Duration::ms(1700));
  EXPECT_EQ(back->parameters, parameters);
  for (const std::ptrdiff_t change : {1, -5}) {
    set_size(path, change);
    const auto refused = trainer::read_snapshot(path);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::kCorrupt);
    EXPECT_EQ(refused.error().message.find(path), 0U) << refused.error().message;
  }
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 1) << "nothing left aside";
}

TEST(PublishedSums, ComeBackAsTheyWereAndAreRefusedWhenCutLongerOrOfAnotherTopic) {
  const testing_support::TemporaryFolder folder;
  const std::string path = (folder / "site0.sums").string();
  const Sums sums = {1, -2, std::numeric_limits<std::int64_t>::min(), 0};
  ASSERT_TRUE(through::write_sums(path, sums));
  ASSERT_TRUE(through::read_sums(path, 4));
  EXPECT_EQ(*through::read_sums(path, 4), sums);
  for (const std::size_t elements : {3U, 5U}) {
    EXPECT_EQ(through::read_sums(path, elements).error().code, Code::kCorrupt);
  }
  for (const std::ptrdiff_t change : {1, -2}) {
    set_size(path, change);
    const auto refused = through::read_sums(path, 4);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::kCorrupt);
    EXPECT_EQ(refused.error().message.find(path), 0U) << refused.error().message;
  }
}

TEST(File, SaysWhatCannotBeReadOrWritten) {
  const testing_support::TemporaryFolder folder;
  const std::string nowhere = (folder / "no/file").string();
  EXPECT_EQ(trainer::read_file(nowhere, 10).error().code, Code::kNotFound);
  EXPECT_EQ(trainer::read_file(folder.path().string(), 10).error().code, Code::kIo) << "a folder";
  const auto refused = trainer::write_file(nowhere, {}, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kIo);
  EXPECT_NE(refused.error().message.find(nowhere), std::string::npos) << refused.error().message;
}

}  // namespace
}  // namespace godwit

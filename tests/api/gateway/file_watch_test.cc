#include "api/gateway/file_watch.h"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>
#include <unistd.h>

namespace godwit::gateway {
namespace {

class FileWatchTest : public ::testing::Test {
 protected:
  FileWatchTest() {
    std::string pattern = ::testing::TempDir() + "watch-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    write("one", "1");
    write("two", "2");
  }
  ~FileWatchTest() override { std::filesystem::remove_all(folder_); }
  FileWatchTest(const FileWatchTest&) = delete;
  FileWatchTest& operator=(const FileWatchTest&) = delete;

  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
  }
  Instant at(int period) const { return Instant::from_ns(0) + FileWatch::kPeriod * period; }
  FileWatch watch() const {
    return {at(0), {(folder_ / "one").string(), (folder_ / "two").string()}};
  }

  std::filesystem::path folder_;
};

TEST_F(FileWatchTest, SaysNothingWhileNothingChanges) {
  FileWatch files = watch();
  for (int period = 1; period < 5; ++period) {
    EXPECT_FALSE(files.has_changed(at(period)));
  }
}

TEST_F(FileWatchTest, TellsAChangeOnceAndNotBeforeItsPeriod) {
  FileWatch files = watch();
  write("two", "another text");
  EXPECT_FALSE(files.has_changed(at(1) - Duration::ns(1)));
  EXPECT_TRUE(files.has_changed(at(1)));
  EXPECT_FALSE(files.has_changed(at(2)));
}

TEST_F(FileWatchTest, TellsAFileThatWasRenamedIntoPlaceOrRemoved) {
  FileWatch files = watch();
  write("new", "1");
  std::filesystem::rename(folder_ / "new", folder_ / "one");
  EXPECT_TRUE(files.has_changed(at(1)));
  std::filesystem::remove(folder_ / "two");
  EXPECT_TRUE(files.has_changed(at(2)));
}

}  // namespace
}  // namespace godwit::gateway

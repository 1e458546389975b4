// The main of the test programs: runs the tests that stand in the source files that are named, or
// all of them. One program holds the tests of a folder, since most of the time that a test costs is
// the time to compile what it includes; what ctest knows and runs is smaller.
//
// usage: PROGRAM [GOOGLETEST_FLAG...] [FILE_test.cc...]
#include <cstdio>
#include <string>
#include <string_view>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

// The tests of one source file as googletest's filter, "" if there are none.
std::string filter_of(std::string_view file) {
  const auto& all = *testing::UnitTest::GetInstance();
  const std::string ending = "/" + std::string(file);
  std::string filter;
  for (int i = 0; i < all.total_test_suite_count(); ++i) {
    const auto& suite = *all.GetTestSuite(i);
    for (int j = 0; j < suite.total_test_count(); ++j) {
      const auto& test = *suite.GetTestInfo(j);
      if (std::string_view(test.file()).ends_with(ending)) {
        filter += std::string(":") + suite.name() + "." + test.name();
      }
    }
  }
  return filter;
}

}  // namespace

int main(int count, char** words) {
  testing::InitGoogleMock(&count, words);
  std::string filter;
  for (int i = 1; i < count; ++i) {
    const std::string tests = filter_of(words[i]);
    if (tests.empty()) {
      std::fprintf(stderr, "%s holds no test of a file %s\n", words[0], words[i]);
      return 2;
    }
    filter += tests;
  }
  if (!filter.empty()) {
    GTEST_FLAG_SET(filter, filter.substr(1));
  }
  return RUN_ALL_TESTS();
}

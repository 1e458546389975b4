#include "api/gateway/store.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/temporary_folder.h"

namespace godwit::gateway {
namespace {

TEST(FileStore, KeepsDescriptionsOverRestarts) {
  const testing_support::TemporaryFolder folder;
  {
    FileStore store(folder.path().string());
    ASSERT_TRUE(store.describe(TopicId::of("t"), "first").has_value());
    ASSERT_TRUE(store.describe(TopicId::of("t"), "second").has_value());
    ASSERT_TRUE(store.describe(TopicId::of("u"), "other").has_value());
  }
  FileStore again(folder.path().string());
  EXPECT_THAT(*again.descriptions(), ::testing::UnorderedElementsAre("second", "other"));
}

TEST(FileStore, KeepsSumsOverRestarts) {
  const testing_support::TemporaryFolder folder;
  {
    FileStore store(folder.path().string());
    const auto mapping = store.mapping(TopicId::of("t"), 1 << 20);
    ASSERT_TRUE(mapping.has_value());
    ASSERT_TRUE((*mapping)->reserve(0, 16).has_value());
    (*mapping)->bytes()[7] = std::byte{42};
  }
  FileStore again(folder.path().string());
  const auto mapping = again.mapping(TopicId::of("t"), 1 << 20);
  ASSERT_TRUE(mapping.has_value());
  EXPECT_EQ((*mapping)->bytes()[7], std::byte{42});
}

TEST(FileStore, RefusesSumsOfAnotherSize) {
  const testing_support::TemporaryFolder folder;
  FileStore store(folder.path().string());
  ASSERT_TRUE(store.mapping(TopicId::of("t"), 1 << 20).has_value());
  EXPECT_FALSE(FileStore(folder.path().string()).mapping(TopicId::of("t"), 1 << 21).has_value());
}

TEST(FileStore, RefusesADescriptionThatIsEmptyOrHuge) {
  const testing_support::TemporaryFolder folder;
  std::ofstream(folder / "0000000000000001.topic").flush();
  FileStore store(folder.path().string());
  EXPECT_EQ(store.descriptions().error().code, Code::kCorrupt);
  std::ofstream(folder / "0000000000000001.topic") << std::string(70'000, 'x');
  EXPECT_EQ(store.descriptions().error().code, Code::kCorrupt);
}

TEST(FileStore, IgnoresWhatIsNoDescription) {
  const testing_support::TemporaryFolder folder;
  std::ofstream(folder / "0000000000000001.topic.new") << "cut by a crash";
  std::ofstream(folder / "incarnation") << "x";
  EXPECT_TRUE(FileStore(folder.path().string()).descriptions()->empty());
}

TEST(FileStore, NamesAFolderThatIsNotThere) {
  EXPECT_THAT(FileStore("/nowhere/state").descriptions().error().message,
              ::testing::HasSubstr("/nowhere/state"));
  EXPECT_FALSE(FileStore("/nowhere/state").describe(TopicId::of("t"), "x").has_value());
}

}  // namespace
}  // namespace godwit::gateway

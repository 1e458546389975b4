#include "api/gateway/store.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <fmt/format.h>
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

TEST(FileStore, TellsHowMuchRoomIsLeft) {
  const testing_support::TemporaryFolder folder;
  const auto left = FileStore(folder.path().string()).free_bytes();
  ASSERT_TRUE(left);
  EXPECT_GT(*left, 0U);
  EXPECT_EQ(FileStore((folder / "nothing").string()).free_bytes(), std::nullopt);
}

TEST(FileStore, TellsShardsOfOneTopicApart) {
  const testing_support::TemporaryFolder folder;
  FileStore store(folder.path().string());
  const TopicShard eleventh(TopicId::of("t"), 11);
  ASSERT_TRUE(store.describe(TopicId::of("t"), "the first").has_value());
  ASSERT_TRUE(store.describe(eleventh, "the eleventh").has_value());
  EXPECT_THAT(*store.descriptions(), ::testing::UnorderedElementsAre("the first", "the eleventh"));
  EXPECT_NE(*store.mapping(TopicId::of("t"), 1 << 20), *store.mapping(eleventh, 1 << 20));
  const std::string name = fmt::format("{:016x}", TopicId::of("t").value());
  EXPECT_TRUE(std::filesystem::exists(folder / (name + "-11.topic")));
  // Under another shard's name, or none that a shard has, it is not believed.
  for (const char* other : {"-12", "-1", "-011", "-64", "-00", "x11", "-1x"}) {
    std::filesystem::rename(folder / (name + "-11.topic"), folder / (name + other + ".topic"));
    EXPECT_FALSE(store.descriptions().has_value()) << other;
    std::filesystem::rename(folder / (name + other + ".topic"), folder / (name + "-11.topic"));
  }
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

std::string contents(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

TEST(FileStore, RefusesADescriptionWithAnyFlippedBit) {
  const testing_support::TemporaryFolder folder;
  FileStore store(folder.path().string());
  ASSERT_TRUE(store.describe(TopicId::of("t"), "allowed: fra").has_value());
  const auto path = std::filesystem::directory_iterator(folder.path())->path();
  const std::string whole = contents(path);
  ASSERT_GT(whole.size(), 12U);
  for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    std::ofstream(path, std::ios::binary) << flipped;
    const auto found = store.descriptions();
    ASSERT_FALSE(found.has_value()) << "bit " << bit;
    EXPECT_EQ(found.error().code, Code::kCorrupt);
    EXPECT_THAT(found.error().message, ::testing::HasSubstr(path.string()));
  }
  for (std::size_t length = 0; length < whole.size(); ++length) {
    std::ofstream(path, std::ios::binary) << whole.substr(0, length);
    EXPECT_FALSE(store.descriptions().has_value()) << length << " bytes";
  }
  std::ofstream(path, std::ios::binary) << whole;
  EXPECT_THAT(*store.descriptions(), ::testing::ElementsAre("allowed: fra"));
}

TEST(FileStore, RefusesADescriptionUnderAnotherTopicsName) {
  const testing_support::TemporaryFolder folder;
  FileStore store(folder.path().string());
  ASSERT_TRUE(store.describe(TopicId::of("t"), "of t").has_value());
  const auto path = std::filesystem::directory_iterator(folder.path())->path();
  for (const std::string name : {"0000000000000001.topic", "t.topic", "1.topic"}) {
    std::filesystem::copy_file(path, folder / name);
    EXPECT_EQ(store.descriptions().error().code, Code::kCorrupt) << name;
    std::filesystem::remove(folder / name);
  }
  EXPECT_TRUE(store.descriptions().has_value());
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

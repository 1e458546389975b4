// The IDX decoder against files that are right, short, lying and hostile; the split; the snapshots.
#include "bench/workloads/trainer/dataset.h"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <vector>

#include <gtest/gtest.h>

#include "bench/workloads/trainer/split.h"

namespace godwit::trainer {
namespace {

std::vector<std::byte> bytes_of(std::initializer_list<unsigned> values) {
  std::vector<std::byte> out;
  for (const unsigned value : values) {
    out.push_back(static_cast<std::byte>(value));
  }
  return out;
}

std::vector<std::byte> one_image(std::size_t pixels) {
  auto file = bytes_of({0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 28, 0, 0, 0, 28});
  file.resize(file.size() + pixels, std::byte{7});
  return file;
}

TEST(Dataset, ReadsImagesOfTheAnnouncedNumber) {
  const auto images = parse_images(one_image(28 * 28));
  ASSERT_TRUE(images);
  EXPECT_EQ(images->size(), 28U * 28U);
  EXPECT_EQ(images->at(0), 7);
}

TEST(Dataset, RefusesImagesThatAreCutShortOrTooLong) {
  EXPECT_EQ(parse_images(one_image(28 * 28 - 1)).error().code, Code::kCorrupt);
  EXPECT_EQ(parse_images(one_image(28 * 28 + 1)).error().code, Code::kCorrupt);
  EXPECT_EQ(parse_images(bytes_of({0, 0, 8})).error().code, Code::kCorrupt);
}

TEST(Dataset, RefusesACountThatNoFileCouldHave) {
  auto file = one_image(28 * 28);
  file[4] = file[5] = file[6] = file[7] = std::byte{0xff};
  EXPECT_EQ(parse_images(file).error().code, Code::kCorrupt);
}

TEST(Dataset, RefusesOtherImageSizesAndOtherMagicNumbers) {
  auto file = one_image(28 * 28);
  file[11] = std::byte{27};
  EXPECT_EQ(parse_images(file).error().code, Code::kCorrupt);
  file = one_image(28 * 28);
  file[3] = std::byte{1};
  EXPECT_EQ(parse_images(file).error().code, Code::kCorrupt);
}

TEST(Dataset, RefusesALabelThatIsNoClass) {
  EXPECT_TRUE(parse_labels(bytes_of({0, 0, 8, 1, 0, 0, 0, 2, 0, 9})));
  EXPECT_EQ(parse_labels(bytes_of({0, 0, 8, 1, 0, 0, 0, 2, 0, 10})).error().code, Code::kCorrupt);
}

TEST(Dataset, SaysWhichFileIsMissing) {
  const auto data = load_dataset("/nowhere", Part::kTest);
  ASSERT_FALSE(data);
  EXPECT_NE(data.error().message.find("/nowhere/t10k-images"), std::string::npos);
}

std::vector<std::uint8_t> labels_in_turn(std::size_t count) {
  std::vector<std::uint8_t> labels(count);
  for (std::size_t i = 0; i < count; ++i) {
    labels[i] = static_cast<std::uint8_t>(i % kClasses);
  }
  return labels;
}

TEST(Split, GivesEverySampleToExactlyOneSite) {
  const auto labels = labels_in_turn(10'000);
  for (std::size_t sites = 1; sites <= kSitesMax; ++sites) {
    const auto split = split_by_label(labels, sites, 0.8, 3);
    std::vector<int> owners(labels.size(), 0);
    for (const auto& own : split) {
      for (const std::uint32_t index : own) {
        ++owners.at(index);
      }
    }
    EXPECT_TRUE(std::ranges::all_of(owners, [](int count) { return count == 1; })) << sites;
  }
}

TEST(Split, KeepsTheShareOfSamplesAtHomeThatTheSkewSays) {
  const auto labels = labels_in_turn(60'000);
  const auto split = split_by_label(labels, 3, 0.8, 1);
  std::size_t at_home = 0;
  for (std::size_t site = 0; site < split.size(); ++site) {
    for (const std::uint32_t index : split[site]) {
      at_home += labels[index] % 3 == site ? 1U : 0U;
    }
  }
  // A sample stays with probability 0.8 and comes home by chance with 0.2 / 3; 5 sigma of 60,000.
  EXPECT_NEAR(static_cast<double>(at_home) / 60'000.0, 0.8 + 0.2 / 3, 0.007);
}

TEST(Split, IsTheSameForEqualSeedsOnly) {
  const auto labels = labels_in_turn(1000);
  EXPECT_EQ(split_by_label(labels, 3, 0.5, 9), split_by_label(labels, 3, 0.5, 9));
  EXPECT_NE(split_by_label(labels, 3, 0.5, 9), split_by_label(labels, 3, 0.5, 10));
}

TEST(Split, LeavesNoSiteWithoutAHomeLabelWhenThereAreMoreSitesThanLabels) {
  const auto split = split_by_label(labels_in_turn(10'000), kSitesMax, 1.0, 1);
  for (const auto& own : split) {
    EXPECT_GT(own.size(), 0U);
  }
}

}  // namespace
}  // namespace godwit::trainer

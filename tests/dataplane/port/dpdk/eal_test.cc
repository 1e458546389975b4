#include "dataplane/port/dpdk/eal.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

#include "tests/support/temporary_folder.h"

namespace godwit::port {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::size_t kMebibyte = 1U << 20U;
constexpr HugePageSupply kPlenty{.free_pages = 64, .page_bytes = 2 * kMebibyte};
constexpr HugePageSupply kNone{.free_pages = 0, .page_bytes = 2 * kMebibyte};

EalOptions with(std::size_t mebibytes, HugePages huge_pages = HugePages::kAuto) {
  EalOptions options;
  options.huge_pages = huge_pages;
  options.memory_bytes = mebibytes * kMebibyte;
  return options;
}

TEST(EalArguments, TakeHugePagesWhenThereAreEnough) {
  const auto words = eal_arguments(with(20), kPlenty, {0, 1});
  ASSERT_TRUE(words.has_value());
  EXPECT_THAT(*words, AllOf(Contains("--in-memory"), Not(Contains("--no-huge"))));
}

TEST(EalArguments, DoWithoutHugePagesWhenThereAreTooFew) {
  for (const HugePageSupply& supply :
       {kNone, HugePageSupply{20, 2 * kMebibyte}, HugePageSupply{}}) {
    const auto words = eal_arguments(with(20), supply, {0, 1});
    ASSERT_TRUE(words.has_value());
    EXPECT_THAT(*words, AllOf(Contains("--no-huge"), Contains("--no-shconf"), Contains("256")));
    EXPECT_THAT(*words, Not(Contains("--in-memory")));
  }
  EXPECT_THAT(*eal_arguments(with(500), kNone, {0}), Contains("532"));  // 32 are its own
}

TEST(EalArguments, HeedAWishForOrAgainstHugePages) {
  const auto never = eal_arguments(with(20, HugePages::kNever), kPlenty, {0});
  EXPECT_THAT(*never, Contains("--no-huge"));
  const auto always = eal_arguments(with(20, HugePages::kAlways), kNone, {0});
  ASSERT_FALSE(always.has_value());
  EXPECT_EQ(always.error().code, Code::kFull);
  EXPECT_THAT(always.error().message, HasSubstr("vm.nr_hugepages"));
}

// As /sys/kernel/mm/hugepages says it: a folder for each size, other things beside them.
TEST(HugePages, AreCountedInTheSizeOfWhichMostMemoryIsFree) {
  const testing_support::TemporaryFolder folder;
  const auto reserve = [&](const std::string& name, int free, int promised) {
    const auto path = folder.path() / name;
    std::filesystem::create_directories(path);
    std::ofstream(path / "free_hugepages") << free << '\n';
    std::ofstream(path / "resv_hugepages") << promised << '\n';
  };
  const auto expect = [&](std::size_t pages, std::size_t page_mebibytes) {
    const auto supply = huge_page_supply(folder.path());
    EXPECT_EQ(supply.free_pages, pages);
    EXPECT_EQ(supply.page_bytes, page_mebibytes * kMebibyte);
  };
  EXPECT_EQ(huge_page_supply(folder.path() / "missing").free_pages, 0U);
  reserve("hugepages-2048kB", 0, 0);
  expect(0, 2);
  reserve("hugepages-1048576kB", 3, 1);
  expect(2, 1024);
  reserve("hugepages-2048kB", 1030, 5);
  expect(1025, 2);
  reserve("hugepages-2048kB", 4, 9);
  reserve("something else", 9999, 0);
  expect(2, 1024);
  EXPECT_THAT(*eal_arguments(with(20), huge_page_supply(folder.path()), {0}),
              Contains("--in-memory"));
}

TEST(EalArguments, LookAtPciOnlyForACard) {
  EXPECT_THAT(*eal_arguments({}, kNone, {0}), Contains("--no-pci"));
  EalOptions options;
  options.pci_address = "0000:3b:00.0";
  const auto card = eal_arguments(options, kNone, {0});
  EXPECT_THAT(*card, AllOf(Contains("-a"), Contains("0000:3b:00.0"), Not(Contains("--no-pci"))));
}

TEST(EalArguments, LetTheWorkerFloatOverItsProcessors) {
  EXPECT_THAT(*eal_arguments({}, kNone, {0, 2, 3}), Contains("0@(0,2,3)"));
}

TEST(Eal, StartsOnceAndLeavesTheCallersProcessorsAlone) {
  cpu_set_t before;
  cpu_set_t after;
  CPU_ZERO(&before);
  CPU_ZERO(&after);
  ASSERT_EQ(::sched_getaffinity(0, sizeof(before), &before), 0);
  const auto first = start_eal(with(1, HugePages::kNever));
  EXPECT_TRUE(first.has_value()) << first.error().message;
  // A second start would be DPDK's error; ours is the first one's outcome.
  EXPECT_TRUE(start_eal(with(1, HugePages::kAlways)).has_value());
  ASSERT_EQ(::sched_getaffinity(0, sizeof(after), &after), 0);
  EXPECT_TRUE(CPU_EQUAL(&before, &after));
}

}  // namespace
}  // namespace godwit::port

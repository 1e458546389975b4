#include <cstddef>
#include <filesystem>
#include <fstream>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/allocation_guard.h"
#include "tests/support/hex.h"
#include "tests/support/temporary_folder.h"

namespace godwit::testing_support {
namespace {

TEST(AllocationGuard, SeesEveryFormOfNew) {
  struct alignas(64) Line {
    std::byte bytes[64];
  };
  AllocationGuard guard;

  const auto one = std::make_unique<int>(1);
  const auto many = std::make_unique<int[]>(10);
  const auto aligned = std::make_unique<Line>();
  const std::vector<int> growing(3);
  const std::unique_ptr<int> or_null(new (std::nothrow) int(1));
  const std::unique_ptr<int[]> many_or_null(new (std::nothrow) int[10]);

  EXPECT_EQ(guard.allocations(), 6U);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(aligned.get()) % 64, 0U);
}

TEST(AllocationGuard, IsSilentAboutTheStackAndOtherThreads) {
  std::unique_ptr<int> from_another;
  std::thread other;
  {
    AllocationGuard guard;
    int on_the_stack[100] = {1};
    EXPECT_EQ(on_the_stack[0], 1);
    EXPECT_EQ(guard.allocations(), 0U);
  }
  bool started = false;
  other = std::thread([&] {
    started = true;
    from_another = std::make_unique<int>(1);
  });
  AllocationGuard guard;
  other.join();
  EXPECT_TRUE(started);
  EXPECT_EQ(guard.allocations(), 0U);
}

TEST(Hex, ReadsBackWhatItWrites) {
  const std::vector<std::byte> bytes = {std::byte{0x00}, std::byte{0x9f}, std::byte{0xff}};

  EXPECT_EQ(to_hex(bytes), "009fff");
  EXPECT_EQ(from_hex("00 9f\nff"), bytes);
}

TEST(TemporaryFolder, LeavesNothingBehind) {
  std::filesystem::path path;
  {
    const TemporaryFolder folder;
    path = folder.path();
    std::ofstream(folder / "file") << "x";
    EXPECT_TRUE(std::filesystem::exists(folder / "file"));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace godwit::testing_support

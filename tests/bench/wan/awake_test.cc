// The threads that keep the processors awake, as the operating system sees them.
#include "bench/wan/awake.h"

#include <chrono>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>
#include <sched.h>

namespace godwit::wan {
namespace {

// How many threads of this process run at the policy.
int threads_at(int policy) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) {
    count += ::sched_getscheduler(std::stoi(entry.path().filename())) == policy ? 1 : 0;
  }
  return count;
}

TEST(KeepAwake, SpinsOnEveryProcessorBehindEverybodyElseUntilItsEnd) {
  cpu_set_t allowed;
  ASSERT_EQ(::sched_getaffinity(0, sizeof(allowed), &allowed), 0);
  {
    const KeepAwake awake;
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (threads_at(SCHED_IDLE) < CPU_COUNT(&allowed) && std::chrono::steady_clock::now() < end) {
      ::sched_yield();
    }
    EXPECT_EQ(threads_at(SCHED_IDLE), CPU_COUNT(&allowed));
  }
  EXPECT_EQ(threads_at(SCHED_IDLE), 0);
  cpu_set_t after;
  ASSERT_EQ(::sched_getaffinity(0, sizeof(after), &after), 0);
  EXPECT_TRUE(CPU_EQUAL(&allowed, &after)) << "the caller moves as before";
}

}  // namespace
}  // namespace godwit::wan

#include "dataplane/base/system_time.h"

#include <chrono>

#include <gtest/gtest.h>

namespace godwit {
namespace {

TEST(SystemTime, IsTheMonotonicClockInNanoseconds) {
  const auto reference = [] {
    return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
  };

  const auto before = reference();
  const Instant now = system_now();
  const auto after = reference();

  EXPECT_LE(before, now.ns());
  EXPECT_LE(now.ns(), after);
}

TEST(SystemTime, UnixSecondsFollowTheWallClock) {
  const auto reference =
      std::chrono::system_clock::now().time_since_epoch() / std::chrono::seconds(1);

  EXPECT_NEAR(static_cast<double>(system_unix_seconds()), static_cast<double>(reference), 2.0);
}

TEST(SystemTime, EntropyDiffersFromCallToCall) {
  EXPECT_NE(system_entropy(), system_entropy());
}

}  // namespace
}  // namespace godwit

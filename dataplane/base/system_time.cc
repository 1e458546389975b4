#include "dataplane/base/system_time.h"

#include <ctime>

#include <sys/random.h>

#include "dataplane/base/assert.h"

namespace godwit {

namespace {

Instant read(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return Instant::from_ns(now.tv_sec * 1'000'000'000 + now.tv_nsec);
}

}  // namespace

Instant system_now() {
  return read(CLOCK_MONOTONIC);
}

Instant system_thread_time() {
  return read(CLOCK_THREAD_CPUTIME_ID);
}

std::int64_t system_unix_seconds() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec;
}

std::int64_t system_unix_ns() {
  return read(CLOCK_REALTIME).ns();
}

std::uint64_t system_entropy() {
  std::uint64_t value = 0;
  const auto got = getrandom(&value, sizeof(value), 0);
  GODWIT_ASSERT(got == static_cast<ssize_t>(sizeof(value)), "the kernel gave no entropy");
  return value;
}

}  // namespace godwit

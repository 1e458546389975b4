#include "tests/sim/entropy.h"

#include <cstring>

#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/base/assert.h"

namespace godwit::sim {
namespace {

thread_local Entropy* g_entropy = nullptr;

}  // namespace

Entropy::Entropy(std::uint64_t seed) : random_(seed) {
  GODWIT_ASSERT(g_entropy == nullptr);
  g_entropy = this;
}

Entropy::~Entropy() {
  g_entropy = nullptr;
}

}  // namespace godwit::sim

// The C library's declarations carry exceptions and attributes that we repeat.
extern "C" {

ssize_t getrandom(void* buffer, std::size_t length, unsigned int flags) {
  if (godwit::sim::g_entropy == nullptr) {
    return ::syscall(SYS_getrandom, buffer, length, flags);
  }
  for (std::size_t i = 0; i < length; i += sizeof(std::uint64_t)) {
    const std::uint64_t word = godwit::sim::g_entropy->random().next();
    std::memcpy(static_cast<char*>(buffer) + i,
                &word,
                length - i < sizeof(word) ? length - i : sizeof(word));
  }
  return static_cast<ssize_t>(length);
}

int clock_gettime(clockid_t clock, struct timespec* out) noexcept {
  if (godwit::sim::g_entropy == nullptr) {
    return static_cast<int>(::syscall(SYS_clock_gettime, clock, out));
  }
  const std::int64_t now = godwit::sim::g_entropy->now().ns();
  out->tv_sec = (clock == CLOCK_REALTIME ? godwit::sim::kToday : 0) + now / 1'000'000'000;
  out->tv_nsec = now % 1'000'000'000;
  return 0;
}

time_t time(time_t* out) noexcept {
  struct timespec now {};
  ::clock_gettime(CLOCK_REALTIME, &now);
  if (out != nullptr) {
    *out = now.tv_sec;
  }
  return now.tv_sec;
}

}  // extern "C"

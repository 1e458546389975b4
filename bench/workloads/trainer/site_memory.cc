#include "bench/workloads/trainer/site_memory.h"

#include <array>
#include <cerrno>
#include <new>
#include <utility>

#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench/workloads/trainer/model.h"
#include "bench/workloads/trainer/stop.h"
#include "dataplane/base/assert.h"
#include "dataplane/base/system_time.h"

namespace godwit::trainer {
namespace {

// How often a waiting process looks whether it should end: chosen, far above a step's own time
// scale.
constexpr Duration kLookAround = Duration::ms(200);

// std::atomic::wait uses process-private futexes; these processes share memory, so the call is
// direct.
void futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected) {
  const timespec timeout = {.tv_sec = 0, .tv_nsec = kLookAround.count_ns()};
  syscall(SYS_futex, &word, FUTEX_WAIT, expected, &timeout, nullptr, 0);
}

void futex_wake_all(std::atomic<std::uint32_t>& word) {
  syscall(SYS_futex, &word, FUTEX_WAKE, INT32_MAX, nullptr, nullptr, 0);
}

}  // namespace

struct SiteMemory::Shared {
  std::atomic<std::uint32_t> step{0};  // number of steps begun; workers wait on it
  std::atomic<std::uint32_t> done{0};  // gradients finished, of all steps; the server waits on it
  std::atomic<std::uint32_t> finished{0};
  std::array<std::atomic<float>, kWorkersMax> loss{};
  alignas(4096) std::array<float, 1> floats{};  // in truth (1 + workers) × kStride

  // Each vector starts on a page of its own.
  static constexpr std::size_t kStride = (kParameters + 1023) / 1024 * 1024;
};

Result<SiteMemory> SiteMemory::create(std::size_t workers) {
  if (workers < 1 || workers > kWorkersMax) {
    return fail(Code::kInvalid, "{} workers; allowed: 1 to {}", workers, kWorkersMax);
  }
  const std::size_t bytes = sizeof(Shared) + (1 + workers) * Shared::kStride * sizeof(float);
  void* memory = mmap(
      nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (memory == MAP_FAILED) {
    return fail(Code::kIo, "mmap of {} bytes: {}", bytes, error_text(errno));
  }
  return SiteMemory(new (memory) Shared, bytes, workers);
}

SiteMemory::SiteMemory(Shared* shared, std::size_t bytes, std::size_t workers)
    : shared_(shared), bytes_(bytes), workers_(workers) {}

SiteMemory::SiteMemory(SiteMemory&& other) noexcept
    : shared_(std::exchange(other.shared_, nullptr)),
      bytes_(other.bytes_),
      workers_(other.workers_) {}

SiteMemory::~SiteMemory() {
  if (shared_ != nullptr) {
    munmap(shared_, bytes_);
  }
}

std::span<float> SiteMemory::parameters() {
  return {shared_->floats.data(), kParameters};
}

std::span<float> SiteMemory::gradient(std::size_t worker) {
  GODWIT_ASSERT(worker < workers_);
  return {shared_->floats.data() + (1 + worker) * Shared::kStride, kParameters};
}

float SiteMemory::mean_loss() const {
  float sum = 0.0F;
  for (std::size_t worker = 0; worker < workers_; ++worker) {
    sum += shared_->loss.at(worker).load(std::memory_order_relaxed);
  }
  return sum / static_cast<float>(workers_);
}

void SiteMemory::begin_step() {
  shared_->step.fetch_add(1, std::memory_order_release);
  futex_wake_all(shared_->step);
}

bool SiteMemory::wait_for_workers(Instant deadline) {
  const std::uint32_t wanted =
      shared_->step.load(std::memory_order_relaxed) * static_cast<std::uint32_t>(workers_);
  for (;;) {
    const std::uint32_t done = shared_->done.load(std::memory_order_acquire);
    if (done == wanted) {
      return true;
    }
    if (system_now() > deadline) {
      return false;
    }
    futex_wait(shared_->done, done);
  }
}

void SiteMemory::finish() {
  shared_->finished.store(1, std::memory_order_release);
  begin_step();
}

bool SiteMemory::wait_for_step(std::uint32_t& seen) {
  while (shared_->step.load(std::memory_order_acquire) == seen) {
    futex_wait(shared_->step, seen);
  }
  ++seen;
  return shared_->finished.load(std::memory_order_acquire) == 0;
}

void SiteMemory::finish_step(std::size_t worker, float loss) {
  shared_->loss.at(worker).store(loss, std::memory_order_relaxed);
  shared_->done.fetch_add(1, std::memory_order_release);
  futex_wake_all(shared_->done);
}

}  // namespace godwit::trainer

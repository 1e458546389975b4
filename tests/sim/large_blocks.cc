// operator new of the simulator's programs under AddressSanitizer: large blocks are kept for the
// next.
//
// Gateways are made and lost by the thousand, each with buffers of a tile and more. The sanitizer's
// allocator takes such blocks from the kernel and gives them back every time, and the kernel clears
// each page: under a hypervisor half of the time of a run. What is behind a block's end, and a
// block that is free, is poisoned here, so that the sanitizer still finds who touches it.
//
// Thread: any.
#if defined(__SANITIZE_ADDRESS__)

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <mutex>

#include <sanitizer/asan_interface.h>
#include <sanitizer/lsan_interface.h>
#include <sys/mman.h>

#include "tests/support/global_new.h"

namespace {

constexpr std::size_t kLargeMin = 128 * 1024;  // the sanitizer keeps smaller ones itself
constexpr std::size_t kUnit = 32 * 1024;
constexpr std::size_t kUnits = 128 * 1024;      // of the arena, 4 GiB of addresses
constexpr std::size_t kUnitsOfBlockMax = 1024;  // 32 MiB

class Arena {
 public:
  // Null: it is for the sanitizer's own allocator.
  void* take(std::size_t bytes) {
    const std::size_t units = (bytes + kUnit) / kUnit;  // at least a byte behind the end
    if (bytes < kLargeMin || units > kUnitsOfBlockMax) {
      return nullptr;
    }
    const std::lock_guard lock(mutex_);
    std::uint32_t& first = free_[units];  // 0: none; else the block's number and one
    std::size_t block = used_;
    if (first != 0) {
      block = first - 1;
      first = next_[block];
    } else if (base() == nullptr || used_ + units > kUnits) {
      return nullptr;
    } else {
      used_ += units;
      __lsan_register_root_region(base_ + block * kUnit, units * kUnit);
    }
    units_[block] = static_cast<std::uint32_t>(units);
    std::byte* place = base_ + block * kUnit;
    ASAN_UNPOISON_MEMORY_REGION(place, bytes);
    ASAN_POISON_MEMORY_REGION(place + bytes, units * kUnit - bytes);
    return place;
  }
  // False: it came from somewhere else.
  bool give_back(void* memory) {
    auto* place = static_cast<std::byte*>(memory);
    const std::lock_guard lock(mutex_);
    if (base_ == nullptr || place < base_ || place >= base_ + kUnits * kUnit) {
      return false;
    }
    if (__asan_address_is_poisoned(place) != 0) {
      std::fprintf(stderr, "a large block is given back twice\n");
      std::abort();
    }
    const auto block = static_cast<std::size_t>(place - base_) / kUnit;
    const std::uint32_t units = units_[block];
    ASAN_POISON_MEMORY_REGION(place, units * kUnit);
    next_[block] = free_[units];
    free_[units] = static_cast<std::uint32_t>(block + 1);
    return true;
  }

 private:
  std::byte* base() {
    if (base_ == nullptr) {
      void* made = ::mmap(nullptr,
                          kUnits * kUnit,
                          PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                          -1,
                          0);
      if (made != MAP_FAILED) {
        base_ = static_cast<std::byte*>(made);
        ::madvise(made, kUnits * kUnit, MADV_HUGEPAGE);
      }
    }
    return base_;
  }

  std::mutex mutex_;
  std::byte* base_ = nullptr;
  std::size_t used_ = 0;                                    // units
  std::array<std::uint32_t, kUnitsOfBlockMax + 1> free_{};  // by size
  std::array<std::uint32_t, kUnits> next_{};
  std::array<std::uint32_t, kUnits> units_{};
};

constinit Arena g_arena;

}  // namespace

namespace godwit::testing_support {

void* allocate_or_null(std::size_t bytes, std::size_t alignment) {
  void* kept = alignment <= kUnit ? g_arena.take(bytes) : nullptr;
  return kept != nullptr ? kept : from_the_heap(bytes, alignment);
}

void release(void* memory) {
  if (!g_arena.give_back(memory)) {
    std::free(memory);
  }
}

}  // namespace godwit::testing_support

#endif

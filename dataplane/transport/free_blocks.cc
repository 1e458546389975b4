#include "dataplane/transport/free_blocks.h"

#include <algorithm>
#include <new>

#if __has_include(<sanitizer/asan_interface.h>)
#include <sanitizer/asan_interface.h>  // nothing in builds without AddressSanitizer
#else
#define ASAN_POISON_MEMORY_REGION(address, bytes) static_cast<void>(0)
#define ASAN_UNPOISON_MEMORY_REGION(address, bytes) static_cast<void>(0)
#endif

#include "dataplane/base/assert.h"

namespace godwit::transport {

FreeBlocks::FreeBlocks(std::span<const std::size_t> sizes, std::size_t idle_max)
    : sizes_(sizes), idle_max_(idle_max) {
  GODWIT_ASSERT(!sizes.empty() && sizes.size() <= kSizesMax && sizes.front() >= sizeof(Idle) &&
                std::ranges::is_sorted(sizes));
}

FreeBlocks::~FreeBlocks() {
  GODWIT_ASSERT(in_use_ == 0, "a block outlives its pool");
  for (std::size_t kind = 0; kind < sizes_.size(); ++kind) {
    while (idle_lists_[kind] != nullptr) {
      ::operator delete(unlink(kind));
    }
  }
}

std::size_t FreeBlocks::kind_of(std::size_t bytes) const {
  return static_cast<std::size_t>(std::ranges::lower_bound(sizes_, bytes) - sizes_.begin());
}

std::byte* FreeBlocks::unlink(std::size_t kind) {
  Idle* block = idle_lists_[kind];
  ASAN_UNPOISON_MEMORY_REGION(block, sizes_[kind]);
  idle_lists_[kind] = block->next;
  idle_ -= sizes_[kind];
  return reinterpret_cast<std::byte*>(block);
}

std::byte* FreeBlocks::take(std::size_t kind) {
  auto* const block = idle_lists_[kind] != nullptr
                          ? unlink(kind)
                          : static_cast<std::byte*>(::operator new(sizes_[kind], std::nothrow));
  in_use_ += block != nullptr ? sizes_[kind] : 0;
  return block;
}

void FreeBlocks::give_back(std::byte* block, std::size_t kind) {
  in_use_ -= sizes_[kind];
  if (idle_ + sizes_[kind] > idle_max_) {
    ::operator delete(block);
    return;
  }
  idle_lists_[kind] = new (block) Idle{.next = idle_lists_[kind]};
  idle_ += sizes_[kind];
  ASAN_POISON_MEMORY_REGION(block, sizes_[kind]);
}

}  // namespace godwit::transport

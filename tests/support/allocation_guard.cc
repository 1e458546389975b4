#include "tests/support/allocation_guard.h"

#include "tests/support/global_new.h"

namespace godwit::testing_support {
namespace {

thread_local std::uint64_t allocations_of_thread = 0;
thread_local std::uint64_t bytes_of_thread = 0;

}  // namespace

void* allocate_or_null(std::size_t bytes, std::size_t alignment) {
  ++allocations_of_thread;
  bytes_of_thread += bytes;
  return from_the_heap(bytes, alignment);
}

void release(void* memory) {
  std::free(memory);
}

AllocationGuard::AllocationGuard()
    : at_start_(allocations_of_thread), bytes_at_start_(bytes_of_thread) {}

std::uint64_t AllocationGuard::allocations() const {
  return allocations_of_thread - at_start_;
}

std::uint64_t AllocationGuard::bytes() const {
  return bytes_of_thread - bytes_at_start_;
}

}  // namespace godwit::testing_support

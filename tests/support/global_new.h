// Replaces the global operator new and delete of a program by two functions, which the one file
// that includes this defines.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <new>

namespace godwit::testing_support {

// Memory of that alignment, or null.
void* allocate_or_null(std::size_t bytes, std::size_t alignment);
// Gives back what allocate_or_null gave; null is nothing.
void release(void* memory);

// As the C library has it: it wants a multiple of the alignment, and may answer nothing for
// nothing.
inline void* from_the_heap(std::size_t bytes, std::size_t alignment) {
  const std::size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  return std::aligned_alloc(alignment, rounded == 0 ? alignment : rounded);
}

inline void* allocate(std::size_t bytes, std::size_t alignment) {
  void* memory = allocate_or_null(bytes, alignment);
  if (memory == nullptr) {
    throw std::bad_alloc();
  }
  return memory;
}

}  // namespace godwit::testing_support

void* operator new(std::size_t bytes) {
  return godwit::testing_support::allocate(bytes, alignof(std::max_align_t));
}
void* operator new[](std::size_t bytes) {
  return godwit::testing_support::allocate(bytes, alignof(std::max_align_t));
}
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  return godwit::testing_support::allocate_or_null(bytes, alignof(std::max_align_t));
}
void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept {
  return godwit::testing_support::allocate_or_null(bytes, alignof(std::max_align_t));
}
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return godwit::testing_support::allocate(bytes, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t bytes, std::align_val_t alignment) {
  return godwit::testing_support::allocate(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept {
  godwit::testing_support::release(memory);
}
void operator delete[](void* memory) noexcept {
  godwit::testing_support::release(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  godwit::testing_support::release(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  godwit::testing_support::release(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  godwit::testing_support::release(memory);
}
void operator delete[](void* memory, std::align_val_t) noexcept {
  godwit::testing_support::release(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  godwit::testing_support::release(memory);
}
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept {
  godwit::testing_support::release(memory);
}

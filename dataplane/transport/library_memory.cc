#include "dataplane/transport/library_memory.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <new>

#include "dataplane/base/assert.h"

namespace godwit::transport {
namespace {

// Two sizes for each power of two, so that a quarter is wasted at most in the mean.
constexpr std::size_t kLibrarySizeLeast = 32;
constexpr std::array<std::size_t, 26> kLibrarySizes = [] {
  std::array<std::size_t, 26> sizes{};
  for (std::size_t index = 0; index < sizes.size(); ++index) {
    const std::size_t power = kLibrarySizeLeast << (index / 2);
    sizes[index] = index % 2 == 0 ? power : power + power / 2;
  }
  return sizes;
}();
static_assert(kLibrarySizes.back() == 192 * 1024);

LibraryMemory& memory_of(void* user) {
  return *static_cast<LibraryMemory*>(user);
}

}  // namespace

LibraryMemory::LibraryMemory()
    : blocks_(kLibrarySizes, kIdleMax),
      functions_{
          .user_data = this,
          .malloc = [](std::size_t bytes, void* user) { return memory_of(user).allocate(bytes); },
          .free = [](void* memory, void* user) { memory_of(user).release(memory); },
          .calloc = [](std::size_t count,
                       std::size_t bytes,
                       void* user) { return memory_of(user).allocate_zeroed(count, bytes); },
          .realloc = [](void* memory,
                        std::size_t bytes,
                        void* user) { return memory_of(user).reallocate(memory, bytes); },
      } {}

LibraryMemory::~LibraryMemory() {
  GODWIT_ASSERT(bytes_in_use() == 0, "a connection outlives its endpoint, or leaks");
}

void* LibraryMemory::allocate(std::size_t bytes) {
  if (bytes > std::numeric_limits<std::size_t>::max() - sizeof(Header)) {
    return nullptr;
  }
  const std::size_t whole = bytes + sizeof(Header);
  const std::size_t kind = blocks_.kind_of(whole);
  const bool is_large = kind == kLibrarySizes.size();
  std::byte* const block =
      is_large ? static_cast<std::byte*>(::operator new(whole, std::nothrow)) : blocks_.take(kind);
  if (block == nullptr) {
    return nullptr;
  }
  large_in_use_ += is_large ? bytes : 0;
  const std::size_t room = is_large ? bytes : blocks_.size_of(kind) - sizeof(Header);
  return new (block) Header{.kind = kind, .room = room} + 1;
}

void* LibraryMemory::allocate_zeroed(std::size_t count, std::size_t bytes) {
  if (bytes != 0 && count > std::numeric_limits<std::size_t>::max() / bytes) {
    return nullptr;
  }
  void* const memory = allocate(count * bytes);
  if (memory != nullptr) {
    std::memset(memory, 0, count * bytes);
  }
  return memory;
}

void* LibraryMemory::reallocate(void* memory, std::size_t bytes) {
  if (memory != nullptr && bytes <= header_of(memory)->room) {
    return memory;
  }
  void* const larger = allocate(bytes);
  if (larger != nullptr && memory != nullptr) {
    std::memcpy(larger, memory, header_of(memory)->room);
    release(memory);
  }
  return larger;
}

void LibraryMemory::release(void* memory) {
  if (memory == nullptr) {
    return;
  }
  Header* const header = header_of(memory);
  if (header->kind < kLibrarySizes.size()) {
    blocks_.give_back(reinterpret_cast<std::byte*>(header), header->kind);
    return;
  }
  large_in_use_ -= header->room;
  ::operator delete(header);
}

}  // namespace godwit::transport

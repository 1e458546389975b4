#include "bench/dataplane/malloc_calls.h"

#include <cerrno>
#include <cstddef>

namespace {

thread_local std::uint64_t malloc_calls_of_thread = 0;

}  // namespace

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define GODWIT_MALLOC_IS_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define GODWIT_MALLOC_IS_SANITIZED
#endif
#endif

#if defined(GODWIT_MALLOC_IS_SANITIZED)

// Then malloc is the sanitizer's, which tells of its calls. GCC has no header of this one.
// NOLINTNEXTLINE(bugprone-reserved-identifier,readability-identifier-naming): the sanitizer's name.
extern "C" int __sanitizer_install_malloc_and_free_hooks(
    void (*on_malloc)(const volatile void* memory, std::size_t bytes),
    void (*on_free)(const volatile void* memory));

namespace {

[[maybe_unused]] const int kInstalled = __sanitizer_install_malloc_and_free_hooks(
    [](const volatile void*, std::size_t) { ++malloc_calls_of_thread; },
    [](const volatile void*) {});

}  // namespace

#else

// The GNU C library's own names for its functions, by which a program may wrap them.
extern "C" {

void* __libc_malloc(std::size_t bytes);
void* __libc_calloc(std::size_t count, std::size_t bytes);
void* __libc_realloc(void* memory, std::size_t bytes);
void* __libc_memalign(std::size_t alignment, std::size_t bytes);

void* malloc(std::size_t bytes) {
  ++malloc_calls_of_thread;
  return __libc_malloc(bytes);
}
void* calloc(std::size_t count, std::size_t bytes) {
  ++malloc_calls_of_thread;
  return __libc_calloc(count, bytes);
}
void* realloc(void* memory, std::size_t bytes) {
  ++malloc_calls_of_thread;
  return __libc_realloc(memory, bytes);
}
void* memalign(std::size_t alignment, std::size_t bytes) {
  ++malloc_calls_of_thread;
  return __libc_memalign(alignment, bytes);
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
  ++malloc_calls_of_thread;
  return __libc_memalign(alignment, bytes);
}
int posix_memalign(void** memory, std::size_t alignment, std::size_t bytes) {
  ++malloc_calls_of_thread;
  *memory = __libc_memalign(alignment, bytes);
  return *memory != nullptr ? 0 : ENOMEM;
}

}  // extern "C"

#endif

namespace godwit::bench {

std::uint64_t malloc_calls() {
  return malloc_calls_of_thread;
}

}  // namespace godwit::bench

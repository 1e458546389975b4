// Asks memory for what comes next: the processor's own prefetching stops at the ends of pages and
// while values in the first cache are worked on.
#pragma once

#include <cstddef>
#include <cstdint>

namespace godwit::codec {

// What is `bytes` beyond `at`; that may lie behind the end, where a prefetch does nothing.
inline void prefetch_beyond(const void* at, std::size_t bytes) {
  const std::uintptr_t beyond = reinterpret_cast<std::uintptr_t>(at) + bytes;
  // NOLINTNEXTLINE(performance-no-int-to-ptr): pointers may not be moved behind the end.
  __builtin_prefetch(reinterpret_cast<const void*>(beyond));
}

}  // namespace godwit::codec

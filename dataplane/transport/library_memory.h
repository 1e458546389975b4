// The memory of the QUIC library's connections: malloc's four functions over kept blocks.
//
//     connection ──malloc, free──▶ LibraryMemory ──▶ FreeBlocks: 32, 48, 64, 96 … bytes to 192 KiB
//       of any session of the endpoint        └────▶ operator new: what is larger
//
//     ┌──────┬─────────────────────┐
//     │ kind │ the library's bytes │    16 bytes in front keep malloc's alignment
//     └──────┴─────────────────────┘
//
// The library keeps lists of its own, and asks for more when more is under way than before, for
// each stream of which something was lost or overtaken, and for new keys. From here it gets the
// same blocks again, and the system's allocator is not asked once a session has been as busy
// before. GnuTLS has no such hook and goes on using malloc.
//
// Thread: the endpoint's. Memory: at most kIdleMax bytes are kept besides what is in use.
#pragma once

#include <cstddef>

#include <ngtcp2/ngtcp2.h>

#include "dataplane/transport/free_blocks.h"

namespace godwit::transport {

class LibraryMemory {
 public:
  // Bytes kept idle. Measured: a session with 200 Mbit/s of transfers of 1 to 72 KiB under way over
  // 40 ms, all of which was lost, made it 8 MiB (transport_allocation_test). Chosen: four times
  // that.
  static constexpr std::size_t kIdleMax = std::size_t{32} << 20;

  LibraryMemory();
  // Everything must have been given back: a connection that leaks ends the process here.
  ~LibraryMemory();
  LibraryMemory(const LibraryMemory&) = delete;
  LibraryMemory& operator=(const LibraryMemory&) = delete;

  // For the library; valid as long as this.
  const ngtcp2_mem* functions() const { return &functions_; }

  // As C's functions; nullptr: the system has no memory, or the size overflows. What was there
  // before stays then.
  void* allocate(std::size_t bytes);
  void* allocate_zeroed(std::size_t count, std::size_t bytes);
  // A block never becomes smaller; 0 bytes keep it.
  void* reallocate(void* memory, std::size_t bytes);
  void release(void* memory);

  std::size_t bytes_in_use() const { return blocks_.bytes_in_use() + large_in_use_; }
  std::size_t bytes_idle() const { return blocks_.bytes_idle(); }

 private:
  struct alignas(std::max_align_t) Header {
    std::size_t kind = 0;  // of FreeBlocks; the number of its kinds when it is none of them
    std::size_t room = 0;  // bytes that follow
  };
  static Header* header_of(void* memory) { return static_cast<Header*>(memory) - 1; }

  FreeBlocks blocks_;
  std::size_t large_in_use_ = 0;
  ngtcp2_mem functions_;
};

}  // namespace godwit::transport

// A block of bytes with one owner, taken from a pool of a few sizes and given back on destruction.
//
// Thread: the pool and its buffers stay on one thread. Memory: a pool keeps at most `idle_max`
// bytes of blocks that nobody uses, and allocates nothing once it has lent as much as it lends; it
// must outlive its buffers. A buffer without a pool (`Buffer::copy_of`) owns plain memory.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/transport/free_blocks.h"

namespace godwit::transport {

class BufferPool;

class Buffer {
 public:
  Buffer() = default;
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer();

  // Plain memory with a copy of `bytes`.
  static Buffer copy_of(std::span<const std::byte> bytes);

  std::span<std::byte> bytes() { return {data_, size_}; }
  std::span<const std::byte> bytes() const { return {data_, size_}; }
  std::byte* data() { return data_; }
  const std::byte* data() const { return data_; }
  std::size_t size() const { return size_; }
  std::size_t capacity() const { return capacity_; }
  bool empty() const { return size_ == 0; }

  // Appends as much as the capacity allows and returns how much that was.
  std::size_t append(std::span<const std::byte> bytes);

 private:
  friend class BufferPool;
  void reset();

  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
  BufferPool* pool_ = nullptr;
};

class BufferPool {
 public:
  // The sizes of blocks, bytes: a control message, a small transfer, the largest transfer with
  // its header. Larger requests are refused by an assertion: they would be our own mistake.
  static constexpr std::array<std::size_t, 4> kSizes = {1024, 4096 + 256, 16384 + 512, 73728};

  // Kept idle by default, bytes: what the largest window of a session (64 MiB) lends at most.
  static constexpr std::size_t kIdleMax = std::size_t{64} << 20;

  explicit BufferPool(std::size_t idle_max = kIdleMax) : blocks_(kSizes, idle_max) {}

  // An empty buffer with at least `capacity` bytes; 1 <= capacity <= kSizes.back().
  Buffer take(std::size_t capacity);
  // A buffer with a copy of `bytes`.
  Buffer take_copy(std::span<const std::byte> bytes);
  // `buffer` with room for `extra` more bytes: itself, or a copy in a larger block.
  Buffer grown(Buffer buffer, std::size_t extra);

  std::size_t bytes_in_use() const { return blocks_.bytes_in_use(); }
  std::size_t bytes_idle() const { return blocks_.bytes_idle(); }

 private:
  friend class Buffer;

  FreeBlocks blocks_;
};

}  // namespace godwit::transport

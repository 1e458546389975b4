// A block of bytes with one owner, taken from a pool of a few sizes and given back on destruction.
//
// Thread: the pool and its buffers stay on one thread. Memory: a pool keeps at most `idle_max`
// bytes of blocks that nobody uses; it must outlive its buffers. A buffer without a pool
// (`Buffer::copy_of`) owns plain memory.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

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

  explicit BufferPool(std::size_t idle_max = std::size_t{8} << 20);
  ~BufferPool();
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  // An empty buffer with at least `capacity` bytes; 1 <= capacity <= kSizes.back().
  Buffer take(std::size_t capacity);
  // A buffer with a copy of `bytes`.
  Buffer take_copy(std::span<const std::byte> bytes);
  // `buffer` with room for `extra` more bytes: itself, or a copy in a larger block.
  Buffer grown(Buffer buffer, std::size_t extra);

  std::size_t bytes_in_use() const { return in_use_; }
  std::size_t bytes_idle() const { return idle_; }

 private:
  friend class Buffer;
  void give_back(std::byte* data, std::size_t capacity);

  std::array<std::vector<std::byte*>, kSizes.size()> free_;
  std::size_t idle_max_;
  std::size_t in_use_ = 0;
  std::size_t idle_ = 0;
};

}  // namespace godwit::transport

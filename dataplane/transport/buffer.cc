#include "dataplane/transport/buffer.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "dataplane/base/assert.h"

namespace godwit::transport {

Buffer::Buffer(Buffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      capacity_(std::exchange(other.capacity_, 0)),
      pool_(std::exchange(other.pool_, nullptr)) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  if (this != &other) {
    reset();
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
    capacity_ = std::exchange(other.capacity_, 0);
    pool_ = std::exchange(other.pool_, nullptr);
  }
  return *this;
}

Buffer::~Buffer() {
  reset();
}

void Buffer::reset() {
  if (data_ == nullptr) {
    return;
  }
  if (pool_ != nullptr) {
    pool_->blocks_.give_back(data_, pool_->blocks_.kind_of(capacity_));
  } else {
    delete[] data_;
  }
  data_ = nullptr;
}

Buffer Buffer::copy_of(std::span<const std::byte> bytes) {
  Buffer buffer;
  buffer.data_ = new std::byte[std::max<std::size_t>(bytes.size(), 1)];
  buffer.capacity_ = bytes.size();
  buffer.append(bytes);
  return buffer;
}

std::size_t Buffer::append(std::span<const std::byte> bytes) {
  const std::size_t count = std::min(bytes.size(), capacity_ - size_);
  if (count > 0) {
    std::memcpy(data_ + size_, bytes.data(), count);
    size_ += count;
  }
  return count;
}

Buffer BufferPool::take(std::size_t capacity) {
  const std::size_t kind = blocks_.kind_of(capacity);
  GODWIT_ASSERT(kind < kSizes.size(), "larger than the largest block");
  Buffer buffer;
  buffer.pool_ = this;
  buffer.capacity_ = kSizes[kind];
  buffer.data_ = blocks_.take(kind);
  GODWIT_ASSERT(buffer.data_ != nullptr, "out of memory");
  return buffer;
}

Buffer BufferPool::take_copy(std::span<const std::byte> bytes) {
  Buffer buffer = take(std::max<std::size_t>(bytes.size(), 1));
  buffer.append(bytes);
  return buffer;
}

Buffer BufferPool::grown(Buffer buffer, std::size_t extra) {
  if (buffer.capacity() - buffer.size() >= extra) {
    return buffer;
  }
  Buffer larger = take(buffer.size() + extra);
  larger.append(std::as_const(buffer).bytes());
  return larger;
}

}  // namespace godwit::transport

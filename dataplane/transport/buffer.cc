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
    pool_->give_back(data_, capacity_);
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

BufferPool::BufferPool(std::size_t idle_max) : idle_max_(idle_max) {}

BufferPool::~BufferPool() {
  GODWIT_ASSERT(in_use_ == 0, "a buffer outlives its pool");
  for (const auto& blocks : free_) {
    for (const std::byte* block : blocks) {
      delete[] block;
    }
  }
}

Buffer BufferPool::take(std::size_t capacity) {
  const auto* const size = std::lower_bound(kSizes.begin(), kSizes.end(), capacity);
  GODWIT_ASSERT(size != kSizes.end(), "larger than the largest block");
  auto& blocks = free_[static_cast<std::size_t>(size - kSizes.begin())];
  Buffer buffer;
  buffer.pool_ = this;
  buffer.capacity_ = *size;
  if (blocks.empty()) {
    buffer.data_ = new std::byte[*size];
  } else {
    buffer.data_ = blocks.back();
    blocks.pop_back();
    idle_ -= *size;
  }
  in_use_ += *size;
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

void BufferPool::give_back(std::byte* data, std::size_t capacity) {
  in_use_ -= capacity;
  if (idle_ + capacity > idle_max_) {
    delete[] data;
    return;
  }
  const auto* const size = std::lower_bound(kSizes.begin(), kSizes.end(), capacity);
  free_[static_cast<std::size_t>(size - kSizes.begin())].push_back(data);
  idle_ += capacity;
}

}  // namespace godwit::transport

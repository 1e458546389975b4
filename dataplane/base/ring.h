// A queue in one block of memory: it doubles when it is full and never shrinks.
//
//     first_        first_ + size_
//       ▼               ▼
//     [ ][a][b][c][d][ ][ ][ ]     indices wrap round; the capacity is a power of two
//
// A std::deque takes and frees a block of memory every few elements for ever; here the memory is
// that of the longest queue so far, and nothing is allocated once it was that long. Elements that
// left are replaced by a default one, so that what they owned is free at once.
//
// Thread: one. Memory: the owner bounds the length. References are valid until the next push.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <utility>
#include <vector>

#include "dataplane/base/assert.h"

namespace godwit {

template <typename T>
class Ring {
 public:
  Ring() = default;
  // Room for at least `capacity` elements before it grows.
  explicit Ring(std::size_t capacity) : slots_(std::bit_ceil(capacity)) {}

  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  std::size_t capacity() const { return slots_.size(); }

  T& operator[](std::size_t index) { return slots_[place(index)]; }
  const T& operator[](std::size_t index) const { return slots_[place(index)]; }
  T& front() { return (*this)[0]; }
  const T& front() const { return (*this)[0]; }
  T& back() { return (*this)[size_ - 1]; }
  const T& back() const { return (*this)[size_ - 1]; }

  T& push_back(T value) {
    make_room();
    ++size_;
    return back() = std::move(value);
  }
  T& push_front(T value) {
    make_room();
    first_ = (first_ + slots_.size() - 1) & (slots_.size() - 1);
    ++size_;
    return front() = std::move(value);
  }
  // The ring must not be empty.
  T pop_front() {
    T value = std::exchange(front(), T());
    first_ = (first_ + 1) & (slots_.size() - 1);
    --size_;
    return value;
  }
  void clear() {
    while (!empty()) {
      pop_front();
    }
  }

 private:
  static constexpr std::size_t kLeast = 8;  // chosen

  std::size_t place(std::size_t index) const {
    GODWIT_ASSERT(index < size_, "a place behind the end of a ring");
    return (first_ + index) & (slots_.size() - 1);
  }
  void make_room() {
    if (size_ < slots_.size()) {
      return;
    }
    std::vector<T> larger(std::max(kLeast, slots_.size() * 2));
    for (std::size_t index = 0; index < size_; ++index) {
      larger[index] = std::move((*this)[index]);
    }
    slots_ = std::move(larger);
    first_ = 0;
  }

  std::vector<T> slots_;
  std::size_t first_ = 0;
  std::size_t size_ = 0;
};

}  // namespace godwit

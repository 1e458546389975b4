// Built frames on their way to the device: what it does not take at once waits here, in order.
//
// Thread: the device's. Memory: fixed; a frame is the device's buffer all the way.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <span>

#include "dataplane/base/assert.h"
#include "dataplane/port/ip/device.h"

namespace godwit::port::ip {

class Outbox {
 public:
  static constexpr std::size_t kFrames = 64;  // chosen: two bursts of a network card's driver

  explicit Outbox(Device& device) : device_(device) {}
  Outbox(const Outbox&) = delete;
  Outbox& operator=(const Outbox&) = delete;
  ~Outbox() { device_.release(waiting()); }

  std::size_t room() const { return kFrames - count_; }
  bool is_empty() const { return count_ == 0; }

  // A buffer for one frame; none when the device's pool is short or the outbox is full.
  std::optional<Frame> reserve() {
    Frame frame;
    return room() > 0 && device_.reserve({&frame, 1}) == 1 ? std::optional(frame) : std::nullopt;
  }
  // All of `out` or nothing.
  bool reserve(std::span<Frame> out) {
    const std::size_t got = device_.reserve(out);
    if (got < out.size()) {
      device_.release(out.first(got));
    }
    return got == out.size();
  }

  // Gives a reserved frame up.
  void give_back(const Frame& frame) { device_.release({&frame, 1}); }

  // There must be room. The frame may still be filled where it waits now, until the next `flush`.
  Frame& push(const Frame& frame) {
    GODWIT_ASSERT(count_ < kFrames, "a frame was built without room for it");
    return frames_[count_++] = frame;
  }

  // True when nothing waits any more.
  bool flush(Instant now) {
    if (count_ > 0) {
      const std::size_t taken = device_.transmit(now, waiting());
      std::copy(frames_.begin() + static_cast<std::ptrdiff_t>(taken),
                frames_.begin() + static_cast<std::ptrdiff_t>(count_),
                frames_.begin());
      count_ -= taken;
    }
    return count_ == 0;
  }

 private:
  std::span<const Frame> waiting() const { return {frames_.data(), count_}; }

  Device& device_;
  std::array<Frame, kFrames> frames_{};
  std::size_t count_ = 0;
};

}  // namespace godwit::port::ip

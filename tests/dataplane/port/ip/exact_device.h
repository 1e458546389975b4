// A device for tests: takes frames from a list, keeps what is sent, lends buffers of exactly the
// frame's size so that the address sanitizer sees one byte too far.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "dataplane/base/assert.h"
#include "dataplane/port/ip/device.h"

namespace godwit::port {

class ExactDevice final : public Device {
 public:
  // What outlives the device, for the test to look at.
  struct Lab {
    std::deque<std::vector<std::uint8_t>> incoming;
    std::vector<std::vector<std::uint8_t>> sent;
    Checksums checksums = Checksums::kUnknown;
    bool is_up = true;
    bool is_overheard = false;             // every frame that is received
    std::size_t transmit_max = 1'000'000;  // frames that the device still takes
    std::size_t reserve_max = 1'000'000;   // buffers lent at once
    std::size_t lent = 0;
  };

  ExactDevice(Lab& lab, const DeviceCapabilities& capabilities)
      : lab_(lab), capabilities_(capabilities) {}
  ExactDevice(const ExactDevice&) = delete;
  ExactDevice& operator=(const ExactDevice&) = delete;
  ~ExactDevice() override { GODWIT_ASSERT(buffers_.empty(), "frames were not given back"); }

  DeviceCapabilities capabilities() const override { return capabilities_; }
  bool link_up() const override { return lab_.is_up; }

  std::size_t receive(Instant, std::span<Frame> out) override {
    std::size_t got = 0;
    while (got < out.size() && !lab_.incoming.empty()) {
      const auto& octets = lab_.incoming.front();
      out[got] = lend(octets.size());
      std::ranges::copy(std::as_bytes(std::span(octets)), out[got].bytes.begin());
      out[got].received = lab_.checksums;
      out[got].is_overheard = lab_.is_overheard;
      lab_.incoming.pop_front();
      ++got;
    }
    return got;
  }

  void release(std::span<const Frame> frames) override {
    for (const Frame& frame : frames) {
      const auto erased = buffers_.erase(frame.handle);
      GODWIT_ASSERT(erased == 1, "a frame was released that was not lent");
    }
    lab_.lent = buffers_.size();
  }

  std::size_t reserve(std::span<Frame> out) override {
    std::size_t got = 0;
    while (got < out.size() && buffers_.size() < lab_.reserve_max) {
      out[got++] = lend(capabilities_.frame_bytes_max);
    }
    return got;
  }

  std::size_t transmit(Instant, std::span<const Frame> frames) override {
    std::size_t taken = 0;
    while (taken < frames.size() && lab_.transmit_max > 0) {
      const Frame& frame = frames[taken];
      const auto* octets = reinterpret_cast<const std::uint8_t*>(frame.bytes.data());
      lab_.sent.emplace_back(octets, octets + frame.bytes.size());
      --lab_.transmit_max;
      ++taken;
    }
    release(frames.first(taken));
    return taken;
  }

  void wait(Duration) override {}
  void wake() override {}
  void watch(int) override {}
  void unwatch(int) override {}
  DeviceCounters counters() const override { return {}; }

 private:
  Frame lend(std::size_t bytes) {
    std::vector<std::byte> buffer(bytes);
    Frame frame{.bytes = buffer, .handle = new_handle()};
    buffers_.emplace(frame.handle, std::move(buffer));
    lab_.lent = buffers_.size();
    return frame;
  }
  void* new_handle() { return reinterpret_cast<void*>(++last_handle_); }

  Lab& lab_;
  DeviceCapabilities capabilities_;
  std::map<void*, std::vector<std::byte>> buffers_;
  std::uintptr_t last_handle_ = 0;
};

}  // namespace godwit::port

// A frame device over a TAP interface of the present network namespace: the kernel's stack is at
// the other end of the cable.
#pragma once

#include <cstring>
#include <string>
#include <vector>

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "dataplane/base/assert.h"
#include "dataplane/port/ip/device.h"

namespace godwit::port {

class TapDevice final : public Device {
 public:
  // Makes the interface `name`; it goes with the device.
  TapDevice(const std::string& name, const Mac& mac) : mac_(mac), buffers_(kBuffers) {
    descriptor_ = ::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    GODWIT_ASSERT(descriptor_ >= 0, "/dev/net/tun cannot be opened");
    ifreq request{};
    request.ifr_flags = IFF_TAP | IFF_NO_PI;
    name.copy(request.ifr_name, IFNAMSIZ - 1);
    const int status = ::ioctl(descriptor_, TUNSETIFF, &request);
    GODWIT_ASSERT(status == 0, "no TAP interface; is this a namespace of one's own?");
    for (auto& buffer : buffers_) {
      buffer.resize(kFrameBytesMax);
      idle_.push_back(&buffer);
    }
  }
  TapDevice(const TapDevice&) = delete;
  TapDevice& operator=(const TapDevice&) = delete;
  ~TapDevice() override {
    GODWIT_ASSERT(idle_.size() == kBuffers, "frames were not given back");
    ::close(descriptor_);
  }

  DeviceCapabilities capabilities() const override {
    return {.mac = mac_, .frame_bytes_max = kFrameBytesMax, .name = "tap"};
  }
  bool link_up() const override { return true; }

  std::size_t receive(Instant, std::span<Frame> out) override {
    std::size_t got = 0;
    while (got < out.size() && reserve(out.subspan(got, 1)) == 1) {
      const ssize_t bytes = ::read(descriptor_, out[got].bytes.data(), out[got].bytes.size());
      if (bytes <= 0) {
        release(out.subspan(got, 1));
        break;
      }
      out[got].bytes = out[got].bytes.first(static_cast<std::size_t>(bytes));
      ++got;
    }
    return got;
  }

  void release(std::span<const Frame> frames) override {
    for (const Frame& frame : frames) {
      idle_.push_back(static_cast<std::vector<std::byte>*>(frame.handle));
    }
  }

  std::size_t reserve(std::span<Frame> out) override {
    std::size_t got = 0;
    while (got < out.size() && !idle_.empty()) {
      out[got++] = {.bytes = *idle_.back(), .handle = idle_.back()};
      idle_.pop_back();
    }
    return got;
  }

  std::size_t transmit(Instant, std::span<const Frame> frames) override {
    for (const Frame& frame : frames) {
      const ssize_t written = ::write(descriptor_, frame.bytes.data(), frame.bytes.size());
      counters_.transmit_errors += written < 0 ? 1 : 0;
    }
    release(frames);
    return frames.size();
  }

  void wait(Duration at_most) override {
    pollfd waiting{.fd = descriptor_, .events = POLLIN, .revents = 0};
    ::poll(&waiting, 1, static_cast<int>(std::max<std::int64_t>(at_most.count_ms(), 0)));
  }
  void wake() override {}
  void watch(int) override {}
  void unwatch(int) override {}
  DeviceCounters counters() const override { return counters_; }

 private:
  static constexpr std::size_t kBuffers = 256;
  static constexpr std::size_t kFrameBytesMax = 1518;

  Mac mac_;
  int descriptor_ = -1;
  std::vector<std::vector<std::byte>> buffers_;
  std::vector<std::vector<std::byte>*> idle_;
  DeviceCounters counters_;
};

}  // namespace godwit::port

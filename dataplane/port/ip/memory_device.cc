#include "dataplane/port/ip/memory_device.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "dataplane/base/assert.h"
#include "dataplane/port/ip/checksum.h"
#include "dataplane/port/ip/wire.h"

namespace godwit::port {
namespace {

// What a network card does for a frame that has headers' lengths in it.
void fill_checksums(const Frame& frame) {
  const auto packet = frame.bytes.subspan(frame.ethernet_bytes);
  const auto header = packet.first(frame.ip_bytes);
  const auto segment = packet.subspan(frame.ip_bytes);
  if (header.size() == sizeof(ip::Ipv4)) {
    auto v4 = ip::load<ip::Ipv4>(header);
    v4.checksum = {};
    ip::store(header, v4);
    v4.checksum = ip::checksum_of(ip::sum_of(header));
    ip::store(header, v4);
  }
  auto udp = ip::load<ip::Udp>(segment);
  udp.checksum = ip::udp_checksum_of(ip::sum_of(segment));  // with the pseudo header's in its field
  ip::store(segment, udp);
}

}  // namespace

struct MemoryWire::Buffer {
  End* owner = nullptr;
  std::vector<std::byte> room;
};

struct MemoryWire::End {
  struct Arrival {
    Instant at;
    Frame frame;
  };

  std::vector<Buffer> buffers;
  std::vector<Buffer*> idle;      // as a stack
  std::vector<Arrival> arrivals;  // a ring: every buffer of the other end fits
  std::size_t first = 0;
  std::size_t count = 0;
  bool is_open = false;
};

class MemoryDevice final : public Device {
 public:
  MemoryDevice(MemoryWire& wire, std::size_t end)
      : wire_(wire), end_(end), own_(*wire.ends_[end]), other_(*wire.ends_[1 - end]) {}
  MemoryDevice(const MemoryDevice&) = delete;
  MemoryDevice& operator=(const MemoryDevice&) = delete;
  ~MemoryDevice() override { own_.is_open = false; }

  DeviceCapabilities capabilities() const override {
    return {.mac = wire_.options_.macs[end_],
            .frame_bytes_max = wire_.options_.frame_bytes_max,
            .fills_checksums = wire_.options_.fills_checksums,
            .name = "memory"};
  }
  bool link_up() const override { return wire_.is_up_; }

  std::size_t receive(Instant now, std::span<Frame> out) override {
    std::size_t got = 0;
    while (got < out.size() && own_.count > 0 && own_.arrivals[own_.first].at <= now) {
      out[got] = own_.arrivals[own_.first].frame;
      counters_.bytes_received += out[got].bytes.size();
      own_.first = (own_.first + 1) % own_.arrivals.size();
      --own_.count;
      ++got;
    }
    counters_.frames_received += got;
    return got;
  }

  void release(std::span<const Frame> frames) override {
    for (const Frame& frame : frames) {
      auto* buffer = static_cast<MemoryWire::Buffer*>(frame.handle);
      GODWIT_ASSERT(buffer->owner->idle.size() < buffer->owner->buffers.size(), "released twice");
      buffer->owner->idle.push_back(buffer);
    }
  }

  std::size_t reserve(std::span<Frame> out) override {
    const std::size_t got = std::min(out.size(), own_.idle.size());
    for (Frame& frame : out.first(got)) {
      MemoryWire::Buffer* buffer = own_.idle.back();
      own_.idle.pop_back();
      frame = {.bytes = buffer->room, .handle = buffer};
    }
    return got;
  }

  std::size_t transmit(Instant now, std::span<const Frame> frames) override {
    for (const Frame& frame : frames) {
      ++counters_.frames_sent;
      counters_.bytes_sent += frame.bytes.size();
      if (!wire_.is_up_) {
        ++counters_.transmit_errors;
        release({&frame, 1});
      } else if (wire_.random_.chance(wire_.loss_)) {
        release({&frame, 1});
      } else {
        arrive(now + wire_.options_.delay, frame);
      }
    }
    return frames.size();
  }

  void wait(Duration) override {}
  void wake() override {}
  void watch(int) override {}
  void unwatch(int) override {}
  DeviceCounters counters() const override { return counters_; }

 private:
  void arrive(Instant at, Frame frame) {
    if (frame.ip_bytes > 0) {
      fill_checksums(frame);
    }
    frame.ethernet_bytes = 0;
    frame.ip_bytes = 0;
    GODWIT_ASSERT(other_.count < other_.arrivals.size(), "a frame that was never reserved");
    other_.arrivals[(other_.first + other_.count) % other_.arrivals.size()] = {at, frame};
    ++other_.count;
  }

  MemoryWire& wire_;
  std::size_t end_;
  MemoryWire::End& own_;
  MemoryWire::End& other_;
  DeviceCounters counters_;
};

MemoryWire::MemoryWire(const MemoryWireOptions& options, Random& random)
    : options_(options), random_(random) {
  for (auto& end : ends_) {
    end = std::make_unique<End>();
    end->buffers.resize(options.frames);
    end->arrivals.resize(2 * options.frames);
    for (Buffer& buffer : end->buffers) {
      buffer = {.owner = end.get(), .room = std::vector<std::byte>(options.frame_bytes_max)};
      end->idle.push_back(&buffer);
    }
  }
}

MemoryWire::~MemoryWire() {
  for (const auto& end : ends_) {
    GODWIT_ASSERT(!end->is_open, "a device outlives its wire");
  }
}

std::unique_ptr<Device> MemoryWire::open(std::size_t end) {
  GODWIT_ASSERT(end < ends_.size() && !ends_[end]->is_open, "an end is opened once");
  ends_[end]->is_open = true;
  return std::make_unique<MemoryDevice>(*this, end);
}

Instant MemoryWire::next_event() const {
  Instant next = Instant::never();
  for (const auto& end : ends_) {
    if (end->count > 0) {
      next = std::min(next, end->arrivals[end->first].at);
    }
  }
  return next;
}

}  // namespace godwit::port

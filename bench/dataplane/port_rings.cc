#include "bench/dataplane/port_rings.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "dataplane/base/system_time.h"
#include "dataplane/port/dpdk/dpdk_device.h"
#include "dataplane/port/ip/ip_port.h"

namespace godwit::bench {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kBursts = 100;
constexpr std::size_t kTrains = 4;
constexpr std::size_t kSegments = 16;
constexpr std::size_t kPackets = kTrains * kSegments;
// With the one that is measured as many packets as a card's queue has descriptors, in buffers that
// the processor's inner caches cannot hold together.
constexpr std::size_t kBurstsUnderWay = 15;
// As far apart as DPDK's buffers are; so many for the copies that memcpy makes.
constexpr std::size_t kSlotBytes = 2'368;
constexpr std::size_t kSlots = (kBurstsUnderWay + 1) * kPackets;
constexpr std::size_t kPayloadBytes = 1'472;
constexpr std::size_t kPacketBytes = 1'500;
constexpr std::uint16_t kRingsUdpPort = 4'433;

// One end of two rings: what it sends goes into one, what it receives comes from the other.
class RingEnd final : public port::Device {
 public:
  RingEnd(port::Device& out, port::Device& in, const port::Mac& mac)
      : out_(out), in_(in), mac_(mac) {}

  port::DeviceCapabilities capabilities() const override {
    port::DeviceCapabilities capabilities = out_.capabilities();
    capabilities.mac = mac_;
    return capabilities;
  }
  bool link_up() const override { return true; }
  std::size_t receive(Instant now, std::span<port::Frame> out) override {
    return in_.receive(now, out);
  }
  void release(std::span<const port::Frame> frames) override { in_.release(frames); }
  std::size_t reserve(std::span<port::Frame> out) override { return out_.reserve(out); }
  std::size_t transmit(Instant now, std::span<const port::Frame> frames) override {
    return out_.transmit(now, frames);
  }
  void wait(Duration at_most) override { in_.wait(at_most); }
  void wake() override { in_.wake(); }
  void watch(int descriptor) override { in_.watch(descriptor); }
  void unwatch(int descriptor) override { in_.unwatch(descriptor); }
  port::DeviceCounters counters() const override { return in_.counters(); }

 private:
  port::Device& out_;
  port::Device& in_;
  port::Mac mac_;
};

// A ring device receives what it sent itself.
Result<std::unique_ptr<port::Device>> open_ring(const char* device) {
  return port::make_dpdk_device({.device = device});
}

std::unique_ptr<port::IpPort> open_end(port::Device& out, port::Device& in, std::uint8_t host) {
  const port::Mac mac{0x02, 0, 0, 0, 0, host};
  const port::ip::Subnet own{.address = port::ip::Address::of(port::Peer::v4({10, 9, 0, host}, 0)),
                             .prefix_bits = 24};
  return port::IpPort::make(std::make_unique<RingEnd>(out, in, mac),
                            {.v4 = own, .udp_port = kRingsUdpPort})
      .value();
}

class Pair {
 public:
  Pair(port::Device& forth, port::Device& back)
      : from_(open_end(forth, back, 1)), to_(open_end(back, forth, 2)) {
    for (std::size_t index = 0; index < kTrains; ++index) {
      trains_[index] = {.peer = to_->local(),
                        .segment_bytes = kPayloadBytes,
                        .bytes = std::span(bytes_).subspan(index * kTrainBytes, kTrainBytes)};
    }
  }

  // Sends a burst and receives the one that has been under way for longest; packets that arrived.
  std::size_t carry(Instant now) {
    from_->transmit(now, trains_);
    return receive(*to_, now);
  }

  // True once the neighbour is known and as many bursts as wanted are under way.
  bool get_started() {
    for (int attempt = 0; attempt < 10; ++attempt) {
      const Instant now = system_now();
      if (carry(now) == kPackets) {
        for (std::size_t burst = 0; burst < kBurstsUnderWay; ++burst) {
          from_->transmit(now, trains_);
        }
        return true;
      }
      receive(*from_, now);  // the answer, whereupon the datagrams leave that were held for it
      receive(*to_, now);
    }
    return false;
  }

 private:
  static constexpr std::size_t kTrainBytes = kSegments * kPayloadBytes;

  std::size_t receive(port::Port& port, Instant now) {
    const std::size_t count = port.receive(now, out_);
    port.release(std::span(out_).first(count));
    return count;
  }

  std::unique_ptr<port::IpPort> from_;
  std::unique_ptr<port::IpPort> to_;
  std::vector<std::byte> bytes_ = std::vector<std::byte>(kTrains * kTrainBytes, std::byte{7});
  std::array<port::Train, kTrains> trains_{};
  std::array<port::Train, kPackets> out_{};
};

// A burst's packets, each copied to the next place of a ring of such.
class Copies {
 public:
  void copy() {
    for (std::size_t packet = 0; packet < kPackets; ++packet) {
      std::memcpy(&slots_[next_ * kSlotBytes], &packets_[packet * bytes_], bytes_);
      next_ = (next_ + 1) % kSlots;
    }
    packets_[next_] = slots_[next_ * kSlotBytes];  // what is copied is used
  }

 private:
  std::size_t bytes_ = kPacketBytes;  // unknown to the compiler, so that it calls the library
  std::vector<std::byte> packets_ = std::vector<std::byte>(kPackets * kPacketBytes, std::byte{1});
  std::vector<std::byte> slots_ = std::vector<std::byte>(kSlots * kSlotBytes);
  std::size_t next_ = 0;
};

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

Result<Json> measure_rings(int rounds) {
  const auto forth = open_ring("net_ring0");
  const auto back = open_ring("net_ring1");
  if (!forth || !back) {
    return tl::unexpected(!forth ? forth.error() : back.error());
  }
  Pair pair(**forth, **back);
  if (!pair.get_started()) {
    return fail(Code::kIo, "the two endpoints do not find each other");
  }
  Copies copies;
  const auto per_packet = [](Instant begin, Instant end) {
    return static_cast<double>((end - begin).count_ns()) / kPackets;
  };
  Json lines = Json::array();
  for (int round = 0; round < rounds; ++round) {
    std::vector<double> carried;
    std::vector<double> copied;
    for (std::size_t burst = 0; burst < kBursts; ++burst) {
      const Instant begin = system_now();
      if (pair.carry(begin) != kPackets) {
        return fail(Code::kIo, "a ring lost packets");
      }
      const Instant middle = system_now();
      copies.copy();
      const Instant end = system_now();
      carried.push_back(per_packet(begin, middle));
      copied.push_back(per_packet(middle, end));
    }
    lines.push_back({{"ns", median(carried)}, {"memcpy_ns", median(copied)}});
  }
  return lines;
}

}  // namespace godwit::bench

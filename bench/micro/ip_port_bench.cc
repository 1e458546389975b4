// What the user-space UDP/IP endpoint costs per packet of 1,500 bytes, beside memcpy of the same
// bytes in the same run.
//
// Two endpoints joined in memory: trains of 16 datagrams are encapsulated by one (headers, copy,
// checksum in software, neighbour, queue) and decapsulated by the other (headers, checksum,
// release). No encryption, no device. Subject and reference alternate, 64 packets each; `ns` is the
// median per packet, `ratio` the median over pairs of ns / memcpy_ns, p25 and p75 its quartiles.
// source:0 sends the same 94 KB again and again, as data fresh from the cipher; source:1 walks
// through 128 MiB.
#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstring>
#include <functional>
#include <vector>

#include <benchmark/benchmark.h>

#include "dataplane/base/assert.h"
#include "dataplane/port/ip/ip_port.h"
#include "dataplane/port/ip/memory_device.h"

namespace godwit::port {
namespace {

constexpr std::size_t kTrains = 4;
constexpr std::size_t kSegments = 16;
constexpr std::size_t kPackets = kTrains * kSegments;
constexpr std::size_t kPacketBytes = 1'500;

double nanoseconds(const std::function<void()>& action) {
  const auto start = std::chrono::steady_clock::now();
  action();
  return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count();
}

class Pair {
 public:
  Pair(bool is_v6, bool fills_checksums)
      : wire_({.fills_checksums = fills_checksums}, random_), is_v6_(is_v6) {
    for (std::size_t end = 0; end < 2; ++end) {
      const char* v4 = end == 0 ? "10.9.0.1/24" : "10.9.0.2/24";
      const char* v6 = end == 0 ? "fd09::1/64" : "fd09::2/64";
      ports_[end] = IpPort::make(wire_.open(end),
                                 {.v4 = ip::Subnet::parse(v4).value(),
                                  .v6 = ip::Subnet::parse(v6).value(),
                                  .udp_port = 4433})
                        .value();
    }
  }

  std::size_t payload_bytes() const { return kPacketBytes - (is_v6_ ? 48 : 28); }

  // Returns the packets that arrived.
  std::size_t carry(std::span<std::byte> bytes) {
    const std::size_t train_bytes = kSegments * payload_bytes();
    std::array<Train, kTrains> trains;
    for (std::size_t index = 0; index < kTrains; ++index) {
      trains[index] = {.peer = to_,
                       .segment_bytes = static_cast<std::uint16_t>(payload_bytes()),
                       .bytes = bytes.subspan(index * train_bytes, train_bytes)};
    }
    ports_[0]->transmit(now_, trains);
    std::size_t arrived = 0;
    while (const std::size_t count = ports_[1]->receive(now_, out_)) {
      arrived += count;
      ports_[1]->release(std::span(out_).first(count));
    }
    ports_[0]->receive(now_, out_);
    return arrived;
  }

 private:
  Random random_{1};
  MemoryWire wire_;
  bool is_v6_;
  std::array<std::unique_ptr<IpPort>, 2> ports_;
  std::array<Train, kPackets> out_{};
  Instant now_ = Instant::from_ns(1'000'000'000);
  Peer to_ = Peer::parse(is_v6_ ? "[fd09::2]:4433" : "10.9.0.2:4433").value();
};

double quantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  const double place = q * static_cast<double>(values.size() - 1);
  return values[static_cast<std::size_t>(std::lround(place))];
}

void BM_IpPortCarry(benchmark::State& state) {
  const bool is_from_memory = state.range(1) == 1;
  Pair pair(state.range(0) == 6, false);
  const std::size_t burst_bytes = kPackets * pair.payload_bytes();
  const std::size_t bursts = is_from_memory ? (128U << 20U) / burst_bytes : 1;
  std::vector<std::byte> source(bursts * burst_bytes, std::byte{1});
  std::vector<std::byte> target(burst_bytes, std::byte{2});
  pair.carry(source);  // resolves the neighbour
  pair.carry(source);
  std::vector<double> times;
  std::vector<double> copies;
  std::vector<double> ratios;
  std::size_t index = 0;
  for ([[maybe_unused]] auto _ : state) {
    const auto one = std::span(source).subspan(index++ % bursts * burst_bytes, burst_bytes);
    const auto other = std::span(source).subspan(index++ % bursts * burst_bytes, burst_bytes);
    std::size_t arrived = 0;
    const double time = nanoseconds([&] { arrived = pair.carry(one); });
    GODWIT_ASSERT(arrived == kPackets, "the endpoint lost packets");
    const double copy = nanoseconds([&] {
      std::memcpy(target.data(), other.data(), other.size());
      benchmark::ClobberMemory();
    });
    state.SetIterationTime(time * 1e-9);
    times.push_back(time / kPackets);
    copies.push_back(copy / kPackets);
    ratios.push_back(time / copy);
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(kPackets * kPacketBytes));
  state.counters["ns"] = quantile(times, 0.5);
  state.counters["memcpy_ns"] = quantile(copies, 0.5);
  state.counters["ratio"] = quantile(ratios, 0.5);
  state.counters["p25"] = quantile(ratios, 0.25);
  state.counters["p75"] = quantile(ratios, 0.75);
}
BENCHMARK(BM_IpPortCarry)
    ->ArgNames({"family", "source"})
    ->ArgsProduct({{4, 6}, {0, 1}})
    ->UseManualTime();

}  // namespace
}  // namespace godwit::port

BENCHMARK_MAIN();

// What a packet of 1,500 bytes costs a user-space endpoint at least: one pass over its payload on
// the way out, which copies and sums, and one on the way in, which sums; beside memcpy.
//
// frames:64 are a burst that the processor's inner caches hold; frames:1024 lie in the outer one,
// as behind a card whose queue has as many descriptors: what arrives now was touched 1,024 packets
// ago, and what is sent goes into the frames that were given back last. Nanoseconds per packet,
// medians over bursts of 64: `in`, `out`, and `memcpy` into as many other frames.
#include <algorithm>
#include <chrono>
#include <cstring>
#include <span>
#include <vector>

#include <benchmark/benchmark.h>

#include "dataplane/port/ip/checksum.h"

namespace godwit::port::ip {
namespace {

constexpr std::size_t kBurst = 64;
constexpr std::size_t kPayloadBytes = 1'472;
constexpr std::size_t kHeadersBytes = 42;
constexpr std::size_t kFrameBytes = 2'432;   // as far apart as DPDK's buffers are
constexpr std::size_t kHeadroomBytes = 256;  // before a frame, DPDK's own header included

class FrameRing {
 public:
  explicit FrameRing(std::size_t count) : count_(count), room_(count * kFrameBytes + 64) {}

  std::byte* payload(std::size_t number) {
    return first() + number % count_ * kFrameBytes + kHeadroomBytes + kHeadersBytes;
  }

 private:
  std::byte* first() {  // on a line of the cache
    return room_.data() + (-reinterpret_cast<std::uintptr_t>(room_.data()) % 64);
  }

  std::size_t count_;
  std::vector<std::byte> room_;
};

template <class Action>
double ns_per_packet(const Action& action) {
  const auto start = std::chrono::steady_clock::now();
  for (std::size_t index = 0; index < kBurst; ++index) {
    action(index);
  }
  const std::chrono::duration<double, std::nano> time = std::chrono::steady_clock::now() - start;
  return time.count() / kBurst;
}

double median(std::vector<double>& values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

void BM_ChecksumPasses(benchmark::State& state) {
  const auto count = static_cast<std::size_t>(state.range(0));
  FrameRing frames(count);
  FrameRing others(count);
  const std::vector<std::byte> source(kBurst * kPayloadBytes, std::byte{3});
  const auto payload = [&](std::size_t index) {
    return std::span(source).subspan(index * kPayloadBytes, kPayloadBytes);
  };
  std::vector<double> in;
  std::vector<double> out;
  std::vector<double> copy;
  std::size_t number = 0;  // of the oldest frame
  for ([[maybe_unused]] auto _ : state) {
    Sum sum = 0;
    in.push_back(ns_per_packet([&](std::size_t index) {
      sum += sum_of({frames.payload(number + index) - 8, kPayloadBytes + 8});
    }));
    out.push_back(ns_per_packet([&](std::size_t index) {
      sum += copy_and_sum(payload(index), frames.payload(number + index));
    }));
    std::size_t bytes = kPayloadBytes;
    benchmark::DoNotOptimize(bytes);  // so that the library is called
    copy.push_back(ns_per_packet([&](std::size_t index) {
      std::memcpy(others.payload(number + index), payload(index).data(), bytes);
    }));
    number += kBurst;
    benchmark::DoNotOptimize(sum);
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(kBurst * kPayloadBytes));
  state.counters["out"] = median(out);
  state.counters["in"] = median(in);
  state.counters["memcpy"] = median(copy);
}
BENCHMARK(BM_ChecksumPasses)->ArgName("frames")->Arg(64)->Arg(1'024);

}  // namespace
}  // namespace godwit::port::ip

BENCHMARK_MAIN();

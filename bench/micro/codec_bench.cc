// How fast tiles are encoded and decoded, beside memcpy in the same run.
//
// Data lie in 128 MiB and every iteration takes the next tile, so that they come from memory.
// Subject and reference alternate: one tile, then memcpy of 128 KiB (a tile's elements as fp32).
// Rates count 4 bytes per element. `GBps` is the median, `ratio` the median over iterations of rate
// / memcpy's rate.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <functional>
#include <numeric>
#include <vector>

#include <benchmark/benchmark.h>

#include "codec/codec.h"
#include "codec/kernels.h"
#include "dataplane/base/random.h"

namespace godwit::codec {
namespace {

constexpr std::size_t kTiles = 512;  // of 256 KiB
constexpr std::size_t kTileBytes = kTileElements * sizeof(float);

double normal(Random& random) {
  return std::sqrt(-2 * std::log(1 - random.uniform())) *
         std::cos(6.283185307179586 * random.uniform());
}

enum Kind : int {
  kGaussian = 0,
  kHeavyTailed = 1
};

// Pending integers as of a topic with 40 fraction bits and updates of about 1e-3.
const std::vector<std::int64_t>& pool(Kind kind) {
  static const auto kMake = [](Kind which) {
    Random random(1);
    std::vector<std::int64_t> values(kTiles * kTileElements);
    for (auto& value : values) {
      const double x = normal(random);
      value = std::llround(1e9 * (which == kGaussian ? x : x * x * x));
    }
    return values;
  };
  if (kind == kGaussian) {
    static const auto kValues = kMake(kGaussian);
    return kValues;
  }
  static const auto kValues = kMake(kHeavyTailed);
  return kValues;
}

double seconds(const std::function<void()>& action) {
  const auto start = std::chrono::steady_clock::now();
  action();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Alternates `subject(tile index)` with memcpy, and reports both.
void alternate(benchmark::State& state, const std::function<void(std::size_t)>& subject) {
  static std::vector<std::byte> source(kTiles * 2 * kTileBytes, std::byte{1});
  static std::vector<std::byte> target(kTiles * 2 * kTileBytes, std::byte{2});
  std::vector<double> ratios;
  std::vector<double> copies;
  std::vector<double> times;
  std::size_t index = 0;
  for ([[maybe_unused]] auto _ : state) {
    const std::size_t tile = index++ % kTiles;
    const double time = seconds([&] { subject(tile); });
    const std::size_t at = tile * 2 * kTileBytes;
    const double copy = seconds([&] {
      std::memcpy(target.data() + at, source.data() + at, kTileBytes);
      benchmark::ClobberMemory();
    });
    state.SetIterationTime(time);
    ratios.push_back(copy / time);
    copies.push_back(copy);
    times.push_back(time);
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(kTileBytes));
  std::sort(ratios.begin(), ratios.end());
  std::sort(copies.begin(), copies.end());
  std::sort(times.begin(), times.end());
  state.counters["GBps"] = static_cast<double>(kTileBytes) / times[times.size() / 2] * 1e-9;
  state.counters["ratio"] = ratios[ratios.size() / 2];
  state.counters["p25"] = ratios[ratios.size() / 4];
  state.counters["p75"] = ratios[ratios.size() * 3 / 4];
  state.counters["memcpy_GBps"] =
      static_cast<double>(kTileBytes) / copies[copies.size() / 2] * 1e-9;
}

std::span<const std::int64_t> tile_of(Kind kind, std::size_t index) {
  return std::span(pool(kind)).subspan(index * kTileElements, kTileElements);
}

void BM_BpcEncode(benchmark::State& state) {
  const auto kind = static_cast<Kind>(state.range(0));
  const std::size_t budget = kTileElements * static_cast<std::size_t>(state.range(1)) / 800;
  pool(kind);
  Encoder encoder;
  std::vector<std::byte> out(coded_bytes_max(kTileElements));
  std::vector<std::int64_t> removed(kTileElements);
  double before = 0;
  double after = 0;
  alternate(state, [&](std::size_t index) {
    encoder.load(tile_of(kind, index));
    const Encoded done = encoder.encode({budget}, out, removed);
    before += done.energy_before;
    after += done.energy_after;
  });
  state.counters["error"] = std::sqrt(after / before);
}

void BM_BpcDecode(benchmark::State& state) {
  const auto kind = static_cast<Kind>(state.range(0));
  const std::size_t budget = kTileElements * static_cast<std::size_t>(state.range(1)) / 800;
  pool(kind);
  Encoder encoder;
  Decoder decoder;
  std::vector<std::int64_t> values(kTileElements);
  std::vector<std::vector<std::byte>> coded(kTiles);
  std::vector<Id> ids(kTiles);
  for (std::size_t index = 0; index < kTiles; ++index) {
    coded[index].resize(coded_bytes_max(kTileElements));
    encoder.load(tile_of(kind, index));
    const Encoded done = encoder.encode({budget}, coded[index], values);
    coded[index].resize(done.bytes);
    coded[index].shrink_to_fit();
    ids[index] = done.id;
  }
  alternate(state, [&](std::size_t index) {
    if (!decoder.decode(ids[index], coded[index], values)) {
      state.SkipWithError("a code of our own is refused");
    }
  });
}

void BM_ToFixed(benchmark::State& state) {
  std::vector<float> values(kTiles * kTileElements);
  Random random(2);
  for (auto& value : values) {
    value = static_cast<float>(random.uniform() - 0.5);
  }
  std::vector<std::int64_t> out(kTileElements);
  alternate(state, [&](std::size_t index) {
    const auto tile = std::span(values).subspan(index * kTileElements, kTileElements);
    benchmark::DoNotOptimize(to_fixed(tile, 40, kValueLimit, out).ok());
  });
}

void BM_ToFloat(benchmark::State& state) {
  std::vector<float> out(kTileElements);
  pool(kGaussian);
  alternate(state, [&](std::size_t index) { to_float(tile_of(kGaussian, index), 40, out); });
}

void BM_Energy(benchmark::State& state) {
  pool(kGaussian);
  alternate(state, [&](std::size_t index) {
    benchmark::DoNotOptimize(energy(tile_of(kGaussian, index)));
  });
}

// Budgets in hundredths of a bit per parameter.
void budgets(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"heavy", "centibits"})->UseManualTime()->Iterations(2048);
  for (const int kind : {0, 1}) {
    for (const int bits : {5, 20, 100, 400}) {
      bench->Args({kind, bits});
    }
  }
}

BENCHMARK(BM_BpcEncode)->Apply(budgets);
BENCHMARK(BM_BpcDecode)->Apply(budgets);
BENCHMARK(BM_ToFixed)->UseManualTime()->Iterations(2048);
BENCHMARK(BM_ToFloat)->UseManualTime()->Iterations(2048);
BENCHMARK(BM_Energy)->UseManualTime()->Iterations(2048);

}  // namespace
}  // namespace godwit::codec

BENCHMARK_MAIN();

#include "bench/codec/distortion.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "codec/kernels.h"
#include "dataplane/base/assert.h"

namespace godwit::bench_codec {
namespace {

using codec::kTileElements;

constexpr int kFractionBits = 40;
constexpr double kRecordBytes = 8;  // of a tile in a transfer (dataplane/wire/SPEC.md)
constexpr int kPlanesBelow = 10;    // of the largest element that are looked at

}  // namespace

Distortion::Distortion(std::span<const float> values) : integers_(values.size()) {
  const auto fixed = codec::to_fixed(values, kFractionBits, codec::kValueLimit - 1, integers_);
  GODWIT_ASSERT(fixed.ok(), "updates are small");
  energy_ = codec::energy(integers_);
  const std::uint64_t largest = codec::max_abs(integers_);
  codec::Encoder encoder;
  std::vector<std::byte> out(codec::coded_bytes_max(kTileElements));
  std::vector<std::int64_t> removed(kTileElements);
  int bits = 1;
  while (largest >> static_cast<unsigned>(bits) != 0) {
    ++bits;
  }
  for (int plane = bits - 1; plane >= std::max(0, bits - kPlanesBelow); --plane) {
    std::vector<Tile> end(tiles());
    Point point;
    double left = 0;
    for (std::size_t index = 0; index < tiles(); ++index) {
      const auto open = tile(index);
      encoder.load(open);
      const auto done =
          encoder.encode({.floor = (std::uint64_t{1} << static_cast<unsigned>(plane)) - 1},
                         out,
                         std::span(removed).first(open.size()));
      // A tile that is left out has no record.
      const bool sent = done.energy_after < done.energy_before;
      end[index] = {sent ? static_cast<double>(done.bytes) + kRecordBytes : 0, done.energy_after};
      point.bytes += end[index].bytes;
      left += done.energy_after;
    }
    point.error = std::sqrt(left / energy_);
    ends_.push_back(std::move(end));
    plane_ends_.push_back(point);
  }
}

std::size_t Distortion::tiles() const {
  return (integers_.size() + kTileElements - 1) / kTileElements;
}

std::span<const std::int64_t> Distortion::tile(std::size_t index) const {
  const std::size_t first = index * kTileElements;
  return std::span(integers_).subspan(first, std::min(kTileElements, integers_.size() - first));
}

double Distortion::bytes_at(double error) const {
  std::size_t finer = 0;
  while (finer < plane_ends_.size() && plane_ends_[finer].error > error) {
    ++finer;
  }
  if (finer == 0 || finer == plane_ends_.size()) {
    return plane_ends_[std::min(finer, plane_ends_.size() - 1)].bytes;
  }
  const auto& from = ends_[finer - 1];
  const auto& to = ends_[finer];
  std::vector<std::size_t> order(tiles());
  std::iota(order.begin(), order.end(), 0U);
  const auto slope = [&](std::size_t i) {
    return (from[i].left - to[i].left) / std::max(1e-9, to[i].bytes - from[i].bytes);
  };
  std::sort(order.begin(), order.end(), [&](auto a, auto b) { return slope(a) > slope(b); });
  double bytes = plane_ends_[finer - 1].bytes;
  double left = std::pow(plane_ends_[finer - 1].error, 2) * energy_;
  const double wanted = error * error * energy_;
  for (const std::size_t i : order) {
    const double gain = from[i].left - to[i].left;
    const double part = gain > 0 ? std::min(1.0, (left - wanted) / gain) : 1.0;
    if (part <= 0) {
      break;
    }
    bytes += part * (to[i].bytes - from[i].bytes);  // the last one is cut inside its plane
    left -= part * gain;
  }
  return bytes;
}

Point Distortion::sparse_list(double bytes) {
  codec::sparse_list::Encoder encoder;
  std::vector<std::byte> out(codec::coded_bytes_max(kTileElements));
  std::vector<std::int64_t> removed(kTileElements);
  const auto at = [&](std::uint64_t floor) {
    Point point;
    double left = 0;
    for (std::size_t index = 0; index < tiles(); ++index) {
      const auto open = tile(index);
      encoder.load(open);
      const auto done =
          encoder.encode({.floor = floor}, out, std::span(removed).first(open.size()));
      point.bytes += done.bytes > 0 ? static_cast<double>(done.bytes) + kRecordBytes : 0;
      left += done.energy_after;
    }
    point.error = std::sqrt(left / energy_);
    return point;
  };
  // The least size from which on everything fits.
  std::uint64_t low = 0;
  std::uint64_t high = codec::max_abs(integers_);
  while (low + 1 + low / 100 < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    (at(middle).bytes <= bytes ? high : low) = middle;
  }
  return at(high);
}

}  // namespace godwit::bench_codec

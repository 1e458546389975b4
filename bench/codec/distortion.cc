#include "bench/codec/distortion.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#include "codec/codec.h"
#include "codec/kernels.h"
#include "codec/sparse_list/sparse_list.h"
#include "dataplane/base/assert.h"
#include "dataplane/wire/transfer.h"

namespace godwit::bench_codec {
namespace {

using codec::kTileElements;

constexpr int kFractionBits = 40;
constexpr int kPlanesBelow = 10;  // of the largest element that are looked at

}  // namespace

Distortion::Distortion(std::span<const float> values) : integers_(values.size()) {
  const auto fixed = codec::to_fixed(values, kFractionBits, codec::kValueLimit - 1, integers_);
  GODWIT_ASSERT(fixed.ok(), "updates are small");
  energy_ = codec::energy(integers_);
  codec::Encoder encoder;
  const int bits = std::max(1, static_cast<int>(std::bit_width(codec::max_abs(integers_))));
  for (int plane = bits - 1; plane >= std::max(0, bits - kPlanesBelow); --plane) {
    ends_.push_back(coded(encoder, (std::uint64_t{1} << static_cast<unsigned>(plane)) - 1));
    plane_ends_.push_back(point_of(ends_.back()));
  }
}

// All tiles, so far that nothing above `floor` is left.
template <class Encoder>
std::vector<Distortion::Tile> Distortion::coded(Encoder& encoder, std::uint64_t floor) const {
  std::vector<std::byte> out(codec::coded_bytes_max(kTileElements));
  std::vector<std::int64_t> removed(kTileElements);
  std::vector<Tile> result;
  for (std::size_t first = 0; first < integers_.size(); first += kTileElements) {
    const std::size_t count = std::min(kTileElements, integers_.size() - first);
    encoder.load(std::span(integers_).subspan(first, count));
    const auto done = encoder.encode({.floor = floor}, out, std::span(removed).first(count));
    // A tile of which nothing is sent has no record.
    const bool sent = done.energy_after < done.energy_before;
    result.push_back(
        {sent ? static_cast<double>(done.bytes + wire::kTileRecordBytes) : 0, done.energy_after});
  }
  return result;
}

Point Distortion::point_of(std::span<const Tile> tiles) const {
  Point point;
  double left = 0;
  for (const Tile& tile : tiles) {
    point.bytes += tile.bytes;
    left += tile.left;
  }
  point.error = std::sqrt(left / energy_);
  return point;
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
  std::vector<std::size_t> order(from.size());
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

Point Distortion::sparse_list(double bytes) const {
  codec::sparse_list::Encoder encoder;
  const auto at = [&](std::uint64_t floor) { return point_of(coded(encoder, floor)); };
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

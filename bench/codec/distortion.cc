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
constexpr int kPlanesBelow = 10;     // of the largest element that are looked at
constexpr double kSizeRatio = 0.96;  // of one end of SL to the last one

double record_bytes(std::size_t tile, std::size_t coded_bytes) {
  return static_cast<double>(wire::tile_record_bytes(static_cast<std::uint32_t>(tile),
                                                     static_cast<std::uint32_t>(coded_bytes),
                                                     wire::kFlagShortRecords));
}

// What a tile takes in a transfer, and leaves; one of which nothing is sent has no record.
template <class Tile>
Tile sent(std::size_t tile, const codec::Encoded& done) {
  const bool is_sent = done.energy_after < done.energy_before;
  return {is_sent ? static_cast<double>(done.bytes) + record_bytes(tile, done.bytes) : 0,
          done.energy_after};
}

}  // namespace

Distortion::Distortion(std::span<const float> values) : integers_(values.size()) {
  const auto fixed = codec::to_fixed(values, kFractionBits, codec::kValueLimit - 1, integers_);
  GODWIT_ASSERT(fixed.ok(), "updates are small");
  energy_ = codec::energy(integers_);
  for (std::size_t index = 0; index * kTileElements < integers_.size(); ++index) {
    energies_.push_back(codec::energy(values_of(index)));
  }
  codec::Encoder encoder;
  Ends ends;
  const int bits = std::max(1, static_cast<int>(std::bit_width(codec::max_abs(integers_))));
  for (int plane = bits - 1; plane >= std::max(4, bits - kPlanesBelow); --plane) {
    for (const std::uint64_t sixteenths : {27U, 23U, 19U, 16U}) {
      const std::uint64_t unit = sixteenths << static_cast<unsigned>(plane - 4);
      ends.push_back(coded(encoder, unit - 1));
      plane_ends_.push_back(point_of(ends.back()));
    }
  }
  stretches_ = by_slope(ends);
}

std::span<const std::int64_t> Distortion::values_of(std::size_t tile) const {
  const std::size_t first = tile * kTileElements;
  return std::span(integers_).subspan(first, std::min(kTileElements, integers_.size() - first));
}

// All tiles, so far that nothing above `floor` is left.
template <class Encoder>
std::vector<Distortion::Tile> Distortion::coded(Encoder& encoder, std::uint64_t floor) const {
  std::vector<std::byte> out(codec::coded_bytes_max(kTileElements));
  std::vector<std::int64_t> removed(kTileElements);
  std::vector<Tile> result;
  for (std::size_t index = 0; index < energies_.size(); ++index) {
    const auto values = values_of(index);
    encoder.load(values);
    result.push_back(sent<Tile>(
        index, encoder.encode({.floor = floor}, out, std::span(removed).first(values.size()))));
  }
  return result;
}

// One tile within so many bytes, its record among them.
template <class Encoder>
Distortion::Tile Distortion::cut(Encoder& encoder, std::size_t index, double bytes) const {
  const double room = bytes - record_bytes(index, static_cast<std::size_t>(bytes));
  if (room < 1) {
    return {0, energies_[index]};
  }
  const auto values = values_of(index);
  std::vector<std::byte> out(static_cast<std::size_t>(room));
  std::vector<std::int64_t> removed(values.size());
  encoder.load(values);
  return sent<Tile>(index, encoder.encode({out.size()}, out, removed));
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

// From nothing sent, each tile goes from end to end along the lower edge of its points; the steps
// of all tiles are taken in the order of what they gain per byte.
std::vector<Distortion::Stretch> Distortion::by_slope(const Ends& ends) const {
  std::vector<Stretch> stretches;
  for (std::size_t tile = 0; tile < energies_.size(); ++tile) {
    std::vector<Tile> points{{0, energies_[tile]}};
    for (const auto& end : ends) {
      points.push_back(end[tile]);
    }
    for (std::size_t at = 0; at + 1 < points.size();) {
      std::size_t next = 0;
      double steepest = 0;
      for (std::size_t i = at + 1; i < points.size(); ++i) {
        const double more = std::max(1e-9, points[i].bytes - points[at].bytes);
        const double slope = (points[at].left - points[i].left) / more;
        if (slope > steepest) {
          steepest = slope;
          next = i;
        }
      }
      if (next == 0) {
        break;
      }
      stretches.push_back({.tile = tile,
                           .from = points[at],
                           .bytes = points[next].bytes - points[at].bytes,
                           .gain = points[at].left - points[next].left});
      at = next;
    }
  }
  std::sort(stretches.begin(), stretches.end(), [](const Stretch& a, const Stretch& b) {
    return a.gain * b.bytes > b.gain * a.bytes;
  });
  return stretches;
}

double Distortion::bytes_at(double error) const {
  double bytes = 0;
  double above = (1 - error * error) * energy_;
  for (const Stretch& stretch : stretches_) {
    if (above <= 0) {
      break;
    }
    bytes += above >= stretch.gain ? stretch.bytes : bytes_within(stretch, above);
    above -= stretch.gain;
  }
  return bytes;
}

// The least bytes beyond `stretch.from` that gain as much: all that end at its plane, or fewer, by
// trying.
double Distortion::bytes_within(const Stretch& stretch, double gain) const {
  codec::Encoder encoder;
  const auto gains = [&](double bytes) {
    return stretch.from.left - cut(encoder, stretch.tile, stretch.from.bytes + bytes).left >= gain;
  };
  double low = 0;
  double high = stretch.bytes;
  while (high - low > 1) {
    const double middle = (low + high) / 2;
    (gains(middle) ? high : low) = middle;
  }
  return high;
}

double Distortion::sparse_list_error(double bytes) const {
  codec::sparse_list::Encoder encoder;
  Ends ends;
  auto floor = static_cast<double>(codec::max_abs(integers_));
  do {  // so far that tiles may be further than the whole is on average
    floor *= kSizeRatio;
    ends.push_back(coded(encoder, static_cast<std::uint64_t>(floor)));
  } while (floor >= 1 && point_of(ends.back()).bytes < 3 * bytes);
  double left = energy_;
  for (const Stretch& stretch : by_slope(ends)) {
    if (bytes < stretch.bytes) {  // this tile ends where the bytes do
      const Tile last = cut(encoder, stretch.tile, stretch.from.bytes + bytes);
      left -= std::max(0.0, stretch.from.left - last.left);
      break;
    }
    bytes -= stretch.bytes;
    left -= stretch.gain;
  }
  return std::sqrt(left / energy_);
}

}  // namespace godwit::bench_codec

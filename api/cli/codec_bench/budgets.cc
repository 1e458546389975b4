#include "api/cli/codec_bench/budgets.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "codec/bpc/encoder.h"

namespace godwit::codec_bench {
namespace {

// Elements that by_size() looks at; chosen: a small part of the time that encoding takes.
constexpr std::size_t kRanked = std::size_t{1} << 20U;
constexpr double kBitsNamed = 10;  // of an element in a sparse list: gap, sign, size
constexpr int kHalvings = 60;      // of the interval of slopes

// `shares` as whole numbers whose sum is at most `bytes`: rounded down, and the rest to the first.
std::vector<std::size_t> whole(std::span<const double> shares, std::uint64_t bytes) {
  std::vector<std::size_t> result;
  std::uint64_t rest = bytes;
  for (const double share : shares) {
    result.push_back(std::min<std::uint64_t>(rest, static_cast<std::uint64_t>(share)));
    rest -= result.back();
  }
  for (std::size_t i = 0; i < result.size() && rest > 0; ++i) {
    if (static_cast<double>(result[i]) < shares[i]) {
      ++result[i];
      --rest;
    }
  }
  return result;
}

}  // namespace

Budgets::Budgets(const Sample& sample, const Quanta& quanta) : sample_(sample), quanta_(quanta) {
  codec::bpc::Encoder encoder;
  for (std::size_t tile = 0; tile < sample.tiles.size(); ++tile) {
    begins_.push_back(knots_.size());
    encoder.load(quanta.tile(tile, sample.elements_of(tile)));
    if (encoder.max_abs() == 0) {
      continue;
    }
    double bytes = 0;
    double least = std::numeric_limits<double>::infinity();
    for (const codec::Segment& segment : encoder.segments()) {
      if (segment.bytes == 0 || !(segment.slope > 0)) {
        continue;
      }
      // A segment that promises more than the one before is worth no more than both together.
      least = std::min(least, std::log(static_cast<double>(segment.slope)));
      knots_.push_back({bytes + segment.bytes / 2.0, least});
      bytes += segment.bytes;
    }
  }
  begins_.push_back(knots_.size());
}

double Budgets::bytes_above(std::span<const Knot> knots, double log_slope) {
  if (knots.empty() || log_slope > knots.front().log_slope) {
    return 0;
  }
  const auto below = std::find_if(
      knots.begin(), knots.end(), [&](const Knot& knot) { return knot.log_slope < log_slope; });
  const Knot& last = *(below - 1);
  if (below == knots.end()) {
    // Behind the last segment that is announced the curve goes on as between the last two; of one
    // alone, as when each bit an element quarters the energy.
    const Knot& first = knots.size() > 1 ? *(below - 2) : Knot{0, last.log_slope + std::log(4.0)};
    const double fall = std::max(0.1, first.log_slope - last.log_slope);
    return last.bytes + (last.bytes - first.bytes) * (last.log_slope - log_slope) / fall;
  }
  const double part = (last.log_slope - log_slope) / (last.log_slope - below->log_slope);
  return last.bytes + part * (below->bytes - last.bytes);
}

std::vector<std::size_t> Budgets::by_slope(std::uint64_t bytes) const {
  const std::size_t tiles = sample_.tiles.size();
  std::vector<double> shares(tiles);
  const auto share_out = [&](double log_slope) {
    for (std::size_t tile = 0; tile < tiles; ++tile) {
      shares[tile] =
          std::min(bytes_above(knots_of(tile), log_slope),
                   static_cast<double>(codec::coded_bytes_max(sample_.elements_of(tile))));
    }
    return std::accumulate(shares.begin(), shares.end(), 0.0);
  };
  double low = -200;  // of a slope: everything
  double high = 200;  // nothing; energies are below 2^140
  for (int i = 0; i < kHalvings; ++i) {
    const double middle = (low + high) / 2;
    (share_out(middle) > static_cast<double>(bytes) ? low : high) = middle;
  }
  // Steps in a curve leave a gap between the two: what is missing goes in proportion.
  const double most = share_out(low);
  if (most > static_cast<double>(bytes)) {
    for (double& share : shares) {
      share *= static_cast<double>(bytes) / most;
    }
  }
  return whole(shares, bytes);
}

std::vector<std::size_t> Budgets::by_size(std::uint64_t bytes) const {
  const auto magnitude = [](std::int64_t value) { return value < 0 ? -value : value; };
  const std::size_t stride = (quanta_.values.size() + kRanked - 1) / kRanked;
  std::vector<std::int64_t> ranked;
  for (std::size_t i = 0; i < quanta_.values.size(); i += stride) {
    ranked.push_back(magnitude(quanta_.values[i]));
  }
  const double named = 8.0 * static_cast<double>(bytes) / kBitsNamed;
  const auto rank =
      std::min(ranked.size() - 1, static_cast<std::size_t>(named / static_cast<double>(stride)));
  const auto at = ranked.begin() + static_cast<std::ptrdiff_t>(rank);
  std::nth_element(ranked.begin(), at, ranked.end(), std::greater<>());
  const std::int64_t least = std::max<std::int64_t>(1, *at);
  std::vector<double> shares;
  for (std::size_t tile = 0; tile < sample_.tiles.size(); ++tile) {
    const auto values = quanta_.tile(tile, sample_.elements_of(tile));
    shares.push_back(static_cast<double>(std::count_if(
        values.begin(), values.end(), [&](std::int64_t x) { return magnitude(x) >= least; })));
  }
  const double all = std::accumulate(shares.begin(), shares.end(), 0.0);
  for (double& share : shares) {
    share *= all > 0 ? static_cast<double>(bytes) / all : 0;
  }
  return whole(shares, bytes);
}

std::vector<std::size_t> Budgets::unlimited() const {
  std::vector<std::size_t> result;
  for (std::size_t tile = 0; tile < sample_.tiles.size(); ++tile) {
    result.push_back(codec::coded_bytes_max(sample_.elements_of(tile)));
  }
  return result;
}

}  // namespace godwit::codec_bench

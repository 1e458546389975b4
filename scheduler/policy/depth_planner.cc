// The budget of a visit.
#include "scheduler/policy/depth_planner.h"

#include <algorithm>
#include <limits>

#include "dataplane/base/assert.h"

namespace godwit::scheduler {

namespace {

constexpr std::uint64_t kRawBytesPerElement = 8;  // An int64, whatever the tile's width.
constexpr double kBitsPerByte = 8;
constexpr double kBitsMost = kRawBytesPerElement * kBitsPerByte;
constexpr std::uint64_t kRawHeaderBytes = 64;  // Chosen: above any block header.
constexpr double kSlowSweep =
    0.5;  // Chosen: of an interval; a faster sweep gains nothing by parts.
constexpr std::int64_t kEncodeGain = 16;  // Chosen: averages over the last 16 tiles or so.

}  // namespace

DepthPlanner::DepthPlanner(const Options& options) : options_(options) {
  GODWIT_ASSERT(options.payload_share > 0 && options.payload_share <= 1);
  GODWIT_ASSERT(options.cpu_share > 0 && options.cpu_share <= 1);
  GODWIT_ASSERT(options.first_share > 0 && options.first_share <= 1);
  GODWIT_ASSERT(options.bits_changing > 0 && options.bits_changing <= kBitsMost);
}

void DepthPlanner::on_encoded(Duration spent) {
  if (spent <= Duration::zero()) {
    return;
  }
  encode_time_ = encode_time_ == Duration::zero()
                     ? spent
                     : encode_time_ + (spent - encode_time_) / kEncodeGain;
}

Bytes DepthPlanner::raw_size(std::uint32_t elements) {
  return Bytes(elements * kRawBytesPerElement + kRawHeaderBytes);
}

Bytes DepthPlanner::plan(BitRate rate,
                         double visits_per_second,
                         std::uint32_t elements,
                         bool changing) const {
  const Bytes limit = most(elements, changing);
  if (rate.is_unlimited() || visits_per_second <= 0) {
    return limit;
  }
  const double sweep = rate.bytes_per_second() * options_.payload_share / visits_per_second;
  // Compared as doubles: `sweep` may exceed every integer.
  if (sweep >= static_cast<double>(limit.count())) {
    return limit;
  }
  return std::min(limit, std::max(floor(rate), Bytes(static_cast<std::uint64_t>(sweep))));
}

Bytes DepthPlanner::most(std::uint32_t elements, bool changing) const {
  const Bytes raw = raw_size(elements);
  if (!changing) {
    return raw;
  }
  const Bytes useful(static_cast<std::uint64_t>(elements * options_.bits_changing / kBitsPerByte));
  return std::min(raw, std::max(options_.bytes_min, useful));
}

Bytes DepthPlanner::floor(BitRate rate) const {
  const double encoder = rate.bytes_per_second() * encode_time_.to_seconds() / options_.cpu_share;
  const double most =
      static_cast<double>(raw_size(std::numeric_limits<std::uint32_t>::max()).count());
  return std::max(options_.bytes_min, Bytes(static_cast<std::uint64_t>(std::min(encoder, most))));
}

Bytes DepthPlanner::first_part(BitRate rate, double visits_per_second, Bytes budget) const {
  const auto bytes = static_cast<double>(budget.count());
  const Bytes part(static_cast<std::uint64_t>(bytes * options_.first_share));
  const bool slow = bytes * visits_per_second >= rate.bytes_per_second() * kSlowSweep;
  return rate.is_unlimited() || !slow || part < floor(rate) ? budget : part;
}

}  // namespace godwit::scheduler

// The mask as one branch-free loop per type of value, and the threshold's rule.
#include "scheduler/filter/significance.h"

#include <cmath>

#include "dataplane/base/assert.h"

namespace godwit::scheduler {

namespace {

// Written as selects, so that the compiler vectorises it. |open| may lose bits beyond 2^53 when it
// becomes a double: that moves the threshold by less than one part in 10^15.
template <class Value>
std::size_t mask(std::span<const std::int64_t> open,
                 std::span<const Value> value,
                 double threshold,
                 std::span<std::int64_t> out) {
  GODWIT_ASSERT(open.size() == value.size() && open.size() == out.size());
  std::size_t kept = 0;
  for (std::size_t i = 0; i < open.size(); ++i) {
    const double change = std::fabs(static_cast<double>(open[i]));
    const double needed = threshold * std::fabs(static_cast<double>(value[i]));
    // A value of 0 needs 0, which nothing is below; for NaN every comparison is false; an infinite
    // value needs infinity, so it is excluded.
    const bool held = (change < needed) & (needed <= 1.7976931348623157e308);
    out[i] = held ? 0 : open[i];
    kept += static_cast<std::size_t>(out[i] != 0);
  }
  return kept;
}

}  // namespace

std::size_t mask_insignificant(std::span<const std::int64_t> open,
                               std::span<const float> value,
                               double threshold,
                               std::span<std::int64_t> out) {
  return mask(open, value, threshold, out);
}

std::size_t mask_insignificant(std::span<const std::int64_t> open,
                               std::span<const double> value,
                               double threshold,
                               std::span<std::int64_t> out) {
  return mask(open, value, threshold, out);
}

std::size_t mask_insignificant(std::span<const std::int64_t> open,
                               std::span<const std::int64_t> value,
                               double threshold,
                               std::span<std::int64_t> out) {
  return mask(open, value, threshold, out);
}

SignificanceThreshold::SignificanceThreshold(ThresholdRule rule, double v)
    : rule_(rule), v_(std::isfinite(v) && v > 0 ? v : 0) {
  on_clock(0);
}

void SignificanceThreshold::on_clock(std::uint64_t clock) {
  clock_ = clock > clock_ ? clock : clock_;
  switch (rule_) {
    case ThresholdRule::kOff:
      relative_ = 0;
      break;
    case ThresholdRule::kConstant:
      relative_ = v_;
      break;
    case ThresholdRule::kInverseSqrt:
      relative_ = clock_ > 1 ? v_ / std::sqrt(static_cast<double>(clock_)) : v_;
      break;
  }
}

}  // namespace godwit::scheduler

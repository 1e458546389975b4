#include "scheduler/filter/significance.h"

#include <cmath>

namespace godwit::scheduler {

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

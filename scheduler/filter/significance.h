// The threshold of Gaia's significance filter, which holds back changes that are small against the
// current value (codec/significance.h).
#pragma once

#include <cstdint>

namespace godwit::scheduler {

// How the threshold follows the topic's clock t (Hsieh et al., Gaia, NSDI 2017, section 4.1).
enum class ThresholdRule : std::uint8_t {
  kOff,          // 0: everything is significant.
  kConstant,     // v
  kInverseSqrt,  // v/√t, which ASP's convergence proof needs.
};

// The relative threshold of one topic; its clock never goes back.
class SignificanceThreshold {
 public:
  SignificanceThreshold() = default;
  // `v` is relative (0.01 = 1 %), finite and >= 0; anything else counts as 0.
  SignificanceThreshold(ThresholdRule rule, double v);

  void on_clock(std::uint64_t clock);
  [[nodiscard]] double relative() const { return relative_; }

 private:
  ThresholdRule rule_ = ThresholdRule::kOff;
  double v_ = 0;
  std::uint64_t clock_ = 0;
  double relative_ = 0;
};

}  // namespace godwit::scheduler

// Gaia's significance filter: holds back changes that are small against the current value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace godwit::scheduler {

// Copies `open` to `out` with every element set to 0 whose |open| < threshold·|value|; returns how
// many non-zero elements were kept. An element whose value is 0 (or not finite) is significant.
// What is set to 0 is not lost: it stays in open, since only `out` is encoded and frozen.
//
// `open` is in quanta. `value` may be in any unit: `threshold` carries the conversion, that is,
// relative threshold × quanta per unit of value. All spans have equal length; out may be open.
// Thread: any. Memory: none. Time: O(n), one pass.
std::size_t mask_insignificant(std::span<const std::int64_t> open,
                               std::span<const float> value,
                               double threshold,
                               std::span<std::int64_t> out);
std::size_t mask_insignificant(std::span<const std::int64_t> open,
                               std::span<const double> value,
                               double threshold,
                               std::span<std::int64_t> out);
std::size_t mask_insignificant(std::span<const std::int64_t> open,
                               std::span<const std::int64_t> value,
                               double threshold,
                               std::span<std::int64_t> out);

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
  // For mask_insignificant: `quanta_per_unit` is 2^s for values in real units, 1 for quanta.
  [[nodiscard]] double scaled(double quanta_per_unit) const { return relative_ * quanta_per_unit; }

 private:
  ThresholdRule rule_ = ThresholdRule::kOff;
  double v_ = 0;
  std::uint64_t clock_ = 0;
  double relative_ = 0;
};

}  // namespace godwit::scheduler

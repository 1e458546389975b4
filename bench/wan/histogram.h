// How late deliveries were: a log-linear histogram of durations.
//
// Sixteen buckets per factor of two, so that a quantile is at most 1/16 above the true value;
// from 64 ns to 34 s. The greatest value is kept exactly.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "dataplane/base/units.h"

namespace godwit::wan {

class LatenessHistogram {
 public:
  // Negative values count as zero.
  void record(Duration lateness);
  void add(const LatenessHistogram& other);

  std::uint64_t count() const { return count_; }
  Duration max() const { return max_; }

  // The upper edge of the bucket in which the `q`-quantile (0 ≤ q ≤ 1) lies, never above max();
  // zero when nothing was recorded.
  Duration quantile(double q) const;

 private:
  static constexpr std::size_t kSubBuckets = 16;
  // Values below 2^10 ns share one linear range, with sub-buckets of 64 ns.
  static constexpr std::size_t kOctaveFirst = 10;
  static constexpr std::size_t kOctaveLast = 34;
  static constexpr std::size_t kBuckets = kSubBuckets * (kOctaveLast - kOctaveFirst + 2);

  static std::size_t bucket_of(std::uint64_t nanoseconds);
  static std::uint64_t upper_edge(std::size_t bucket);

  std::array<std::uint32_t, kBuckets> counts_{};
  std::uint64_t count_ = 0;
  Duration max_;
};

}  // namespace godwit::wan

#include "bench/wan/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace godwit::wan {

std::size_t LatenessHistogram::bucket_of(std::uint64_t nanoseconds) {
  const auto width = static_cast<std::size_t>(64 - std::countl_zero(nanoseconds));
  if (width <= kOctaveFirst) {
    return nanoseconds >> (kOctaveFirst - 4);
  }
  const std::size_t octave = width - 1;
  if (octave > kOctaveLast) {
    return kBuckets - 1;
  }
  const std::size_t sub = (nanoseconds >> (octave - 4)) & (kSubBuckets - 1);
  return kSubBuckets * (octave - kOctaveFirst + 1) + sub;
}

std::uint64_t LatenessHistogram::upper_edge(std::size_t bucket) {
  if (bucket < kSubBuckets) {
    return std::uint64_t{bucket + 1} << (kOctaveFirst - 4);
  }
  const std::size_t octave = bucket / kSubBuckets - 1 + kOctaveFirst;
  const std::size_t sub = bucket % kSubBuckets;
  return std::uint64_t{kSubBuckets + sub + 1} << (octave - 4);
}

void LatenessHistogram::record(Duration lateness) {
  const Duration value = std::max(lateness, Duration::zero());
  ++counts_[bucket_of(static_cast<std::uint64_t>(value.count_ns()))];
  ++count_;
  max_ = std::max(max_, value);
}

void LatenessHistogram::add(const LatenessHistogram& other) {
  for (std::size_t i = 0; i < kBuckets; ++i) {
    counts_[i] += other.counts_[i];
  }
  count_ += other.count_;
  max_ = std::max(max_, other.max_);
}

Duration LatenessHistogram::quantile(double q) const {
  if (count_ == 0) {
    return Duration::zero();
  }
  const double exact = std::ceil(std::clamp(q, 0.0, 1.0) * static_cast<double>(count_));
  const std::uint64_t rank =
      std::clamp<std::uint64_t>(static_cast<std::uint64_t>(exact), 1, count_);
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    seen += counts_[i];
    if (seen >= rank) {
      return std::min(max_, Duration::ns(static_cast<std::int64_t>(upper_edge(i))));
    }
  }
  return max_;
}

}  // namespace godwit::wan

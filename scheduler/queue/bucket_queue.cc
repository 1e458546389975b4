// Quantising an index.
#include "scheduler/queue/bucket_queue.h"

#include <algorithm>
#include <bit>
#include <limits>

namespace godwit::scheduler {

// The exponent of a double and the first four bits of its mantissa are log2 in steps of 1/16
// octave, straight between the powers of two: monotone, and without a logarithm.
std::uint32_t BucketQueue::bucket_of(double index) {
  static_assert(std::numeric_limits<double>::is_iec559 && kPerOctave == 16);
  constexpr int kShift = 52 - 4;
  constexpr std::int64_t kOne = std::bit_cast<std::int64_t>(1.0) >> kShift;
  if (!(index > 0)) {
    return 0;
  }
  const std::int64_t bucket =
      (std::bit_cast<std::int64_t>(index) >> kShift) - kOne + std::int64_t{kBuckets} / 2;
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(bucket, 0, kBuckets - 1));
}

}  // namespace godwit::scheduler

// Quantising an index.
#include "scheduler/queue/bucket_queue.h"

#include <algorithm>
#include <cmath>

namespace godwit::scheduler {

std::uint32_t BucketQueue::bucket_of(double index) {
  if (!(index > 0)) {
    return 0;
  }
  const double octaves = std::isfinite(index) ? std::log2(index) : 1024;
  const double bucket = std::floor(octaves * kPerOctave) + kBuckets / 2.0;
  return static_cast<std::uint32_t>(std::clamp(bucket, 0.0, kBuckets - 1.0));
}

}  // namespace godwit::scheduler

// Kernels that look for what is significant: how much a change is, against what it changes.
//
// One pass over memory each, compiled for several instruction sets and chosen at run time. Counts
// and integers are equal on all of them; energies may differ in their last bits.
//
// Thread: pure functions. Memory: none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace godwit::codec {

// What a tensor of changes amounts to.
struct Scan {
  double energy = 0;                    // sum of squares; the norm is its root
  float max = 0;                        // largest magnitude
  std::size_t significant = 0;          // not 0, and |value| >= threshold·|reference|
  std::optional<std::size_t> rejected;  // the first that is not finite or beyond the range
};

// `reference` is as long as `values`, or empty: then every value that is not 0 is significant, as
// it is against a reference that is 0 or not finite. `threshold` and `range` are >= 0 and finite;
// |value| <= range is taken. With `rejected` nothing else of the result holds.
Scan scan(std::span<const float> values,
          std::span<const float> reference,
          float threshold,
          float range);

// The values that open integers change: sums in quanta, and the seed that they started from.
struct CurrentValues {
  std::span<const std::int64_t> sums = {};
  std::span<const float> seed = {};  // or empty
  double quanta_per_unit = 1;        // of the seed
};

struct Filtered {
  std::size_t kept = 0;        // elements of `out` that are not 0
  std::uint64_t held_max = 0;  // largest magnitude of those that were set to 0
};

// Gaia's filter (Hsieh et al., NSDI 2017, section 3.2): copies `open` to `out` with every element
// set to 0 whose |open| < threshold·|value|. Every change of a value that is 0 is significant, and
// so is every one where the bound is not finite. Magnitudes are compared as doubles: beyond 2^53
// the bound may be off by one part in 10^15. All spans have equal length; |open| <= 2^62; `out` may
// be `open`.
Filtered keep_significant(std::span<const std::int64_t> open,
                          const CurrentValues& current,
                          double threshold,
                          std::span<std::int64_t> out);

}  // namespace godwit::codec

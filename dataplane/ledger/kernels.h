// Loops over the elements of a block, vectorised with Highway and dispatched at run time.
//
// Pure: no allocation, cannot fail. Integer results are equal on every instruction set; the energy
// may differ in its last bits.
#pragma once

#include <cstdint>
#include <span>

#include "dataplane/ledger/block_change.h"

namespace godwit::ledger {

// What a block of changes amounts to.
struct BlockStatistics {
  double energy = 0;      // sum of squares
  double mass = 0;        // sum of magnitudes
  std::uint64_t max = 0;  // largest magnitude
};
BlockStatistics block_statistics(std::span<const std::int64_t> values);

// sum of weights[i] * values[i], exact, as low + middle * 2^32 + high * 2^64.
// At most kBlockElements values.
struct WeightedSum {
  std::uint64_t low = 0;
  std::uint64_t middle = 0;
  std::int64_t high = 0;
};
WeightedSum weighted_sum(std::span<const std::int64_t> values, const std::uint32_t* weights);

// Both at once: the values are read from memory a single time.
struct BlockMeasure {
  BlockStatistics statistics;
  WeightedSum weighted;
};
BlockMeasure measure(std::span<const std::int64_t> values, const std::uint32_t* weights);

// out[i] = home[i] + values[i], wrapping; a null `home` is zero. `out` overlaps neither.
void add(const std::int64_t* home, std::span<const std::int64_t> values, std::int64_t* out);
// The same, measuring `values` on the way.
BlockMeasure add_measured(const std::int64_t* home,
                          std::span<const std::int64_t> values,
                          const std::uint32_t* weights,
                          std::int64_t* out);

// The lines of a block in which something is not zero. Of 64 in a row all count when three quarters
// have something, since a run is quicker than its pieces.
BlockChange touched(std::span<const std::int64_t, kBlockElements> values);
// Begins to load those lines of `home`, which lie in no order that a processor would foresee.
void prefetch(const std::int64_t* home, const BlockChange& change);
// As above, of the lines of a change alone; `out` has their sums side by side.
BlockMeasure measure(const BlockChange& change, const std::uint32_t* weights);
void add(const std::int64_t* home, const BlockChange& change, std::int64_t* out);
BlockMeasure add_measured(const std::int64_t* home,
                          const BlockChange& change,
                          const std::uint32_t* weights,
                          std::int64_t* out);

// out[i] = p[i] + r[i] - s[i] where each may be null, which is zero; what does not fit saturates.
void open_of(const std::int64_t* p,
             const std::int64_t* r,
             const std::int64_t* s,
             std::span<std::int64_t> out);

}  // namespace godwit::ledger

// Loops over the elements of a block, vectorised with Highway and dispatched at run time.
//
// Pure: no allocation, cannot fail. Integer results are equal on every instruction set; the energy
// may differ in its last bits.
#pragma once

#include <cstdint>
#include <span>

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

}  // namespace godwit::ledger

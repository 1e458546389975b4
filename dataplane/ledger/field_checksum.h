// The linear checksum over the field of integers modulo p = 2^61 - 1.
//
//   c(x) = sum over blocks b of  beta(b) * ( sum over elements i of w(i) * x[b][i] )   mod p
//
// Linear: c(x + y) = c(x) + c(y), so that sums booked step by step can be compared with sums
// recomputed from memory, and a sender's with a receiver's. It finds faults of memory and logic
// (a wrong sum passes with probability about 2^-32); authenticity is the transport's task. Weights
// are pseudo-random functions of (topic, shard), part of the wire format (wire/SPEC.md).
//
// Time: one 64 x 64 multiplication per element.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "dataplane/base/ids.h"
#include "dataplane/ledger/kernels.h"
#include "dataplane/ledger/types.h"

namespace godwit::ledger {

inline constexpr std::uint64_t kFieldPrime = (std::uint64_t{1} << 61U) - 1;

// Members of the field are kept in [0, p).
inline std::uint64_t field_add(std::uint64_t a, std::uint64_t b) {
  const std::uint64_t sum = a + b;  // < 2^62
  return sum >= kFieldPrime ? sum - kFieldPrime : sum;
}
inline std::uint64_t field_subtract(std::uint64_t a, std::uint64_t b) {
  return a >= b ? a - b : a + kFieldPrime - b;
}
std::uint64_t field_multiply(std::uint64_t a, std::uint64_t b);

class FieldChecksum {
 public:
  FieldChecksum(TopicId topic, std::uint16_t shard);

  // c of values at elements [first, first + size) of block `block`; all of them in that block.
  std::uint64_t of_block(std::uint64_t block,
                         std::span<const std::int64_t> values,
                         std::uint32_t first = 0) const;
  // The same with statistics, reading the values once.
  struct Measured {
    BlockStatistics statistics;
    std::uint64_t checksum = 0;
  };
  Measured measure(std::uint64_t block,
                   std::span<const std::int64_t> values,
                   std::uint32_t first = 0) const;
  // Besides, out[i] = home[i] + values[i]; a null `home` is zero. `out` overlaps neither.
  Measured add(std::uint64_t block,
               const std::int64_t* home,
               std::span<const std::int64_t> values,
               std::int64_t* out,
               std::uint32_t first = 0) const;
  // Both of the touched lines alone; `out` has their sums side by side.
  Measured measure(std::uint64_t block, const BlockChange& change) const;
  Measured add(std::uint64_t block,
               const std::int64_t* home,
               const BlockChange& change,
               std::int64_t* out) const;
  // c of a whole tile.
  std::uint64_t of_tile(std::uint32_t tile, std::span<const std::int64_t> values) const;
  // c of values from any element on, across blocks.
  std::uint64_t of_range(std::uint64_t element, std::span<const std::int64_t> values) const;

  std::uint32_t weight(std::uint32_t element_in_block) const { return weights_[element_in_block]; }
  std::uint64_t beta(std::uint64_t block) const;

 private:
  std::uint64_t in_field(std::uint64_t block, const WeightedSum& parts) const;

  std::uint64_t key_;
  std::array<std::uint32_t, kBlockElements> weights_{};
};

}  // namespace godwit::ledger

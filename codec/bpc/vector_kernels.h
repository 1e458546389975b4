// The loops of BPC over elements: magnitudes, bit planes, values; vectorised, chosen at run time.
//
// A kernel is a pure loop: it checks nothing, allocates nothing and cannot fail. Arrays over
// magnitudes are padded to whole words of 64 coefficients; `words` counts those.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "codec/bpc/format.h"
#include "codec/kernels.h"

namespace godwit::codec::bpc {

// Of each sub-block of 256 elements.
struct SubSummaries {
  std::array<std::uint64_t, kSubBlocks> max;  // largest magnitude
  std::array<double, kSubBlocks> energy;      // sum of squares
};

// Fills the summaries; magnitudes = |value| >> shift, modulo 2^16, and signs, 1 for negative. The
// magnitudes of sub-blocks that are below 2^shift are not written.
void analyse(const std::int64_t* values,
             std::size_t count,
             int shift,
             SubSummaries& summaries,
             std::uint16_t* magnitudes,
             std::uint64_t* signs);

// magnitudes = |value| / step, rounded down, of values below 2^16 steps; for the sub-blocks that
// analyse() writes at 2^step.shift. The step must be one that may be finer.
void quantise(const std::int64_t* values,
              std::size_t count,
              StepSize step,
              const SubSummaries& summaries,
              std::uint16_t* magnitudes);

// The number of magnitudes that are at least `least`, which is above 0, of at most 32,768 in whole
// vectors.
std::uint32_t count_at_least(const std::uint16_t* magnitudes,
                             std::size_t count,
                             std::uint16_t least);

// bits[w] = bit `plane` of each of 64 magnitudes, for `words` words.
void extract_plane(const std::uint16_t* magnitudes,
                   std::size_t words,
                   int plane,
                   std::uint64_t* bits);

// counts[p] += the number of magnitudes that are at least 2^p.
void count_planes(const std::uint16_t* magnitudes,
                  std::size_t words,
                  std::array<std::uint32_t, kPlanes>& counts);

// magnitudes |= bits << plane, for 64 of them.
void insert_plane(const std::uint64_t* bits,
                  std::size_t words,
                  int plane,
                  std::uint16_t* magnitudes);

// out[i] = the signed value of magnitude i by `rule`.
void reconstruct(const std::uint16_t* magnitudes,
                 const std::uint64_t* signs,
                 std::size_t count,
                 const Rule& rule,
                 std::int64_t* out);

// The same, and what it leaves of `values`.
Remainder reconstruct_and_subtract(const std::uint16_t* magnitudes,
                                   const std::uint64_t* signs,
                                   std::size_t count,
                                   const Rule& rule,
                                   const std::int64_t* values,
                                   std::int64_t* out);

}  // namespace godwit::codec::bpc

// A tensor as the integers that a topic would make of it.
//
// Thread: pure functions. Memory: 8 bytes an element.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "api/cli/codec_bench/sample.h"
#include "dataplane/base/result.h"

namespace godwit::codec_bench {

inline constexpr int kTopicFractionBits = 40;  // what a topic has that does not say (api/client)
inline constexpr int kFractionBitsMax = 62;
// The largest publish that a topic takes among three sites, in quanta: 2^62 / 3.
inline constexpr std::int64_t kQuantaMax = codec::kValueLimit / 3;

struct Quanta {
  int fraction_bits = 0;  // [0, 62]; a quantum is 2^-fraction_bits
  std::string why;        // these were chosen; empty when they were given
  std::vector<std::int64_t> values;
  double energy = 0;  // sum of the squares of the tensor's own values

  std::span<const std::int64_t> tile(std::size_t index, std::size_t elements) const {
    return std::span(values).subspan(index * codec::kTileElements, elements);
  }
};

// Rounds half to even, as a publish does. Without `fraction_bits`: a topic's 40; of integers 0;
// fewer when the largest value asks for it, more when the values are so small that rounding to 40
// would show. kInvalid, with the index in the tensor: a value is not finite, is too large, or all
// of them round to 0.
Result<Quanta> quanta_of(const Sample& sample, std::optional<int> fraction_bits);

}  // namespace godwit::codec_bench

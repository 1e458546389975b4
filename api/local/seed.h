// What the values are from which a topic may start; client and gateway ask the same.
#pragma once

#include <cstdint>
#include <span>

#include "dataplane/base/result.h"

namespace godwit::local {

// kInvalid names the first value that no topic can start from, and its element, counted from
// `first`: one that is not finite, or not below 2^62 quanta in magnitude, the range of every sum.
// fraction_bits in [0, kFractionBitsMax].
Result<void> check_seed(std::uint64_t first,
                        std::span<const float> values,
                        std::uint32_t fraction_bits);

}  // namespace godwit::local

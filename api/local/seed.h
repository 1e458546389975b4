// What the values are from which a topic may start; client and gateway ask the same.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "dataplane/base/result.h"

namespace godwit::local {

// The index of the first value that no sum can hold: not finite, or not below 2^62 quanta in
// magnitude. fraction_bits in [0, kFractionBitsMax].
std::optional<std::size_t> find_out_of_range(std::span<const float> values,
                                             std::uint32_t fraction_bits);
std::optional<std::size_t> find_out_of_range(std::span<const std::int64_t> quanta);

// kInvalid names the first value that is out of range, and its element, counted from `first`.
Result<void> check_seed(std::uint64_t first,
                        std::span<const float> values,
                        std::uint32_t fraction_bits);

}  // namespace godwit::local

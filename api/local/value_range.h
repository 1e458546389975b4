// Which values a topic takes, in a publish and as its seed; client and gateway ask the same.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "dataplane/base/result.h"

namespace godwit::local {

// The largest magnitude of a published value, in quanta, and of what one site's publishes add up
// to, at a gateway whose Welcome names so many sites: the ledger's range.
std::int64_t magnitude_max_of(std::size_t sites);

// So many quanta in the topic's units.
double units(std::int64_t quanta, std::uint32_t fraction_bits);

// The index of the first value that is not finite or whose magnitude exceeds magnitude_max quanta.
// fraction_bits in [0, kFractionBitsMax], magnitude_max in [2^54, 2^62).
std::optional<std::size_t> find_out_of_range(std::span<const float> values,
                                             std::uint32_t fraction_bits,
                                             std::int64_t magnitude_max);
std::optional<std::size_t> find_out_of_range(std::span<const std::int64_t> quanta,
                                             std::int64_t magnitude_max);

// What is wrong with such a value, in the topic's units.
std::string out_of_range(double value, std::uint32_t fraction_bits, std::int64_t magnitude_max);

// kInvalid names the first value of a seed that no sum can hold, 2^62 quanta and more, and its
// element, counted from `first`.
Result<void> check_seed(std::uint64_t first,
                        std::span<const float> values,
                        std::uint32_t fraction_bits);

}  // namespace godwit::local

// Rates, durations and sizes as people write them: a number and a unit, "20Mbit/s".
//
// The number is finite and not negative; what is neither, or beyond the largest, is kInvalid with
// the text, an example and the units.
#pragma once

#include <string_view>

#include "dataplane/base/result.h"
#include "dataplane/base/units.h"

namespace godwit::gateway {

// "20Mbit/s", "1.5Gbit/s", "800kbit/s": decimal units of bits per second.
Result<BitRate> parse_rate(std::string_view text);
// "250ms", "30s", "2m", "1h".
Result<Duration> parse_duration(std::string_view text);
// "64KiB", "1GiB", "2GB".
Result<Bytes> parse_bytes(std::string_view text);

}  // namespace godwit::gateway

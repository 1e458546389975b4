// Rates, delays, losses and sizes as people write them: 16.76mbit, 164ms, 1%, 64KiB.
//
// Each function refuses what lies outside of the named limits, and says what is allowed.
#pragma once

#include <string_view>

#include "dataplane/base/result.h"
#include "dataplane/base/units.h"

namespace godwit::wan {

// The slowest line still sends a full packet in 12 s; the fastest is far above what one core
// forwards.
inline constexpr BitRate kRateMin = BitRate::bps(1'000);
inline constexpr BitRate kRateMax = BitRate::bps(100'000'000'000);
// A satellite of a satellite; more is a mistake of units.
inline constexpr Duration kDelayMax = Duration::ms(10'000);
// One full packet, and what a link may hold at all.
inline constexpr Bytes kQueueMin = Bytes(1'500);
inline constexpr Bytes kQueueMax = Bytes::mib(64);

// "16.76mbit", "1gbit", "500kbit", "none" (unlimited).
Result<BitRate> parse_rate(std::string_view text);
// "164ms", "0.25ms", "500us", "1s".
Result<Duration> parse_delay(std::string_view text);
// "1%" or "0.01".
Result<double> parse_loss(std::string_view text);
// "65536", "64KiB", "1MiB".
Result<Bytes> parse_queue(std::string_view text);

// The same limits for numbers.
Result<BitRate> check_rate_mbit(double mbit);
Result<Duration> check_delay_ms(double ms);
Result<double> check_loss(double loss);
Result<Bytes> check_queue_bytes(double bytes);

}  // namespace godwit::wan

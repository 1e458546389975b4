// The control records as Protobuf: checked on the way in, cut to their limits on the way out.
//
// Only records.cc includes this file; everybody else sees plain values.
#pragma once

#include <cstddef>
#include <span>

#include "api/local/records.h"

namespace godwit::local {

// The longest control record: 64 site names of 255 bytes and the rest. Checked before parsing.
inline constexpr std::size_t kControlBytesMax = 32 * 1024;

Result<ClientRecord> decode_hello(std::span<const std::byte> body);
Result<ClientRecord> decode_declare(std::span<const std::byte> body);
Result<ClientRecord> decode_subscribe(std::span<const std::byte> body);
Result<ClientRecord> decode_wait_clock(std::span<const std::byte> body);

Result<GatewayRecord> decode_welcome(std::span<const std::byte> body);
Result<GatewayRecord> decode_declared(std::span<const std::byte> body);
Result<GatewayRecord> decode_refused(std::span<const std::byte> body);
Result<GatewayRecord> decode_subscribed(std::span<const std::byte> body);
Result<GatewayRecord> decode_clock_reached(std::span<const std::byte> body);
Result<GatewayRecord> decode_error(std::span<const std::byte> body);

}  // namespace godwit::local

// Differentiated services codepoints by name: what an IP header asks of the routers on its way.
//
// Names are those of the registries: "df" (RFC 2474), "cs0" to "cs7" (RFC 2474), "af11" to "af43"
// (RFC 2597), "ef" (RFC 3246), "va" (RFC 5865), "le" (RFC 8622); other values by number.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "dataplane/base/result.h"

namespace godwit::port {

inline constexpr std::uint8_t kDscpMax = 63;

// A name in lower case, or a decimal number up to 63. kInvalid says what is allowed.
Result<std::uint8_t> parse_dscp(std::string_view text);
// The name, or the number where there is none; parse_dscp reads it back. "df" for 0.
std::string format_dscp(std::uint8_t codepoint);

}  // namespace godwit::port

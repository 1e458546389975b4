// Reading of a Transfer record; its writer and its values are in records.h.
#pragma once

#include <cstddef>
#include <span>

#include "api/local/records.h"

namespace godwit::local {

// Checks every section, so that a SectionReader cannot fail afterwards.
Result<GatewayRecord> decode_transfer(std::span<const std::byte> body);

}  // namespace godwit::local

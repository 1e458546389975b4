// Words of the configuration file, by the number that stands for them.
#pragma once

#include <array>
#include <string_view>

#include "dataplane/transport/marking.h"

namespace godwit::gateway {

// In the order of transport::Precedence.
inline constexpr std::array<std::string_view, transport::kPrecedences> kDscpKeys{
    "control", "urgent", "normal", "bulk"};

// In the order of transport::Yields.
inline constexpr std::array<std::string_view, 3> kYields{"none", "bulk", "all"};

}  // namespace godwit::gateway

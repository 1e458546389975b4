// Words of others as a terminal may show them.
//
// Thread: any.
#pragma once

#include <string>
#include <string_view>

namespace godwit {

// `text` without control characters, which could otherwise steer the terminal; each becomes '?'.
// What is not ASCII stays.
std::string plain(std::string_view text);

}  // namespace godwit

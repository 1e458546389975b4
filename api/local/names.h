// What clients may call themselves, their topics, tenants and classes.
#pragma once

#include <cstddef>
#include <string_view>

#include "dataplane/base/result.h"

namespace godwit::local {

inline constexpr std::size_t kNameBytesMax = 255;

// True when the text may be a name: printable ASCII, at most kNameBytesMax bytes, maybe empty.
// Names stand in logs, and are compared with the configuration.
bool is_name(std::string_view text);

// True when the text may be a part of a topic's name, or of a pattern, that stands for itself:
// printable ASCII without '/' and '*', not empty, neither "." nor "..".
bool is_topic_part(std::string_view text);

// A topic's name is parts separated by single '/', at most kNameBytesMax bytes: it has one
// spelling, so that no policy can be passed by. kInvalid says what is allowed.
Result<void> check_topic_name(std::string_view name);

}  // namespace godwit::local

// Any bytes as the text of an XML document.
//
// Thread: pure functions. Memory: the text.
#pragma once

#include <string>
#include <string_view>

namespace godwit::codec_bench {

// Markup is escaped; bytes that are no UTF-8, and characters that XML 1.0 does not allow (section
// 2.2), become '?'.
std::string xml_text(std::string_view text);

}  // namespace godwit::codec_bench

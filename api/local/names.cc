#include "api/local/names.h"

#include <algorithm>
#include <string>

namespace godwit::local {
namespace {

bool is_printable(char c) {
  return c >= 0x20 && c < 0x7f;
}

// As much of it as a name may have; '?' for what is not printable.
std::string shown(std::string_view name) {
  std::string text(name.substr(0, kNameBytesMax));
  std::replace_if(
      text.begin(), text.end(), [](char c) { return !is_printable(c); }, '?');
  return text;
}

}  // namespace

bool is_name(std::string_view text) {
  return text.size() <= kNameBytesMax && std::all_of(text.begin(), text.end(), is_printable);
}

bool is_topic_part(std::string_view text) {
  return is_name(text) && !text.empty() && text != "." && text != ".." &&
         text.find_first_of("/*") == std::string_view::npos;
}

Result<void> check_topic_name(std::string_view name) {
  std::string_view rest = name;
  bool is_good = name.size() <= kNameBytesMax;
  for (auto slash = rest.find('/'); is_good && slash != std::string_view::npos;
       slash = rest.find('/')) {
    is_good = is_topic_part(rest.substr(0, slash));
    rest.remove_prefix(slash + 1);
  }
  if (!is_good || !is_topic_part(rest)) {
    return fail(Code::kInvalid,
                "\"{}\" is no topic's name: that is at most {} bytes, parts of printable ASCII "
                "with a single '/' between them, none of which is empty, \".\" or \"..\", or has "
                "a '*'",
                shown(name),
                kNameBytesMax);
  }
  return {};
}

}  // namespace godwit::local

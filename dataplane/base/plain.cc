#include "dataplane/base/plain.h"

#include <algorithm>

namespace godwit {

std::string plain(std::string_view text) {
  std::string out(text);
  std::replace_if(
      out.begin(), out.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; }, '?');
  return out;
}

}  // namespace godwit

#include "dataplane/base/result.h"

#include <cerrno>
#include <system_error>

namespace godwit {

std::string_view to_string(Code code) {
  switch (code) {
    case Code::kOk:
      return "ok";
    case Code::kInvalid:
      return "invalid";
    case Code::kRefused:
      return "refused";
    case Code::kFull:
      return "full";
    case Code::kNotFound:
      return "not_found";
    case Code::kCorrupt:
      return "corrupt";
    case Code::kIo:
      return "io";
    case Code::kTimeout:
      return "timeout";
    case Code::kClosed:
      return "closed";
    case Code::kUnsupported:
      return "unsupported";
    case Code::kDuplicate:
      return "duplicate";
  }
  return "unknown";
}

std::string error_text(int error) {
  return std::generic_category().message(error);
}

Failure system_failure(std::string_view path, std::string_view what) {
  return fail(Code::kIo, "{}: {}: {}", path, what, error_text(errno));
}

}  // namespace godwit

// The outcome of an operation that can fail for reasons outside this program.
//
// `Result<T>` holds a T or an Error; `fail(code, "…{}", x)` makes the failing one. A planned
// outcome is an enum instead, and our own mistake is an assertion.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <tl/expected.hpp>

namespace godwit {

// Stable reasons: they are metric labels and travel in control messages. Values never change.
enum class Code : std::uint8_t {
  kOk = 0,
  kInvalid = 1,      // the request makes no sense, whoever asks
  kRefused = 2,      // understood, and not allowed
  kFull = 3,         // a named limit is reached; try again later
  kNotFound = 4,     // no such thing here
  kCorrupt = 5,      // bytes that break their format or their checksum
  kIo = 6,           // the operating system said no
  kTimeout = 7,      // not within the time given
  kClosed = 8,       // the other end has gone
  kUnsupported = 9,  // known, but not offered by this build or version
  kDuplicate = 10,   // already done
};

std::string_view to_string(Code code);

// What went wrong, where, and what to do about it, in a sentence for a person.
struct Error {
  Code code = Code::kInvalid;
  std::string message;
};

template <class T>
using Result = tl::expected<T, Error>;

using Failure = tl::unexpected<Error>;

template <class... Args>
Failure fail(Code code, fmt::format_string<Args...> text, Args&&... args) {
  return Failure(Error{code, fmt::format(text, std::forward<Args>(args)...)});
}

// What the operating system calls an errno. std::strerror is not for several threads.
std::string error_text(int error);
// kIo, "PATH: WHAT: what errno means".
Failure system_failure(std::string_view path, std::string_view what);

}  // namespace godwit

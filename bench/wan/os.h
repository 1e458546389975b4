// Small wrappers around the operating system that several files of this folder need.
#pragma once

#include <cerrno>
#include <string_view>
#include <utility>

#include <unistd.h>

#include "dataplane/base/result.h"

namespace godwit::wan {

// A file descriptor that is closed with its owner.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    Descriptor closing(std::exchange(fd_, std::exchange(other.fd_, -1)));
    return *this;
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) {
      ::close(fd_);
    }
  }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

// The failure of a system call, from errno: "what: No such file or directory".
inline Failure system_failure(std::string_view what) {
  const int error = errno;
  const bool denied = error == EPERM || error == EACCES;
  return fail(denied ? Code::kRefused : Code::kIo, "{}: {}", what, error_text(error));
}

}  // namespace godwit::wan

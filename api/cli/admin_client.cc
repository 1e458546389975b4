#include "api/cli/admin_client.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "dataplane/base/bytes.h"
#include "dataplane/base/system_time.h"

namespace godwit::cli {
namespace {

// One connection with a deadline; closed when it goes out of scope.
class Connection {
 public:
  Connection(const std::string& path, Instant deadline) : path_(path), deadline_(deadline) {}
  ~Connection() {
    if (fd_ >= 0) {
      close(fd_);
    }
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  Result<void> open() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path_.empty() || path_.size() >= sizeof(address.sun_path)) {
      return fail(Code::kInvalid,
                  "{}: the path of a Unix socket has 1 to {} bytes",
                  path_,
                  sizeof(address.sun_path) - 1);
    }
    std::memcpy(address.sun_path, path_.data(), path_.size());
    fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd_ < 0) {
      return fail(Code::kIo, "no socket: {}", error_text(errno));
    }
    if (connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
      return {};
    }
    switch (errno) {
      case ENOENT:
        return fail(Code::kNotFound, "{}: no such socket; is godwitd running?", path_);
      case ECONNREFUSED:
        return fail(Code::kNotFound,
                    "{}: nobody listens; godwitd has ended, or this is no admin socket",
                    path_);
      case EACCES:
        return fail(Code::kRefused, "{}: not permitted; ask as the user of godwitd", path_);
      case EAGAIN:
        return fail(Code::kTimeout, "{}: the gateway takes no more questions now", path_);
      default:
        return fail(Code::kIo, "{}: {}", path_, error_text(errno));
    }
  }

  Result<void> send_all(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent > 0) {
        bytes.remove_prefix(static_cast<std::size_t>(sent));
      } else if (auto ready = wait(POLLOUT); !ready) {
        return ready;
      }
    }
    return {};
  }

  Result<void> receive_all(std::span<char> bytes) {
    while (!bytes.empty()) {
      const ssize_t got = recv(fd_, bytes.data(), bytes.size(), 0);
      if (got > 0) {
        bytes = bytes.subspan(static_cast<std::size_t>(got));
      } else if (got == 0) {
        return fail(Code::kClosed, "{}: the gateway closed the connection", path_);
      } else if (auto ready = wait(POLLIN); !ready) {
        return ready;
      }
    }
    return {};
  }

 private:
  // After a call that did not succeed (its errno still set): until it may be repeated.
  Result<void> wait(short events) {
    if (errno != EAGAIN && errno != EINTR) {
      return fail(Code::kClosed, "{}: {}", path_, error_text(errno));
    }
    const Duration left = deadline_ - system_now();
    if (left <= Duration::zero()) {
      return fail(Code::kTimeout, "{}: the gateway does not answer", path_);
    }
    pollfd entry{.fd = fd_, .events = events, .revents = 0};
    poll(&entry, 1, static_cast<int>(std::min<std::int64_t>(left.count_ms() + 1, 60'000)));
    return {};
  }

  const std::string& path_;
  Instant deadline_;
  int fd_ = -1;
};

}  // namespace

Result<admin::AdminResponse> ask(const std::string& socket_path,
                                 const admin::AdminRequest& request,
                                 Duration timeout) {
  const std::string body = request.SerializeAsString();
  std::array<std::byte, 4> length{};
  ByteWriter(length).u32(static_cast<std::uint32_t>(body.size()));
  Connection connection(socket_path, system_now() + timeout);
  if (auto open = connection.open(); !open) {
    return Failure(open.error());
  }
  if (auto sent = connection.send_all(std::string(as_text(length)) + body); !sent) {
    return Failure(sent.error());
  }
  std::string answer(length.size(), '\0');
  if (auto got = connection.receive_all(answer); !got) {
    return Failure(got.error());
  }
  const std::uint32_t size = ByteReader(as_bytes(answer)).u32();
  if (size == 0 || size > kResponseBytesMax) {
    return fail(Code::kCorrupt, "{}: an answer of {} bytes is none", socket_path, size);
  }
  answer.resize(size);
  if (auto got = connection.receive_all(answer); !got) {
    return Failure(got.error());
  }
  auto response = decode_answer(answer);
  if (!response) {
    return fail(response.error().code, "{}: {}", socket_path, response.error().message);
  }
  return response;
}

Result<admin::AdminResponse> decode_answer(std::string_view body) {
  admin::AdminResponse response;
  if (!response.ParseFromArray(body.data(), static_cast<int>(body.size())) ||
      response.kind_case() == admin::AdminResponse::KIND_NOT_SET) {
    return fail(Code::kCorrupt, "the answer is not one that this version knows");
  }
  return response;
}

}  // namespace godwit::cli

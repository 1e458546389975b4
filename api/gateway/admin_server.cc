#include "api/gateway/admin_server.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "dataplane/base/bytes.h"

namespace godwit::gateway {
namespace {

Result<sockaddr_un> unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return fail(Code::kInvalid,
                "{}: the path of a Unix socket has 1 to {} bytes",
                path,
                sizeof(address.sun_path) - 1);
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

// True when a process still answers on the path.
bool somebody_answers(const sockaddr_un& address) {
  const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe < 0) {
    return false;
  }
  const bool answers =
      ::connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  ::close(probe);
  return answers;
}

}  // namespace

Result<std::unique_ptr<AdminServer>> AdminServer::listen(const std::string& path, Answer answer) {
  std::unique_ptr<AdminServer> server(new AdminServer(path, std::move(answer)));
  if (auto opened = server->open(); !opened) {
    return Failure(opened.error());
  }
  return server;
}

Result<void> AdminServer::open() {
  const auto address = unix_address(path_);
  if (!address) {
    return Failure(address.error());
  }
  if (somebody_answers(*address)) {
    return fail(Code::kRefused, "{}: another gateway answers here; stop it first", path_);
  }
  ::unlink(path_.c_str());
  listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  if (listener_ < 0 || epoll_ < 0) {
    return system_failure(path_, "no socket");
  }
  const mode_t before = ::umask(S_IXUSR | S_IRWXG | S_IRWXO);
  const int bound =
      ::bind(listener_, reinterpret_cast<const sockaddr*>(&*address), sizeof(*address));
  ::umask(before);
  if (bound != 0 || ::listen(listener_, kConnectionsMax) != 0) {
    return system_failure(path_, "cannot listen");
  }
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = listener_;
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, listener_, &event) != 0) {
    return system_failure(path_, "cannot be watched");
  }
  return {};
}

AdminServer::~AdminServer() {
  for (const auto& connection : connections_) {
    ::close(connection.fd);
  }
  if (listener_ >= 0) {
    ::close(listener_);
    ::unlink(path_.c_str());
  }
  if (epoll_ >= 0) {
    ::close(epoll_);
  }
}

void AdminServer::poll() {
  std::array<epoll_event, kConnectionsMax + 1> ready{};
  const int count = ::epoll_wait(epoll_, ready.data(), static_cast<int>(ready.size()), 0);
  for (int i = 0; i < count; ++i) {
    const int fd = ready.at(static_cast<std::size_t>(i)).data.fd;
    if (fd == listener_) {
      accept_all();
      continue;
    }
    const auto at = std::find_if(
        connections_.begin(), connections_.end(), [&](const Connection& c) { return c.fd == fd; });
    if (at != connections_.end() && !serve(*at)) {
      ::close(at->fd);
      connections_.erase(at);
    }
  }
}

void AdminServer::accept_all() {
  for (;;) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
      return;
    }
    if (connections_.size() == kConnectionsMax) {
      ::close(connections_.front().fd);
      connections_.pop_front();
    }
    connections_.push_back({.fd = fd, .in = {}, .out = {}, .sent = 0});
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
  }
}

void AdminServer::watch(const Connection& connection, bool writable) const {
  epoll_event event{};
  event.events = writable ? EPOLLOUT : EPOLLIN;
  event.data.fd = connection.fd;
  ::epoll_ctl(epoll_, EPOLL_CTL_MOD, connection.fd, &event);
}

bool AdminServer::serve(Connection& connection) {
  std::array<char, 4096> chunk{};
  // What a connection may say in one turn: a request of the largest size.
  for (std::size_t read = 0; read <= kRequestBytesMax;) {
    const Sent sent = send_answer(connection);
    if (sent != Sent::kAll) {
      return sent == Sent::kLater;
    }
    const Request request = take_request(connection);
    if (request == Request::kBroken) {
      return false;
    }
    if (request == Request::kAnswered) {
      continue;
    }
    const auto got = ::recv(connection.fd, chunk.data(), chunk.size(), 0);
    if (got <= 0) {
      return got < 0 && errno == EAGAIN;
    }
    read += static_cast<std::size_t>(got);
    connection.in.append(chunk.data(), static_cast<std::size_t>(got));
  }
  return true;
}

AdminServer::Sent AdminServer::send_answer(Connection& connection) const {
  while (connection.sent < connection.out.size()) {
    const auto put = ::send(connection.fd,
                            connection.out.data() + connection.sent,
                            connection.out.size() - connection.sent,
                            MSG_NOSIGNAL);
    if (put <= 0) {
      const bool later = put < 0 && errno == EAGAIN;
      watch(connection, true);
      return later ? Sent::kLater : Sent::kBroken;
    }
    connection.sent += static_cast<std::size_t>(put);
  }
  if (!connection.out.empty()) {
    connection.out.clear();
    connection.sent = 0;
    watch(connection, false);
  }
  return Sent::kAll;
}

AdminServer::Request AdminServer::take_request(Connection& connection) const {
  if (connection.in.size() < sizeof(std::uint32_t)) {
    return Request::kIncomplete;
  }
  ByteReader reader(as_bytes(connection.in));
  const std::uint32_t length = reader.u32();
  if (length == 0 || length > kRequestBytesMax) {
    return Request::kBroken;
  }
  if (connection.in.size() < sizeof(length) + length) {
    return Request::kIncomplete;
  }
  const std::string body = answer_(reader.bytes(length));
  connection.in.erase(0, sizeof(length) + length);
  const auto size = static_cast<std::uint32_t>(body.size());
  connection.out.resize(sizeof(size));
  std::memcpy(connection.out.data(), &size, sizeof(size));
  connection.out += body;
  return Request::kAnswered;
}

}  // namespace godwit::gateway

#include "bench/wan/control_socket.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "bench/wan/control.h"

namespace godwit::wan {

namespace {

constexpr int kAskTimeoutSeconds = 10;

Result<sockaddr_un> address_for(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return fail(Code::kInvalid,
                "socket path '{}'; allowed: 1 to {} bytes",
                path,
                sizeof address.sun_path - 1);
  }
  path.copy(address.sun_path, path.size());
  return address;
}

const sockaddr* generic(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

Result<Descriptor> connect_to(const std::string& path) {
  const auto address = address_for(path);
  if (!address) {
    return tl::unexpected(address.error());
  }
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket.valid() || ::connect(socket.get(), generic(*address), sizeof *address) != 0) {
    return system_failure(fmt::format("connecting to {}", path));
  }
  return socket;
}

void watch(int epoll, int operation, int fd, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  ::epoll_ctl(epoll, operation, fd, &event);
}

}  // namespace

Result<ControlSocket> ControlSocket::listen(const std::string& path, int epoll) {
  const auto address = address_for(path);
  if (!address) {
    return tl::unexpected(address.error());
  }
  if (connect_to(path)) {
    return fail(Code::kRefused, "{} is in use by another emulator; choose another --socket", path);
  }
  ::unlink(path.c_str());
  Descriptor listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener.valid() || ::bind(listener.get(), generic(*address), sizeof *address) != 0 ||
      ::listen(listener.get(), static_cast<int>(kClientsMax)) != 0) {
    return system_failure(fmt::format("listening on {}", path));
  }
  watch(epoll, EPOLL_CTL_ADD, listener.get(), EPOLLIN);
  return ControlSocket(path, std::move(listener), epoll);
}

ControlSocket::~ControlSocket() {
  if (listener_.valid()) {
    ::unlink(path_.c_str());
  }
}

bool ControlSocket::on_event(int fd, const Answer& answer) {
  if (fd == listener_.get()) {
    accept_clients();
    return true;
  }
  const auto found = clients_.find(fd);
  if (found == clients_.end()) {
    return false;
  }
  Client& client = found->second;
  client.heard = ++events_;
  const bool alive = write_answers(client) && read_requests(client, answer);
  if (!alive) {
    clients_.erase(found);
    return true;
  }
  watch(epoll_, EPOLL_CTL_MOD, fd, client.output.empty() ? EPOLLIN : EPOLLIN | EPOLLOUT);
  return true;
}

void ControlSocket::accept_clients() {
  for (;;) {
    Descriptor socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket.valid()) {
      return;
    }
    if (clients_.size() >= kClientsMax) {  // whoever has said nothing for longest makes room
      clients_.erase(std::min_element(clients_.begin(), clients_.end(), [](auto& a, auto& b) {
        return a.second.heard < b.second.heard;
      }));
    }
    const int fd = socket.get();
    watch(epoll_, EPOLL_CTL_ADD, fd, EPOLLIN);
    clients_.emplace(fd, Client{std::move(socket), {}, {}, ++events_});
  }
}

bool ControlSocket::read_requests(Client& client, const Answer& answer) {
  std::array<char, kRequestBytesMax + 1> buffer{};
  const ssize_t got = ::recv(client.socket.get(), buffer.data(), buffer.size(), 0);
  if (got <= 0) {
    return got < 0 && (errno == EAGAIN || errno == EINTR);
  }
  client.input.append(buffer.data(), static_cast<std::size_t>(got));
  std::size_t begin = 0;
  for (std::size_t end = 0; client.output.size() <= kAnswerBytesMax &&
                            (end = client.input.find('\n', begin)) != std::string::npos;
       begin = end + 1) {
    client.output += answer(std::string_view(client.input).substr(begin, end - begin));
    client.output += '\n';
  }
  client.input.erase(0, begin);
  const bool endless = client.input.size() > kRequestBytesMax;
  if (endless) {
    client.output += answer(client.input) + "\n";
  }
  return write_answers(client) && !endless && client.output.size() <= kAnswerBytesMax;
}

bool ControlSocket::write_answers(Client& client) {
  while (!client.output.empty()) {
    const ssize_t sent =
        ::send(client.socket.get(), client.output.data(), client.output.size(), MSG_NOSIGNAL);
    if (sent < 0) {
      return errno == EAGAIN || errno == EINTR;
    }
    client.output.erase(0, static_cast<std::size_t>(sent));
  }
  return true;
}

Result<std::string> ask(const std::string& path, std::string_view line) {
  if (line.size() > kRequestBytesMax) {  // the other end stops reading there
    return fail(
        Code::kInvalid, "the request has {} bytes; allowed: {}", line.size(), kRequestBytesMax);
  }
  const auto socket = connect_to(path);
  if (!socket) {
    return tl::unexpected(socket.error());
  }
  const timeval timeout{kAskTimeoutSeconds, 0};
  ::setsockopt(socket->get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  const std::string request = std::string(line) + "\n";
  if (::send(socket->get(), request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size())) {
    return system_failure("sending the request");
  }
  std::string reply;
  std::array<char, 65536> buffer{};
  while (reply.empty() || reply.back() != '\n') {
    const ssize_t got = ::recv(socket->get(), buffer.data(), buffer.size(), 0);
    if (got <= 0) {
      return fail(Code::kClosed, "no answer from the emulator on {}", path);
    }
    reply.append(buffer.data(), static_cast<std::size_t>(got));
    if (reply.size() > kAnswerBytesMax) {
      return fail(Code::kFull, "the answer is longer than {} bytes", kAnswerBytesMax);
    }
  }
  reply.pop_back();
  return reply;
}

}  // namespace godwit::wan

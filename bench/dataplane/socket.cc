#include "bench/dataplane/socket.h"

#include <sys/time.h>

namespace godwit::bench {

bool set_option(const Descriptor& socket, int level, int option, int value) {
  return ::setsockopt(socket.get(), level, option, &value, sizeof value) == 0;
}

Result<void> limit_blocking(const Descriptor& socket, Duration wait) {
  const timeval time{.tv_sec = wait.count_us() / 1'000'000, .tv_usec = wait.count_us() % 1'000'000};
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time) != 0 ||
      ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time) != 0) {
    return system_failure("limiting how long a socket blocks");
  }
  return {};
}

Result<Descriptor> open_socket(int type, Duration wait) {
  Descriptor socket(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
  if (!socket.valid()) {
    return system_failure("socket");
  }
  if (auto limited = limit_blocking(socket, wait); !limited) {
    return tl::unexpected(limited.error());
  }
  return socket;
}

Result<void> bind_to(const Descriptor& socket, const port::Peer& local) {
  sockaddr_storage address{};
  const socklen_t bytes = local.to_sockaddr(address);
  set_option(socket, SOL_SOCKET, SO_REUSEADDR, 1);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), bytes) != 0) {
    return system_failure("bind to " + local.format());
  }
  return {};
}

Result<void> connect_to(const Descriptor& socket, const port::Peer& remote) {
  sockaddr_storage address{};
  const socklen_t bytes = remote.to_sockaddr(address);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), bytes) != 0) {
    return system_failure("connect to " + remote.format());
  }
  return {};
}

Result<port::Peer> local_of(const Descriptor& socket) {
  sockaddr_storage address{};
  socklen_t bytes = sizeof address;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &bytes) != 0) {
    return system_failure("getsockname");
  }
  return port::Peer::from_sockaddr(reinterpret_cast<const sockaddr*>(&address), bytes);
}

Result<Descriptor> accept_one(const Descriptor& listener, Duration wait) {
  Descriptor socket(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!socket.valid()) {
    return system_failure("accept");
  }
  if (auto limited = limit_blocking(socket, wait); !limited) {
    return tl::unexpected(limited.error());
  }
  return socket;
}

}  // namespace godwit::bench

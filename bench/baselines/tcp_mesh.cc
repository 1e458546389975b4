#include "bench/baselines/tcp_mesh.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <utility>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dataplane/base/system_time.h"

namespace godwit::baselines {
namespace {

// The first bytes of every connection: who is speaking.
struct Hello {
  std::uint32_t magic;
  std::uint32_t site;
};
constexpr std::uint32_t kHelloMagic = 0x6d657368;  // "mesh"

constexpr Duration kRedial = Duration::ms(100);  // chosen: below the shortest WAN round trip
constexpr Duration kDialTime = Duration::seconds(3);

Result<sockaddr_in> parse_address(const std::string& text) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  const std::size_t colon = text.find(':');
  unsigned port = 0;
  if (colon != std::string::npos) {
    std::from_chars(text.data() + colon + 1, text.data() + text.size(), port);
  }
  if (port == 0 || port > 65535 ||
      inet_pton(AF_INET, text.substr(0, colon).c_str(), &address.sin_addr) != 1) {
    return fail(Code::kInvalid, "\"{}\" is not IPv4:port", text);
  }
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return address;
}

// The general socket type of the system calls is a different C struct with the same beginning.
const sockaddr* generic(const sockaddr_in& address) {
  return static_cast<const sockaddr*>(static_cast<const void*>(&address));
}

void set_option(int fd, int level, int name, int value) {
  setsockopt(fd, level, name, &value, sizeof value);
}

// The FORCE variants pass the system-wide limit, for root alone. Anybody else is better off with
// the kernel's own tuning, which the emulated sites let grow to 64 MiB, than with what the limit
// leaves.
void set_buffers(int fd, Bytes bytes) {
  const int size = static_cast<int>(std::min<std::uint64_t>(bytes.count(), 1U << 30U));
  if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) == 0) {
    set_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, size);
  }
}

void set_options(int fd, const MeshOptions& options) {
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(
      fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, static_cast<int>(options.not_sent_low_water.count()));
  setsockopt(fd,
             IPPROTO_TCP,
             TCP_CONGESTION,
             options.congestion_control.data(),
             static_cast<socklen_t>(options.congestion_control.size()));
  set_buffers(fd, options.socket_buffer);
}

bool wait_for(int fd, short events, Instant deadline) {
  const Duration left = deadline - system_now();
  pollfd entry = {.fd = fd, .events = events, .revents = 0};
  return left > Duration::zero() &&
         poll(&entry, 1, static_cast<int>(std::max<std::int64_t>(left.count_ms(), 1))) == 1;
}

Result<Socket> listen_at(const sockaddr_in& address, const MeshOptions& options) {
  Socket socket(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.open()) {
    return fail(Code::kIo, "socket: {}", error_text(errno));
  }
  set_option(socket.fd(), SOL_SOCKET, SO_REUSEADDR, 1);
  set_options(socket.fd(), options);  // inherited by what is accepted
  if (bind(socket.fd(), generic(address), sizeof address) != 0 || listen(socket.fd(), 64) != 0) {
    return fail(
        Code::kIo, "listening on {}: {}", options.addresses.at(options.site), error_text(errno));
  }
  return socket;
}

// One try; an invalid socket when nobody answers yet.
Socket dial(const sockaddr_in& address, const MeshOptions& options, Instant deadline) {
  Socket socket(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.open()) {
    return {};
  }
  set_options(socket.fd(), options);
  if (connect(socket.fd(), generic(address), sizeof address) != 0 && errno != EINPROGRESS) {
    return {};
  }
  int error = 0;
  socklen_t size = sizeof error;
  if (!wait_for(socket.fd(), POLLOUT, std::min(deadline, system_now() + kDialTime)) ||
      getsockopt(socket.fd(), SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
    return {};
  }
  const Hello hello = {.magic = kHelloMagic, .site = static_cast<std::uint32_t>(options.site)};
  if (send(socket.fd(), &hello, sizeof hello, MSG_NOSIGNAL) != sizeof hello) {
    return {};
  }
  return socket;
}

Result<std::pair<std::size_t, Socket>> accept_one(int listener,
                                                  std::size_t sites,
                                                  Instant deadline) {
  if (!wait_for(listener, POLLIN, deadline)) {
    return fail(Code::kTimeout, "a site has not connected");
  }
  Socket socket(accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  Hello hello = {};
  if (!socket.open() || !wait_for(socket.fd(), POLLIN, deadline) ||
      recv(socket.fd(), &hello, sizeof hello, 0) != sizeof hello || hello.magic != kHelloMagic ||
      hello.site >= sites) {
    return fail(Code::kCorrupt, "a connection that does not say which site it comes from");
  }
  return std::pair<std::size_t, Socket>(hello.site, std::move(socket));
}

int read_option(int fd, int name) {
  int value = 0;
  socklen_t size = sizeof value;
  getsockopt(fd, SOL_SOCKET, name, &value, &size);
  return value;
}

}  // namespace

Socket::Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

Socket& Socket::operator=(Socket&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

Socket::~Socket() {
  if (fd_ >= 0) {
    close(fd_);
  }
}

Result<TcpMesh> TcpMesh::connect(const MeshOptions& options, Instant deadline) {
  const std::size_t sites = options.addresses.size();
  if (options.site >= sites) {
    return fail(Code::kInvalid, "site {} of {} addresses", options.site, sites);
  }
  std::vector<sockaddr_in> addresses;
  for (const std::string& text : options.addresses) {
    auto address = parse_address(text);
    if (!address) {
      return Failure(address.error());
    }
    addresses.push_back(*address);
  }
  auto listener = listen_at(addresses[options.site], options);
  if (!listener) {
    return Failure(listener.error());
  }
  TcpMesh mesh;
  mesh.site_ = options.site;
  mesh.buffer_wanted_ = options.socket_buffer;
  mesh.outgoing_.resize(sites);
  mesh.incoming_.resize(sites);
  for (std::size_t peer = 0; peer < sites; ++peer) {
    while (peer != options.site && !mesh.outgoing_[peer].open()) {
      if (system_now() >= deadline) {
        return fail(Code::kTimeout, "{} does not answer", options.addresses[peer]);
      }
      mesh.outgoing_[peer] = dial(addresses[peer], options, deadline);
      if (!mesh.outgoing_[peer].open()) {
        poll(nullptr, 0, static_cast<int>(kRedial.count_ms()));
      }
    }
  }
  for (std::size_t count = 1; count < sites; ++count) {
    auto accepted = accept_one(listener->fd(), sites, deadline);
    if (!accepted) {
      return Failure(accepted.error());
    }
    if (accepted->first == options.site || mesh.incoming_[accepted->first].open()) {
      return fail(Code::kCorrupt, "site {} connected twice", accepted->first);
    }
    mesh.incoming_[accepted->first] = std::move(accepted->second);
  }
  return mesh;
}

std::string TcpMesh::description() const {
  for (const Socket& socket : outgoing_) {
    if (socket.open()) {
      std::array<char, 32> name = {};
      socklen_t size = name.size() - 1;
      getsockopt(socket.fd(), IPPROTO_TCP, TCP_CONGESTION, name.data(), &size);
      const int sending = read_option(socket.fd(), SO_SNDBUF);
      return fmt::format("TCP {}, send buffer {} B, receive buffer {} B{}",
                         name.data(),
                         sending,
                         read_option(socket.fd(), SO_RCVBUF),
                         Bytes(static_cast<std::uint64_t>(sending)) < buffer_wanted_
                             ? ", which the kernel lets grow"
                             : "");
    }
  }
  return "TCP without peers";
}

}  // namespace godwit::baselines

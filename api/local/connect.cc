#include "api/local/connect.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "api/local/greeting.h"
#include "api/local/poll_timeout.h"
#include "dataplane/base/system_time.h"

namespace godwit::local {
namespace {

// A listening socket whose queue is full refuses at once; ask again this often. Chosen.
constexpr Duration kRetryEvery = Duration::ms(10);

// The client's end of a mapped channel.
class ClientEnd final : public SocketChannel {
 public:
  ClientEnd(Descriptor socket, SharedMemory memory)
      : SocketChannel(memory.to_gateway(), memory.to_client(), Trust::kTrustedPeer),
        socket_(std::move(socket)),
        memory_(std::move(memory)) {}

  int fd() const override { return socket_.get(); }
  bool clear_doorbell() override { return local::clear_doorbell(socket_.get()); }

 private:
  void ring_doorbell() override { local::ring_doorbell(socket_.get()); }

  Descriptor socket_;
  SharedMemory memory_;
};

Result<Descriptor> dial(const std::string& path, Instant deadline) {
  sockaddr_un address{};
  if (auto filled = fill_address(path.c_str(), address); !filled) {
    return Failure(filled.error());
  }
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) {
    return fail(Code::kIo, "socket: {}", error_text(errno));
  }
  const void* place = &address;
  while (::connect(socket.get(), static_cast<const sockaddr*>(place), sizeof(address)) != 0) {
    const bool queue_full = errno == EAGAIN || errno == EINTR;
    if (!queue_full || system_now() >= deadline) {
      return fail(queue_full ? Code::kTimeout : Code::kIo,
                  "no gateway answers on {}: {}",
                  path,
                  error_text(errno));
    }
    ::poll(nullptr, 0, static_cast<int>(kRetryEvery.count_ms()));
  }
  return socket;
}

// Receives what is there of the greeting, and the descriptor that comes with its first byte.
ssize_t receive_part(int socket, std::span<std::byte> out, Descriptor& memory) {
  iovec part{out.data(), out.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> ancillary{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = ancillary.data();
  message.msg_controllen = ancillary.size();
  const ssize_t got = ::recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got > 0) {
    const cmsghdr* const rights = CMSG_FIRSTHDR(&message);
    const bool are_descriptors =
        rights != nullptr && rights->cmsg_level == SOL_SOCKET && rights->cmsg_type == SCM_RIGHTS;
    const std::size_t bytes = are_descriptors ? rights->cmsg_len - CMSG_LEN(0) : 0;
    // There is room for a second one where it is aligned; all that come are ours to close.
    for (std::size_t at = 0; at + sizeof(int) <= bytes; at += sizeof(int)) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(rights) + at, sizeof(fd));
      memory = Descriptor(fd);
    }
  }
  return got;
}

}  // namespace

Result<std::unique_ptr<SocketChannel>> connect(const std::string& socket_path, Duration deadline) {
  const Instant until = system_now() + deadline;
  auto socket = dial(socket_path, until);
  if (!socket) {
    return Failure(socket.error());
  }
  const ClientGreeting hello = make_client_greeting();
  if (::send(socket->get(), hello.data(), hello.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(hello.size())) {
    return fail(Code::kClosed, "the gateway on {} closed before the greeting", socket_path);
  }
  GatewayGreeting answer{};
  std::size_t have = 0;
  Descriptor memory_fd;
  while (have < answer.size()) {
    const ssize_t got = receive_part(socket->get(), std::span(answer).subspan(have), memory_fd);
    if (got > 0) {
      have += static_cast<std::size_t>(got);
      continue;
    }
    if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
      return fail(Code::kClosed, "the gateway on {} closed during the greeting", socket_path);
    }
    pollfd wait{socket->get(), POLLIN, 0};
    if (::poll(&wait, 1, poll_timeout(system_now(), until)) == 0 && system_now() >= until) {
      return fail(Code::kTimeout, "the gateway on {} did not greet in time", socket_path);
    }
  }
  const auto shape = read_gateway_greeting(answer);
  if (!shape) {
    return Failure(shape.error());
  }
  auto memory = SharedMemory::map(std::move(memory_fd), *shape);
  if (!memory) {
    return Failure(memory.error());
  }
  return std::make_unique<ClientEnd>(std::move(*socket), std::move(*memory));
}

}  // namespace godwit::local

#include "api/local/server.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "api/local/greeting.h"
#include "dataplane/base/log.h"

namespace godwit::local {
namespace {

constexpr std::uint64_t kListenerTag = 0;
constexpr int kBacklog = 64;                 // connections the kernel queues. Chosen
constexpr std::size_t kUngreetedMax = 64;    // silent connections; the oldest gives way. Chosen
constexpr std::size_t kEventsPerPoll = 64;   // chosen
constexpr std::size_t kAcceptsPerPoll = 16;  // chosen

// The gateway's end of a mapped channel.
class GatewayEnd final : public Channel {
 public:
  GatewayEnd(int socket, const SharedMemory& memory)
      : Channel(memory.to_client(), memory.to_gateway(), Trust::kHostilePeer), socket_(socket) {}
  void mute() { socket_ = -1; }

 private:
  void ring_doorbell() override {
    if (socket_ >= 0) {
      local::ring_doorbell(socket_);
    }
  }
  int socket_;
};

bool somebody_answers(const sockaddr_un& address) {
  const Descriptor probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const void* place = &address;
  return ::connect(probe.get(), static_cast<const sockaddr*>(place), sizeof(address)) == 0 ||
         errno == EAGAIN;
}

}  // namespace

struct Server::Connection {
  ClientId id{};
  Descriptor socket;
  ucred peer{};
  ClientGreeting greeting{};
  std::size_t greeting_bytes = 0;
  SharedMemory memory;
  std::unique_ptr<GatewayEnd> channel;  // empty until greeted

  bool is_greeted() const { return channel != nullptr; }
  void close_socket() {
    if (channel) {
      channel->mute();
    }
    socket.reset();  // leaves the epoll set with it
  }
};

Server::Server(ServerOptions options) : options_(std::move(options)) {}

Server::~Server() {
  if (listener_) {
    ::unlink(options_.socket_path.c_str());
  }
}

Result<std::unique_ptr<Server>> Server::listen(ServerOptions options) {
  const ChannelShape shape{options.to_gateway_bytes, options.to_client_bytes};
  if (!shape.is_possible()) {
    return fail(Code::kInvalid,
                "ring sizes must be powers of two in [{}, {}]",
                kRingBytesMin,
                kRingBytesMax);
  }
  std::unique_ptr<Server> server(new Server(std::move(options)));
  if (auto opened = server->open(); !opened) {
    return Failure(opened.error());
  }
  return server;
}

Result<void> Server::open() {
  const char* const path = options_.socket_path.c_str();
  sockaddr_un address{};
  if (auto filled = fill_address(path, address); !filled) {
    return filled;
  }
  struct stat info {};
  if (::lstat(path, &info) == 0) {
    if (!S_ISSOCK(info.st_mode)) {
      return fail(Code::kRefused, "{} exists and is not a socket", path);
    }
    if (somebody_answers(address)) {
      return fail(Code::kRefused, "another gateway already listens on {}", path);
    }
    ::unlink(path);
  }
  Descriptor listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const void* place = &address;
  if (!listener ||
      ::bind(listener.get(), static_cast<const sockaddr*>(place), sizeof(address)) != 0) {
    return fail(Code::kIo, "cannot listen on {}: {}", path, error_text(errno));
  }
  // Nobody can connect before listen(), so the mode is in force from the start.
  if (::chmod(path, options_.socket_mode) != 0 || ::listen(listener.get(), kBacklog) != 0) {
    return fail(Code::kIo, "cannot listen on {}: {}", path, error_text(errno));
  }
  epoll_ = Descriptor(::epoll_create1(EPOLL_CLOEXEC));
  spare_ = Descriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!epoll_ || !watch(listener.get(), kListenerTag)) {
    return fail(Code::kIo, "epoll: {}", error_text(errno));
  }
  listener_ = std::move(listener);
  return {};
}

bool Server::watch(int fd, std::uint64_t tag) {
  epoll_event interest{};
  interest.events = EPOLLIN;
  interest.data.u64 = tag;
  return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &interest) == 0;
}

std::optional<ServerEvent> Server::poll_event() {
  if (events_.empty()) {
    std::array<epoll_event, kEventsPerPoll> ready{};
    const int count = ::epoll_wait(epoll_.get(), ready.data(), static_cast<int>(ready.size()), 0);
    for (int i = 0; i < count; ++i) {
      on_ready(ready[static_cast<std::size_t>(i)].data.u64);
    }
  }
  if (events_.empty()) {
    return std::nullopt;
  }
  ServerEvent event = std::move(events_.front());
  events_.pop_front();
  return event;
}

void Server::on_ready(std::uint64_t tag) {
  if (tag == kListenerTag) {
    accept_waiting();
    return;
  }
  const auto found = clients_.find(tag);
  if (found == clients_.end() || !found->second->socket) {
    return;  // closed earlier in this turn
  }
  Connection& connection = *found->second;
  if (!connection.is_greeted()) {
    greet(connection);
  } else if (clear_doorbell(connection.socket.get())) {
    events_.push_back({ServerEvent::Kind::kDoorbell, connection.id});
  } else {
    connection.close_socket();
    ServerEvent event{ServerEvent::Kind::kDisconnected, connection.id};
    event.reason = "the client closed or its process ended";
    events_.push_back(std::move(event));
  }
}

void Server::accept_waiting() {
  for (std::size_t i = 0; i < kAcceptsPerPoll; ++i) {
    Descriptor socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket && (errno == EMFILE || errno == ENFILE)) {
      // Without this the waiting connection would wake us for ever: spend the spare descriptor on
      // turning it away.
      spare_.reset();
      socket = Descriptor(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      socket.reset();
      spare_ = Descriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC));
      ++turned_away_.by_limit;
      log::warn("a local client was turned away: no descriptors left");
      return;
    }
    if (!socket) {
      return;
    }
    if (clients_.size() >= options_.clients_max + kUngreetedMax) {
      ++turned_away_.by_limit;
      send_greeting(socket.get(), make_gateway_greeting(std::nullopt), -1);
      continue;
    }
    auto connection = std::make_unique<Connection>();
    connection->id = ClientId{next_id_++};
    socklen_t length = sizeof(connection->peer);
    if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &connection->peer, &length) != 0) {
      continue;
    }
    const auto key = static_cast<std::uint64_t>(connection->id);
    if (!watch(socket.get(), key)) {
      continue;
    }
    connection->socket = std::move(socket);
    Connection& added = *clients_.emplace(key, std::move(connection)).first->second;
    ungreeted_.push_back(key);
    greet(added);  // it is usually there already
    if (ungreeted_.size() > kUngreetedMax) {
      clients_.erase(ungreeted_.front());
      ungreeted_.pop_front();
    }
  }
}

// Reads the client's greeting, however slowly it comes; answers it with the rings.
void Server::greet(Connection& connection) {
  const std::span<std::byte> rest =
      std::span(connection.greeting).subspan(connection.greeting_bytes);
  // recv() without room for ancillary data: the kernel closes descriptors that a client sends.
  const ssize_t got = ::recv(connection.socket.get(), rest.data(), rest.size(), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
    return;
  }
  const auto key = static_cast<std::uint64_t>(connection.id);
  if (got > 0) {
    connection.greeting_bytes += static_cast<std::size_t>(got);
    if (connection.greeting_bytes < connection.greeting.size()) {
      return;
    }
  }
  std::erase(ungreeted_, key);
  const bool room = clients_.size() - ungreeted_.size() <= options_.clients_max;
  const bool spoke = got > 0 && accepts(connection.greeting);
  if (!spoke || !room || !give_rings(connection)) {
    if (got > 0) {
      ++(spoke ? turned_away_.by_limit : turned_away_.by_version);
      send_greeting(connection.socket.get(), make_gateway_greeting(std::nullopt), -1);
    }
    clients_.erase(key);
    return;
  }
  ServerEvent event{ServerEvent::Kind::kConnected, connection.id};
  event.uid = connection.peer.uid;
  event.gid = connection.peer.gid;
  event.pid = connection.peer.pid;
  events_.push_back(std::move(event));
}

bool Server::give_rings(Connection& connection) {
  const ChannelShape shape{options_.to_gateway_bytes, options_.to_client_bytes};
  auto memory = SharedMemory::create(shape);
  if (!memory) {
    log::warn("a local client was turned away: {}", memory.error().message);
    return false;
  }
  if (!send_greeting(connection.socket.get(), make_gateway_greeting(shape), memory->fd())) {
    return false;
  }
  connection.memory = std::move(*memory);
  connection.channel = std::make_unique<GatewayEnd>(connection.socket.get(), connection.memory);
  return true;
}

Channel* Server::channel(ClientId client) {
  const auto found = clients_.find(static_cast<std::uint64_t>(client));
  return found == clients_.end() ? nullptr : found->second->channel.get();
}

void Server::disconnect(ClientId client) {
  const auto found = clients_.find(static_cast<std::uint64_t>(client));
  if (found != clients_.end()) {
    found->second->close_socket();
  }
}

void Server::forget(ClientId client) {
  clients_.erase(static_cast<std::uint64_t>(client));
  std::erase_if(events_, [client](const ServerEvent& event) { return event.client == client; });
}

}  // namespace godwit::local

// The gateway's door for local clients: a Unix socket, and a sealed memory of rings per client.
//
// The worker watches fd() and calls poll_event() until it returns nothing. A client's channel
// stays usable after kDisconnected, so that the complete records of a dead client can be drained;
// forget() gives its memory back.
//
// Thread: one. Memory: the two rings of each client, at most clients_max of them; nothing is
// allocated for a connection that has not said its greeting.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include <sys/types.h>

#include "api/local/channel.h"
#include "api/local/descriptor.h"
#include "dataplane/base/result.h"

namespace godwit::local {

// A connection of a client; never reused while the server lives.
enum class ClientId : std::uint64_t {
};

struct ServerOptions {
  std::string socket_path = {};
  std::size_t to_gateway_bytes = std::size_t{32} << 20;  // ring for publishes; a power of two
  std::size_t to_client_bytes = std::size_t{16} << 20;   // ring for deliveries; a power of two
  std::size_t clients_max = 256;                         // further ones are turned away. Chosen
  mode_t socket_mode = 0660;                             // who may connect
};

struct ServerEvent {
  enum class Kind : std::uint8_t {
    kConnected,     // a client passed the greeting; uid, gid and pid are the kernel's word
    kDoorbell,      // records to receive, or room to send after a send() was refused
    kDisconnected,  // the client's process ended or it closed: see reason
  };
  Kind kind;
  ClientId client;
  uid_t uid = 0;
  gid_t gid = 0;
  pid_t pid = 0;
  std::string reason = {};  // kDisconnected only
};

// Connections that never became clients, since listen().
struct TurnedAway {
  std::uint64_t by_limit = 0;    // clients_max, descriptors or memory
  std::uint64_t by_version = 0;  // no greeting that this build can answer
};

class Server {
 public:
  // Makes the socket. A path left behind by a process that ended is replaced; a path on which
  // somebody answers is an error.
  static Result<std::unique_ptr<Server>> listen(ServerOptions options);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Readable whenever poll_event() has something to say. Owned by the server.
  int fd() const { return epoll_.get(); }

  // The next event, or nothing. Never waits.
  std::optional<ServerEvent> poll_event();

  // The channel of a client; nullptr when unknown or forgotten.
  Channel* channel(ClientId client);

  // Ends the connection from our side (the client sees its socket close). Its channel stays until
  // forget(). No kDisconnected follows.
  void disconnect(ClientId client);

  // Gives the rings back.
  void forget(ClientId client);

  std::size_t client_count() const { return clients_.size(); }
  const TurnedAway& turned_away() const { return turned_away_; }

 private:
  struct Connection;
  explicit Server(ServerOptions options);
  Result<void> open();
  bool watch(int fd, std::uint64_t tag);
  void on_ready(std::uint64_t tag);
  void accept_waiting();
  void greet(Connection& connection);
  bool give_rings(Connection& connection);

  ServerOptions options_;
  Descriptor listener_;
  Descriptor epoll_;
  Descriptor spare_;  // given up to turn a client away when descriptors run out
  std::uint64_t next_id_ = 1;
  std::unordered_map<std::uint64_t, std::unique_ptr<Connection>> clients_;
  std::deque<std::uint64_t> ungreeted_;  // oldest first
  std::deque<ServerEvent> events_;
  TurnedAway turned_away_;
};

}  // namespace godwit::local

// The Unix socket on which the command `godwit` asks: one length-prefixed request, one response.
//
// The worker watches fd() and calls poll() in its turn; answers are built by the function given.
// Every connection is bounded: at most kConnectionsMax at once, a request of at most 64 KiB, and
// whoever neither sends nor reads is closed when room is needed.
//
// Thread: the worker.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <span>
#include <string>

#include "dataplane/base/result.h"

namespace godwit::gateway {

class AdminServer {
 public:
  static constexpr std::size_t kRequestBytesMax = 64 * 1024;
  static constexpr std::size_t kConnectionsMax = 16;  // chosen: a few people and a watcher

  // Takes a serialised AdminRequest, returns a serialised AdminResponse.
  using Answer = std::function<std::string(std::span<const std::byte>)>;

  // Makes the socket (mode 0600); a path left by a process that ended is replaced.
  static Result<std::unique_ptr<AdminServer>> listen(const std::string& path, Answer answer);
  ~AdminServer();
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;

  // Readable whenever poll() has something to do.
  int fd() const { return epoll_; }
  void poll();

 private:
  struct Connection {
    int fd = -1;
    std::string in;
    std::string out;
    std::size_t sent = 0;
  };

  AdminServer(std::string path, Answer answer)
      : path_(std::move(path)), answer_(std::move(answer)) {}
  Result<void> open();
  void accept_all();
  enum class Request : std::uint8_t {
    kAnswered,    // the answer waits to be sent
    kIncomplete,  // more bytes are needed
    kBroken,      // a length that no request has
  };
  // False: the connection is over.
  bool serve(Connection& connection);
  enum class Sent : std::uint8_t {
    kAll,
    kLater,  // the other end does not read fast enough
    kBroken,
  };
  Sent send_answer(Connection& connection) const;
  Request take_request(Connection& connection) const;
  void watch(const Connection& connection, bool writable) const;

  std::string path_;
  Answer answer_;
  int listener_ = -1;
  int epoll_ = -1;
  std::list<Connection> connections_;  // the oldest first
};

}  // namespace godwit::gateway

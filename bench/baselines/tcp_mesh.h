// The kernel TCP connections of one site: one to every other site for sending, one from each for
// receiving.
//
// Connections are one per ordered pair, as the parameter-server systems of the literature have
// them. Every option that matters is set before connecting and read back afterwards.
//
// Thread: one owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "dataplane/base/result.h"
#include "dataplane/base/units.h"

namespace godwit::baselines {

struct MeshOptions {
  std::size_t site = 0;                // own index in `addresses`
  std::vector<std::string> addresses;  // "IPv4:port" of every site
  std::string congestion_control = "bbr";
  Bytes socket_buffer = Bytes::mib(4);  // at least 2 bandwidth-delay products, said by the caller
  // TCP_NOTSENT_LOWAT: what may wait unsent in the kernel before the socket counts as busy. Small,
  // so that what is sent is fresh (chosen; 64 KiB trains of the kernel fit twice).
  Bytes not_sent_low_water = Bytes::kib(128);
};

// A connected socket; closes itself.
class Socket {
 public:
  Socket() = default;
  explicit Socket(int fd) : fd_(fd) {}
  Socket(Socket&& other) noexcept;
  Socket& operator=(Socket&& other) noexcept;
  ~Socket();

  int fd() const { return fd_; }
  bool open() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

class TcpMesh {
 public:
  // Listens, connects to every peer and waits until every peer has connected here.
  static Result<TcpMesh> connect(const MeshOptions& options, Instant deadline);

  std::size_t site() const { return site_; }
  std::size_t sites() const { return outgoing_.size(); }

  // Non-blocking descriptors; -1 for the site itself.
  int outgoing(std::size_t peer) const { return outgoing_.at(peer).fd(); }
  int incoming(std::size_t peer) const { return incoming_.at(peer).fd(); }

  // E.g. "TCP bbr, send buffer 8388608 B, receive buffer 8388608 B", read back from the kernel; it
  // says so when they are still smaller than was wanted, and may grow.
  std::string description() const;

 private:
  std::size_t site_ = 0;
  Bytes buffer_wanted_;
  std::vector<Socket> outgoing_;
  std::vector<Socket> incoming_;
};

}  // namespace godwit::baselines

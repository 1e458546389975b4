// The client's side of the door: connects to a gateway's socket and maps the rings it gives.
//
// Thread: as Channel; wait() belongs to the receiving thread, wake() to any.
#pragma once

#include <memory>
#include <string>

#include "api/local/channel.h"
#include "dataplane/base/result.h"
#include "dataplane/base/units.h"

namespace godwit::local {

// A channel over a real socket.
class SocketChannel : public Channel {
 public:
  // Readable when the gateway rang; read it with clear_doorbell().
  virtual int doorbell_fd() const = 0;
  // Readable or hung up when the gateway is gone.
  virtual int liveness_fd() const = 0;
  virtual void clear_doorbell() = 0;
  // False once the gateway closed the connection. Records already in the ring stay readable.
  virtual bool peer_alive() = 0;

 protected:
  using Channel::Channel;
};

// Connects and waits at most `deadline` for the gateway's greeting.
Result<std::unique_ptr<SocketChannel>> connect(const std::string& socket_path, Duration deadline);

}  // namespace godwit::local

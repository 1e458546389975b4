// The client's side of the door: connects to a gateway's socket and maps the rings it gives.
//
// Thread: one at a time.
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
  // Readable when the gateway rang or is gone; answer with clear_doorbell().
  virtual int fd() const = 0;
  // Takes the doorbell's bytes. False once the gateway is gone; records that are already in the
  // ring stay readable.
  virtual bool clear_doorbell() = 0;

 protected:
  using Channel::Channel;
};

// Connects and waits at most `deadline` for the gateway's greeting.
Result<std::unique_ptr<SocketChannel>> connect(const std::string& socket_path, Duration deadline);

}  // namespace godwit::local

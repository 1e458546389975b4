// Opens a UDP port on the kernel's sockets: io_uring where it is allowed, epoll elsewhere.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "dataplane/base/result.h"
#include "dataplane/base/units.h"
#include "dataplane/port/port.h"

namespace godwit::port {

enum class UdpEngine : std::uint8_t {
  kAutomatic,  // io_uring, or epoll when the kernel refuses it
  kUring,      // io_uring or an error
  kEpoll,      // epoll (recvmsg, sendmsg), also with GSO and GRO
};

struct UdpOptions {
  Peer local;  // port 0: the system chooses
  UdpEngine engine = UdpEngine::kAutomatic;
  // Socket buffers, bytes. 16 MiB is 130 ms of 1 Gbit/s; the kernel may grant less (logged).
  int socket_buffer_bytes = 16 << 20;
  // Receive buffers of 64 KiB (one GRO train each), a power of two; 256 are 16 MiB.
  unsigned receive_buffers = 256;
};

// The environment variable GODWIT_PORT_ENGINE=epoll|uring overrides `engine` when it is automatic.
// Errors: kIo with the system's text, kUnsupported when a forced engine is not available.
Result<std::unique_ptr<Port>> make_udp_port(const UdpOptions& options);

}  // namespace godwit::port

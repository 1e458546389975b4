// What this machine has: containers may forbid io_uring, hosts may have no IPv6.
#pragma once

#include "dataplane/port/udp.h"

namespace godwit::port {

// Whether a port of this engine can be bound to the address. Few buffers, or it would take seconds.
inline bool opens(const char* address, UdpEngine engine) {
  return make_udp_port(
             {.local = Peer::parse(address).value(), .engine = engine, .receive_buffers = 4})
      .has_value();
}

}  // namespace godwit::port

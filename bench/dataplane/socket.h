// Blocking IPv4 sockets for the reference programs: opened, limited in how long they block.
#pragma once

#include <sys/socket.h>

#include "bench/wan/os.h"
#include "dataplane/base/result.h"
#include "dataplane/base/units.h"
#include "dataplane/port/peer.h"

namespace godwit::bench {

using wan::Descriptor;
using wan::system_failure;

// A socket of `type` (SOCK_STREAM, SOCK_DGRAM) whose calls return after at most `wait`.
Result<Descriptor> open_socket(int type, Duration wait);
Result<void> limit_blocking(const Descriptor& socket, Duration wait);
// False: the system refuses that value.
bool set_option(const Descriptor& socket, int level, int option, int value);

Result<void> bind_to(const Descriptor& socket, const port::Peer& local);
Result<void> connect_to(const Descriptor& socket, const port::Peer& remote);
Result<port::Peer> local_of(const Descriptor& socket);
Result<Descriptor> accept_one(const Descriptor& listener, Duration wait);

}  // namespace godwit::bench

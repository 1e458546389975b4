// The table of functions by which ngtcp2 calls a session.
#pragma once

#include "dataplane/transport/quic_compat.h"

namespace godwit::transport {

// The user data of the connection must be its QuicSession.
ngtcp2_callbacks quic_callbacks(bool dialled);

}  // namespace godwit::transport

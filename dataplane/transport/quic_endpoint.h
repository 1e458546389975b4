// The endpoint that speaks QUIC version 1 (RFC 9000) through ngtcp2 over one port.
//
//     port ──trains──▶ by connection id ──▶ QuicSession ──▶ events
//     port ◀──trains── shaper per link  ◀── QuicSession ◀── transfers, control
//
// Packets are taken only from the hosts of `configure`; everything else is counted and dropped
// before a byte of it is parsed further than its source.
//
// Thread: one worker. Memory: bounded by sessions_max × (window + control backlog + buffers).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "dataplane/base/random.h"
#include "dataplane/base/units.h"
#include "dataplane/port/port.h"
#include "dataplane/transport/endpoint.h"
#include "dataplane/transport/tls_context.h"

namespace godwit::transport {

// BBR2 is not offered: the library's has a known failing assertion.
enum class CongestionControl : std::uint8_t {
  kBbr,
  kCubic
};

struct QuicOptions {
  CongestionControl congestion = CongestionControl::kBbr;
  // UDP payload of a full packet, bytes: 1,452 fits 1,500-byte paths with IPv4 and IPv6 minus the
  // usual tunnel's worth for neither; operators lower it for tunnels and raise it to 8,900 on
  // jumbo paths. Fixed, no discovery. 1,200 .. 8,952.
  std::size_t packet_bytes = 1452;
  // Heard nothing for this long (or for 4 PTO, if that is longer): the session is dead.
  Duration silence_max = Duration::ms(3000);
  // Sends a PING when nothing was sent for this long, so that a live peer is never silent.
  Duration keep_alive = Duration::ms(700);
  // A handshake that got this far but no further is given up.
  Duration handshake_timeout = Duration::ms(10'000);
  // Incoming transfers open at once. 1,024 is the lanes' window; their bytes are bounded by
  // `window_bytes`, which is the smaller limit.
  std::uint64_t streams_max = 1024;
  // Unread bytes a peer may have under way to us, without a cap; with one it is 2 × cap × 500 ms
  // within [4 MiB, 64 MiB].
  std::uint64_t window_bytes = std::uint64_t{32} << 20;
  std::uint64_t control_backlog_bytes = std::uint64_t{1} << 20;  // unacknowledged control
  std::size_t sessions_max = 256;                                // all sessions of this endpoint
  std::size_t handshakes_max = 64;                               // accepted and not yet proven
};

// `port`, `tls` and `random` must outlive the endpoint.
std::unique_ptr<Endpoint> make_quic_endpoint(port::Port& port,
                                             TlsContext& tls,
                                             QuicOptions options,
                                             Random& random);

}  // namespace godwit::transport

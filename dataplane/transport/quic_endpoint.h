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
#include "dataplane/transport/marking.h"
#include "dataplane/transport/tls_context.h"

namespace godwit::transport {

// BBR2 is not offered: the library's has a known failing assertion.
enum class CongestionControl : std::uint8_t {
  kBbr,
  kCubic
};

struct QuicOptions {
  CongestionControl congestion = CongestionControl::kBbr;
  // UDP payload of a full packet, bytes: 1,452 fills a 1,500-byte path under IPv6 and fits under
  // IPv4. Lower it for tunnels, raise it to 8,900 on jumbo paths; it is not discovered.
  // 1,200 .. 8,952, and at most the port's.
  std::size_t packet_bytes = 1452;
  // Codepoints of what is sent; none by default.
  Markings markings = {};
  // Heard nothing for this long (or for 4 PTO, if that is longer): the session is dead.
  Duration silence_max = Duration::ms(3000);
  // Sends a PING when nothing was sent for this long, so that a live peer is never silent.
  Duration keep_alive = Duration::ms(700);
  // A handshake that got this far but no further is given up.
  Duration handshake_timeout = Duration::ms(10'000);
  // Incoming transfers open at once. A stream's credit comes back two round trips after its first
  // byte: 500 Mbit/s of 64 KiB transfers over 400 ms have 800 open. Bytes are bounded by the
  // window.
  std::uint64_t streams_max = 2048;
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

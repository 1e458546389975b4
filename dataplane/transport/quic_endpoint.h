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
#include "dataplane/transport/admission.h"
#include "dataplane/transport/endpoint.h"
#include "dataplane/transport/marking.h"
#include "dataplane/transport/tls_context.h"

namespace godwit::transport {

// What one peer may make a session keep or do; exceeding one ends the session with kLimit. The
// library bounds the rest: crypto data out of order (64 KiB a level), unanswered path challenges
// (4), ids of the peer's in use (2), acknowledged ranges (1,024).
struct SessionLimits {
  // UDP payload received before the peer is proven, bytes: chain, greeting and repetitions. Chosen.
  std::uint64_t handshake_bytes = 64 * 1024;
  // TLS messages of one encryption level, bytes: four certificates fit. Chosen.
  std::uint64_t crypto_bytes = 32 * 1024;
  // Connection ids issued and taken into use over a session's life. Nobody migrates, so an honest
  // one needs three; without a limit a peer retires ids for ever and makes us write new ones.
  std::uint64_t connection_ids = 16;
  // Datagrams at once, and one more every 50 ms. Honest ones are probes of the path (path_mtu.h):
  // at most 27 for a whole search.
  std::int64_t datagrams_burst = 64;
};

// Fills a 9,000-byte path under IPv6.
inline constexpr std::size_t kPacketBytesMax = 8952;

struct QuicOptions {
  CongestionControl congestion = CongestionControl::kBbr;  // of links that name none
  // Most UDP payload of a packet, bytes; what the path carries up to here is discovered. 1,452
  // fills a 1,500-byte path under IPv6 and fits under IPv4; 8,900 suits jumbo paths. 1,200 turns
  // discovery off. 1,200 .. 8,952, and at most the port's.
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
  // byte: 500 Mbit/s of 48 KiB transfers over 400 ms have 1,017 open. Bytes are bounded by the
  // window.
  std::uint64_t streams_max = 2048;
  // Unread bytes a peer may have under way to us, without a cap; with one it is 2 × cap × the
  // round trip, 500 ms at least, within [4 MiB, 64 MiB].
  std::uint64_t window_bytes = std::uint64_t{32} << 20;
  std::uint64_t control_backlog_bytes = std::uint64_t{1} << 20;  // unacknowledged control
  std::size_t sessions_max = 256;                                // all sessions of this endpoint
  AdmissionLimits admission = {};
  SessionLimits session = {};
  // Packets sent under one key before it is changed. 2^23 is the limit of AES-GCM at which the
  // library changes it by itself (RFC 9001 section 6.6); half of it leaves time. 0: its own only.
  std::uint64_t key_update_packets = std::uint64_t{1} << 22;
};

// `port`, `tls` and `random` must outlive the endpoint.
std::unique_ptr<Endpoint> make_quic_endpoint(port::Port& port,
                                             TlsContext& tls,
                                             QuicOptions options,
                                             Random& random);

}  // namespace godwit::transport

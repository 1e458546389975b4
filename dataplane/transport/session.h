// One secured conversation with one peer site over one link: ordered control, unordered transfers.
//
//     gateway ──send_control──▶ ┌─────────┐ ──▶ one ordered stream, first in every packet
//             ──send_transfer─▶ │ Session │ ──▶ one stream per transfer
//             ◀──poll_event──── └─────────┘
//
// The gateway asks `wants_transfer` and only then chooses what to send, so that the choice is as
// late as possible; what is handed over is sent to the end. A transfer may be lost only together
// with the session; delivery to the peer's gateway is told by the gateway's own receipts, not here.
//
// Thread: the worker that owns the endpoint. Memory: arguments are copied; events own their bytes.
// Time: `now` comes first and never goes back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "dataplane/base/units.h"
#include "dataplane/port/peer.h"
#include "dataplane/transport/buffer.h"
#include "dataplane/transport/close_reason.h"
#include "dataplane/transport/marking.h"

namespace godwit::transport {

// The largest transfer: 64 KiB of coded bytes and up to 8 KiB of header (stream window, bytes).
inline constexpr std::size_t kTransferBytesMax = 72 * 1024;
// The largest control message, bytes.
inline constexpr std::size_t kControlBytesMax = 64 * 1024;

// Who the peer proved to be.
struct Identity {
  std::string site;  // from the certificate's subject alternative name
  // The earliest end from the certificate to the authority that it hangs on; seconds since 1970
  // UTC.
  std::int64_t valid_until = 0;
  std::string certificate_sha256;  // 64 hexadecimal digits, for the operator
};

// Figures of the present connection. Zero where nothing is known yet.
struct SessionStats {
  Duration rtt_smoothed = Duration::zero();
  Duration rtt_min = Duration::zero();
  Duration rtt_latest = Duration::zero();
  Duration rtt_variation = Duration::zero();  // mean deviation (RFC 9002 section 5.3)
  BitRate rate = BitRate::bps(0);             // of the link, to plan with: cap or path, layer 3
  BitRate delivery = BitRate::bps(0);         // of the link, our estimate of what arrives, layer 3
  BitRate pacing = BitRate::bps(0);           // the congestion controller's; ours is the shaper's
  std::uint64_t congestion_window = 0;        // bytes
  std::uint64_t in_flight = 0;                // bytes
  std::uint64_t bytes_sent = 0;               // UDP payload
  std::uint64_t bytes_received = 0;           // UDP payload
  std::uint64_t packets_sent = 0;
  std::uint64_t packets_received = 0;
  // Packets with transfers or control that the library declared lost, spurious ones among them.
  // Counted when the transfer is acknowledged, once for each transfer in the packet.
  std::uint64_t packets_lost = 0;
  std::uint64_t probe_timeouts = 0;  // times nothing was acknowledged for a PTO (RFC 9002, 6.2)
  std::uint64_t key_updates = 0;     // by either end
  std::uint64_t packet_bytes = 0;    // UDP payload of a full packet now
  std::uint64_t path_probes_lost = 0;
  std::uint64_t black_holes = 0;     // times the path stopped carrying the present size
  std::uint64_t transfers_sent = 0;  // handed over completely and acknowledged
  std::uint64_t transfers_received = 0;
  std::uint64_t streams_open = 0;  // both directions, control included
  // How long something waited to be sent: for the operator's cap; for our estimate of the path, the
  // congestion window or the congestion controller's pacer.
  Duration held_by_cap = Duration::zero();
  Duration held_by_congestion = Duration::zero();
};

struct Event {
  enum class Kind : std::uint8_t {
    kEstablished,  // `identity` is proven; control and transfers may be sent from now on
    kControl,      // `bytes` is one control message, in the order sent
    kTransfer,     // `bytes` is one complete transfer, in any order
    kClosed,       // the last event; `close` says why. Retire the session.
  };
  Kind kind = Kind::kClosed;
  Identity identity;
  std::string own_certificate;  // with kEstablished: the SHA-256 of the one that we showed
  Buffer bytes;
  Close close;
};

class Session {
 public:
  virtual ~Session() = default;

  // Does what is due at `now`; call it when `deadline` has come. (An endpoint does it itself in
  // its turn.)
  virtual void on_timeout(Instant now) = 0;
  // When the session next needs a turn; never() when only the peer can change that.
  virtual Instant deadline() const = 0;
  virtual std::optional<Event> poll_event() = 0;

  // True when less than a millisecond of the rate waits unsent and the peer can take more: the
  // moment to choose the next transfer. False before kEstablished and after kClosed.
  virtual bool wants_transfer() const = 0;
  // From when on the next transfer may be bulk: later than now only where bulk alone yields to
  // others on the path (PeerConfig::yields).
  virtual Instant bulk_ready_at() const { return Instant::from_ns(0); }
  // Queues one transfer of 1 .. kTransferBytesMax bytes. Ignored after kClosed. `precedence` marks
  // its packets; the order stays that of the calls.
  virtual void send_transfer(Instant now,
                             std::span<const std::byte> bytes,
                             Precedence precedence) = 0;
  void send_transfer(Instant now, std::span<const std::byte> bytes) {
    send_transfer(now, bytes, Precedence::kNormal);
  }
  // Queues one control message of 1 .. kControlBytesMax bytes; false: the backlog is full or the
  // session is not established, nothing was queued.
  virtual bool send_control(Instant now, std::span<const std::byte> message) = 0;

  // The rate the caller believes this session gets. `wants_transfer` wants a millisecond of it, 256
  // KiB at most; without a rate, of what the congestion controller takes the path for.
  virtual void set_rate(BitRate rate) = 0;
  virtual SessionStats stats() const = 0;
  // Transfer bytes queued and not yet put into a packet.
  virtual std::uint64_t unsent_bytes() const = 0;

  // The two ends of its path, fixed for its life. The own end has no host where the port is bound
  // to a wildcard address and we dialled without naming one of ours.
  virtual const port::Peer& remote() const = 0;
  virtual const port::Peer& local() const = 0;

  // Tells the peer `code` and `reason` (at most 256 bytes are sent) and ends with kClosed.
  virtual void close(Instant now, std::uint64_t code, std::string_view reason) = 0;
};

}  // namespace godwit::transport

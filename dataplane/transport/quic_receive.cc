// The receiving half of QuicSession: packets in, streams reassembled, events out.

#include <utility>

#include "dataplane/base/assert.h"
#include "dataplane/base/log.h"
#include "dataplane/transport/quic_session.h"

namespace godwit::transport {
namespace {

// A first block for an incoming transfer; it grows with what really comes.
constexpr std::size_t kFirstBlock = BufferPool::kSizes[1];

}  // namespace

int QuicSession::read(Instant now, std::span<const std::byte> packet, std::uint8_t ecn) {
  now_ = now;
  const ngtcp2_path way = path();
  ngtcp2_pkt_info info{};
  info.ecn = ecn;
  return ngtcp2_conn_read_pkt(connection_,
                              &way,
                              &info,
                              reinterpret_cast<const std::uint8_t*>(packet.data()),
                              packet.size(),
                              static_cast<ngtcp2_tstamp>((now - measurement_.earlier(now)).ns()));
}

void QuicSession::on_packet(Instant now, std::span<const std::byte> packet, std::uint8_t ecn) {
  if (phase_ == Phase::kClosed) {
    return;
  }
  note_in_flight();
  const int status = read(now, packet, ecn);
  wants_turn_ = true;
  ++totals_.packets_received;
  totals_.bytes_received += packet.size();
  if (status != 0) {
    on_library_error(now, status);
    return;
  }
  const quic::Figures figures = quic::figures(connection_);
  if (quic::kMeasuresPath && is_bbr() && figures.in_flight < in_flight_seen_) {
    measurement_.on_acknowledgement(now,
                                    Duration::ns(static_cast<std::int64_t>(figures.rtt_latest_ns)),
                                    figures.congestion_window <= measuring_window());
  }
  in_flight_seen_ = figures.in_flight;
  has_heard_ = true;
  last_heard_ = now;
  if (phase_ == Phase::kHandshake &&
      totals_.bytes_received > shared_.options.session.handshake_bytes) {
    refuse(CloseReason::kLimit, NGTCP2_INTERNAL_ERROR, "a handshake of too many bytes");
    on_library_error(now, NGTCP2_ERR_CALLBACK_FAILURE);
  }
}

bool QuicSession::is_reset_by(Instant now, std::span<const std::byte> packet) {
  if (phase_ != Phase::kEstablished) {
    return false;
  }
  const int status = read(now, packet, 0);
  if (was_reset_) {
    on_library_error(now, status);
  }
  return was_reset_;
}

int QuicSession::on_handshake_completed() {
  Verdict verdict = tls_->judge_peer(setup_.allowed_sites);
  if (verdict.reason != CloseReason::kNone) {
    return refuse(verdict.reason, NGTCP2_CRYPTO_ERROR | verdict.alert, std::move(verdict.text));
  }
  identity_ = std::move(verdict.identity);
  const std::int64_t left = identity_.valid_until - shared_.tls.unix_seconds();
  constexpr std::int64_t kCenturySeconds = std::int64_t{36'525} * 86'400;
  if (left < kCenturySeconds) {
    expires_at_ = now_ + Duration::ms(left * 1000);
  }
  // The acceptor's handshake is confirmed when it is complete (RFC 9001 section 4.1.2).
  if (!dialled_) {
    establish();
  }
  return 0;
}

void QuicSession::establish() {
  if (phase_ != Phase::kHandshake) {
    return;
  }
  phase_ = Phase::kEstablished;
  path_mtu_.lower_cap(static_cast<std::size_t>(
      ngtcp2_conn_get_remote_transport_params(connection_)->max_udp_payload_size));
  path_mtu_.start();
  if (dialled_) {  // of an accepted one the link is not settled yet
    take_path();
  }
  Queued queued;
  queued.event.kind = Event::Kind::kEstablished;
  queued.event.identity = identity_;
  queued.event.own_certificate = tls_->own().sha256;
  // The acceptor may have spoken before the dialer learned that its handshake is confirmed.
  events_.push_front(std::move(queued));
}

int QuicSession::refuse(CloseReason reason, std::uint64_t code, std::string text) {
  if (!refusal_) {
    refusal_ = Close{.reason = reason, .code = code, .by_peer = false, .text = std::move(text)};
  }
  return NGTCP2_ERR_CALLBACK_FAILURE;
}

int QuicSession::on_stream_data(std::int64_t stream,
                                std::span<const std::byte> bytes,
                                bool is_last) {
  if (is_local(stream)) {
    return bytes.empty()
               ? 0
               : refuse(
                     CloseReason::kProtocol, NGTCP2_PROTOCOL_VIOLATION, "data on a stream of ours");
  }
  if (stream == peer_control_stream()) {
    return is_last ? refuse(CloseReason::kProtocol,
                            NGTCP2_PROTOCOL_VIOLATION,
                            "the peer ended its control stream")
                   : on_control_data(bytes);
  }
  Incoming& transfer = incoming_[stream];
  if (transfer.bytes.size() + bytes.size() > kTransferBytesMax) {
    return refuse(CloseReason::kLimit,
                  NGTCP2_FLOW_CONTROL_ERROR,
                  fmt::format("a transfer of more than {} bytes", kTransferBytesMax));
  }
  if (!bytes.empty()) {
    transfer.bytes = transfer.bytes.capacity() == 0
                         ? shared_.pool.take(std::max(bytes.size(), kFirstBlock))
                         : shared_.pool.grown(std::move(transfer.bytes), bytes.size());
    transfer.bytes.append(bytes);
  }
  if (!is_last) {
    return 0;
  }
  if (transfer.bytes.empty()) {
    return refuse(CloseReason::kProtocol, NGTCP2_PROTOCOL_VIOLATION, "an empty transfer");
  }
  transfer.is_complete = true;
  closing_.push_back(stream);
  ++totals_.transfers_received;
  Queued queued;
  queued.event.kind = Event::Kind::kTransfer;
  queued.stream = stream;
  queued.credit = transfer.bytes.size();
  queued.event.bytes = std::move(transfer.bytes);
  events_.push_back(std::move(queued));
  return 0;
}

int QuicSession::on_control_data(std::span<const std::byte> bytes) {
  while (auto message = control_reader_.next(bytes)) {
    Queued queued;
    queued.event.kind = Event::Kind::kControl;
    queued.stream = peer_control_stream();
    queued.credit = kControlHeaderBytes + message->size();
    queued.event.bytes = std::move(*message);
    events_.push_back(std::move(queued));
  }
  if (control_reader_.is_broken()) {
    return refuse(CloseReason::kProtocol,
                  NGTCP2_PROTOCOL_VIOLATION,
                  fmt::format("a control message of 0 or more than {} bytes", kControlBytesMax));
  }
  return 0;
}

// TLS messages up to `end` of their level came in.
int QuicSession::on_crypto_data(std::uint64_t end) {
  return end > shared_.options.session.crypto_bytes
             ? refuse(CloseReason::kLimit,
                      NGTCP2_CRYPTO_BUFFER_EXCEEDED,
                      fmt::format("TLS messages of more than {} bytes",
                                  shared_.options.session.crypto_bytes))
             : 0;
}

// An id of ours was issued, or one of the peer's taken into use.
int QuicSession::on_connection_id() {
  return ++connection_ids_ > shared_.options.session.connection_ids
             ? refuse(CloseReason::kLimit,
                      NGTCP2_CONNECTION_ID_LIMIT_ERROR,
                      fmt::format("more than {} connection ids",
                                  shared_.options.session.connection_ids))
             : 0;
}

// Datagrams are probes of the path: the acknowledgement is all that they are for.
int QuicSession::on_datagram() {
  return datagrams_.take(now_) ? 0
                               : refuse(CloseReason::kLimit,
                                        NGTCP2_PROTOCOL_VIOLATION,
                                        "more datagrams than probes of the path need");
}

int QuicSession::on_stream_closed(std::int64_t stream) {
  if (is_local(stream)) {
    totals_.packets_lost += ngtcp2_conn_get_stream_loss_count(connection_, stream);
    if (outgoing_.erase(stream)) {
      ++totals_.transfers_sent;
    }
    return 0;
  }
  if (Incoming* const transfer = incoming_.find(stream)) {
    transfer->is_closed = true;
    give_credit(stream);
  }
  return 0;
}

void QuicSession::on_acked(std::int64_t stream, std::uint64_t end) {
  if (stream == own_control_stream()) {
    control_.on_acked_until(end);
    control_unacked_ = control_.in_flight_bytes() > 0 ? now_ : Instant::never();
    return;
  }
  Outgoing* const transfer = outgoing_.find(stream);
  if (transfer != nullptr && end >= transfer->bytes.size() &&
      transfer->sent == transfer->bytes.size()) {
    // Nothing will be sent again but the stream's end, which has no bytes.
    transfer->bytes = Buffer();
    transfer->sent = 0;
  }
}

}  // namespace godwit::transport

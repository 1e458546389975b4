// The ends of a QuicSession: ours, the peer's, the library's; what is told and what is reported.

#include <array>
#include <utility>

#include <gnutls/crypto.h>

#include "dataplane/base/log.h"
#include "dataplane/transport/quic_session.h"

namespace godwit::transport {
namespace {

constexpr std::size_t kReasonBytesMax = 256;

}  // namespace

void QuicSession::end_expired(Instant now) {
  quic::CloseError error{};
  constexpr std::uint64_t kCertificateExpired = 45;  // RFC 8446 section 6.2
  const std::string text = fmt::format("certificate of site {} expired", identity_.site);
  quic::set_transport_error(error, NGTCP2_CRYPTO_ERROR | kCertificateExpired, text);
  end(now,
      {.reason = CloseReason::kCertificateExpired,
       .code = NGTCP2_CRYPTO_ERROR | kCertificateExpired,
       .by_peer = false,
       .text = text},
      &error);
}

void QuicSession::end_silent(Instant now) {
  const bool handshake = phase_ == Phase::kHandshake;
  quic::CloseError error{};
  quic::set_application_error(error, 0, "nothing heard");
  end(now,
      {.reason = handshake ? CloseReason::kHandshakeTimeout : CloseReason::kSilent,
       .code = 0,
       .by_peer = false,
       .text = fmt::format("nothing heard from {} for {} ms",
                           setup_.remote.format(),
                           (now - last_heard_).count_ms())},
      &error);
}

void QuicSession::close(Instant now, std::uint64_t code, std::string_view reason) {
  if (phase_ == Phase::kClosed) {
    return;
  }
  now_ = now;
  const std::string text(reason.substr(0, kReasonBytesMax));
  quic::CloseError error{};
  quic::set_application_error(error, code, text);
  end(now, {.reason = CloseReason::kLocal, .code = code, .by_peer = false, .text = text}, &error);
}

void QuicSession::on_library_error(Instant now, int status) {
  if (refusal_) {
    Close close = std::move(*refusal_);
    refusal_.reset();
    quic::CloseError error{};
    quic::set_transport_error(error, close.code, close.text);
    end(now, std::move(close), &error);
    return;
  }
  if (status == NGTCP2_ERR_DRAINING || status == NGTCP2_ERR_CLOSING) {
    on_peer_close(now);
    return;
  }
  if (status == NGTCP2_ERR_DROP_CONN || status == NGTCP2_ERR_RETRY) {
    // What looked like a greeting was none: it gets no answer.
    end(now,
        {.reason = CloseReason::kProtocol, .code = 0, .by_peer = false, .text = "no greeting"},
        nullptr);
    return;
  }
  quic::CloseError error{};
  quic::set_library_error(error, status);
  Close close{.reason = CloseReason::kProtocol,
              .code = error.error_code,
              .by_peer = false,
              .text = ngtcp2_strerror(status)};
  if (status == NGTCP2_ERR_CRYPTO) {
    const std::uint8_t alert = ngtcp2_conn_get_tls_alert(connection_);
    quic::set_transport_error(error, NGTCP2_CRYPTO_ERROR | alert, {});
    close.reason = CloseReason::kTls;
    close.code = error.error_code;
    const char* alert_name = gnutls_alert_get_name(static_cast<gnutls_alert_description_t>(alert));
    close.text = fmt::format("TLS handshake failed: {}", alert_name != nullptr ? alert_name : "?");
  } else if (status == NGTCP2_ERR_HANDSHAKE_TIMEOUT) {
    close.reason = CloseReason::kHandshakeTimeout;
  } else if (status == NGTCP2_ERR_IDLE_CLOSE) {
    close.reason = CloseReason::kSilent;
  } else if (status == NGTCP2_ERR_STREAM_LIMIT || status == NGTCP2_ERR_CONNECTION_ID_LIMIT ||
             status == NGTCP2_ERR_CRYPTO_BUFFER_EXCEEDED || status == NGTCP2_ERR_FLOW_CONTROL) {
    close.reason = CloseReason::kLimit;
  } else if (status == NGTCP2_ERR_NOMEM || status == NGTCP2_ERR_INTERNAL ||
             status == NGTCP2_ERR_CALLBACK_FAILURE || status == NGTCP2_ERR_PKT_NUM_EXHAUSTED ||
             status == NGTCP2_ERR_AEAD_LIMIT_REACHED) {
    close.reason = CloseReason::kInternal;
  }
  end(now, std::move(close), &error);
}

void QuicSession::on_peer_close(Instant now) {
  quic::CloseError error{};
  quic::peer_close(connection_, error);
  Close close{
      .reason = CloseReason::kProtocol, .code = error.error_code, .by_peer = true, .text = {}};
  const std::string_view words(reinterpret_cast<const char*>(error.reason), error.reasonlen);
  for (const char c : words.substr(0, kReasonBytesMax)) {
    close.text += c >= ' ' && c <= '~' ? c : '?';  // it goes into logs
  }
  constexpr std::uint64_t kAlerts = 0xff;
  if (was_reset_) {
    close.reason = CloseReason::kReset;
    close.text = "the peer does not know this connection; it was restarted";
  } else if (quic::is_application(error) || error.error_code == NGTCP2_APPLICATION_ERROR ||
             error.error_code == NGTCP2_NO_ERROR) {
    close.reason = CloseReason::kPeer;  // the last two: closed during the handshake
  } else if (error.error_code >= NGTCP2_CRYPTO_ERROR &&
             error.error_code <= (NGTCP2_CRYPTO_ERROR | kAlerts)) {
    close.reason = CloseReason::kRefusedByPeer;
    const auto alert = static_cast<gnutls_alert_description_t>(error.error_code & kAlerts);
    const char* alert_name = gnutls_alert_get_name(alert);
    close.text = fmt::format("refused by the peer ({}): {}",
                             alert_name != nullptr ? alert_name : "unknown alert",
                             close.text.empty() ? "no reason given" : close.text);
  }
  end(now, std::move(close), nullptr);
}

void QuicSession::end(Instant now, Close close, const quic::CloseError* tell_peer) {
  if (phase_ == Phase::kClosed) {
    return;
  }
  phase_ = Phase::kClosed;
  wants_turn_ = false;
  close_ = close;
  if (tell_peer != nullptr) {
    std::array<std::uint8_t, NGTCP2_MAX_UDP_PAYLOAD_SIZE> packet{};
    ngtcp2_path_storage way;
    ngtcp2_path_storage_zero(&way);
    ngtcp2_pkt_info info{};
    const ngtcp2_ssize written =
        ngtcp2_conn_write_connection_close(connection_,
                                           &way.path,
                                           &info,
                                           packet.data(),
                                           packet.size(),
                                           tell_peer,
                                           static_cast<ngtcp2_tstamp>(now.ns()));
    if (written > 0) {
      const auto bytes = std::as_bytes(std::span(packet));
      close_packet_ = Buffer::copy_of(bytes.first(static_cast<std::size_t>(written)));
      wants_turn_ = true;
    }
  }
  waiting_.clear();
  sending_.clear();
  closing_.clear();
  unsent_ = 0;
  Queued queued;
  queued.event.kind = Event::Kind::kClosed;
  queued.event.close = std::move(close);
  events_.push_back(std::move(queued));
}

}  // namespace godwit::transport

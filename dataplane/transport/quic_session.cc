#include "dataplane/transport/quic_session.h"

#include <algorithm>
#include <array>
#include <utility>

#include <gnutls/crypto.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/log.h"
#include "dataplane/transport/quic_callbacks.h"

namespace godwit::transport {
namespace {

// RFC 9002 section 6.2.2: the round trip to assume when nothing is known.
constexpr Duration kRttUnknown = Duration::ms(333);
constexpr Duration kRttFloor = Duration::ms(50);
// QUIC's own idle timer is a backstop; silence_max notices dead peers much earlier, and does not
// end slow handshakes.
constexpr Duration kIdleTimeout = Duration::ms(30'000);
// The round trip for which an uncapped guess of the receive window is sized.
constexpr Duration kWindowRtt = Duration::ms(500);
constexpr std::uint64_t kWindowMin = std::uint64_t{4} << 20;
constexpr std::uint64_t kWindowMax = std::uint64_t{64} << 20;
// Connection ids in use at once; nobody migrates.
constexpr std::uint64_t kActiveIds = 2;
constexpr std::size_t kReasonBytesMax = 256;
// A dialer that hears nothing at all gives up after this when it knows no round trip. Greetings
// leave at 0 s and 1 s; the second one's answer is there at 1.5 s even on a 500 ms path.
constexpr Duration kSilentAttempt = Duration::ms(2000);
// A dialer that has heard something waits so long besides four round trips for more. Chosen.
constexpr Duration kBrokenAttempt = Duration::ms(1000);

ngtcp2_conn* connection_of(ngtcp2_crypto_conn_ref* reference) {
  return *static_cast<ngtcp2_conn**>(reference->user_data);
}

ngtcp2_cid random_id(Random& random, std::size_t bytes) {
  ngtcp2_cid id{};
  id.datalen = bytes;
  for (std::size_t index = 0; index < bytes; ++index) {
    id.data[index] = static_cast<std::uint8_t>(random.next() >> 56U);
  }
  return id;
}

std::uint64_t nanoseconds(Duration duration) {
  return static_cast<std::uint64_t>(duration.count_ns());
}

Instant instant_of(ngtcp2_tstamp stamp) {
  const auto last = static_cast<ngtcp2_tstamp>(Instant::never().ns());
  return stamp >= last ? Instant::never() : Instant::from_ns(static_cast<std::int64_t>(stamp));
}

}  // namespace

QuicSession::QuicSession(QuicShared& shared, QuicSetup setup, bool dialled)
    : shared_(shared),
      setup_(std::move(setup)),
      dialled_(dialled),
      control_reader_(shared.pool),
      control_(shared.pool, shared.options.control_backlog_bytes) {
  local_bytes_ = setup_.local.to_sockaddr(local_address_);
  remote_bytes_ = setup_.remote.to_sockaddr(remote_address_);
  reference_.get_conn = connection_of;
  reference_.user_data = &connection_;
}

QuicSession::~QuicSession() {
  for (const ConnectionId& id : ids_) {
    shared_.connections.erase(id);
  }
  ngtcp2_conn_del(connection_);
}

std::unique_ptr<QuicSession> QuicSession::dial(Instant now, QuicShared& shared, QuicSetup setup) {
  std::unique_ptr<QuicSession> session(new QuicSession(shared, std::move(setup), true));
  return session->start(now, nullptr) ? std::move(session) : nullptr;
}

std::unique_ptr<QuicSession> QuicSession::accept(Instant now,
                                                 QuicShared& shared,
                                                 QuicSetup setup,
                                                 const ngtcp2_pkt_hd& initial) {
  std::unique_ptr<QuicSession> session(new QuicSession(shared, std::move(setup), false));
  return session->start(now, &initial) ? std::move(session) : nullptr;
}

void QuicSession::fill_settings(ngtcp2_settings& settings, Instant now) const {
  const QuicOptions& options = shared_.options;
  ngtcp2_settings_default(&settings);
  settings.initial_ts = static_cast<ngtcp2_tstamp>(now.ns());
  settings.cc_algo =
      options.congestion == CongestionControl::kCubic ? NGTCP2_CC_ALGO_CUBIC : NGTCP2_CC_ALGO_BBR;
  settings.max_tx_udp_payload_size = options.packet_bytes;
  settings.no_tx_udp_payload_size_shaping = 1;
  settings.no_pmtud = 1;
  settings.handshake_timeout = nanoseconds(options.handshake_timeout);
  settings.rand_ctx.native_handle = &shared_.random;
  // The first probe goes out after three times this value. Half the known round trip gives 1.5
  // round trips: quick after a loss, not before the answer can be there.
  const bool is_known = setup_.rtt_expected > Duration::zero();
  settings.initial_rtt =
      nanoseconds(is_known ? std::max(setup_.rtt_expected / 2, kRttFloor) : kRttUnknown);
}

void QuicSession::fill_parameters(ngtcp2_transport_params& parameters) const {
  const QuicOptions& options = shared_.options;
  ngtcp2_transport_params_default(&parameters);
  std::uint64_t window = options.window_bytes;
  if (setup_.shaper->is_limited()) {
    const std::uint64_t carried = setup_.shaper->cap().bytes_in(kWindowRtt * 2).count();
    window = std::clamp(carried, kWindowMin, kWindowMax);
  }
  parameters.initial_max_data = window;
  // The peer opens streams towards us; on our own streams it sends nothing but their end.
  parameters.initial_max_stream_data_bidi_remote = kTransferBytesMax;
  parameters.initial_max_stream_data_bidi_local = 0;
  parameters.initial_max_stream_data_uni = 0;
  parameters.initial_max_streams_bidi = options.streams_max + 1;  // and the control stream
  parameters.initial_max_streams_uni = 0;
  parameters.max_idle_timeout = nanoseconds(kIdleTimeout);
  parameters.max_udp_payload_size = 65527;  // RFC 9000 section 18.2: no limit of ours
  parameters.active_connection_id_limit = kActiveIds;
  parameters.disable_active_migration = 1;
  parameters.max_datagram_frame_size = 0;
}

bool QuicSession::start(Instant now, const ngtcp2_pkt_hd* initial) {
  now_ = began_ = last_heard_ = now;
  tls_.emplace(
      shared_.tls, dialled_ ? TlsSession::Role::kDialer : TlsSession::Role::kAcceptor, &reference_);
  if (!tls_->is_ready()) {
    return false;
  }
  ngtcp2_settings settings;
  ngtcp2_transport_params parameters;
  fill_settings(settings, now);
  fill_parameters(parameters);
  const ngtcp2_callbacks callbacks = quic_callbacks(dialled_);
  const ngtcp2_cid own_id = random_id(shared_.random, kConnectionIdBytes);
  const ngtcp2_path way = path();
  int status = 0;
  if (dialled_) {
    const ngtcp2_cid first_id = random_id(shared_.random, NGTCP2_MIN_INITIAL_DCIDLEN + 8);
    status = ngtcp2_conn_client_new(&connection_,
                                    &first_id,
                                    &own_id,
                                    &way,
                                    NGTCP2_PROTO_VER_V1,
                                    &callbacks,
                                    &settings,
                                    &parameters,
                                    nullptr,
                                    this);
  } else {
    quic::set_original_dcid(parameters, initial->dcid);
    const auto& secret = shared_.tls.reset_secret();
    parameters.stateless_reset_token_present = 1;
    ngtcp2_crypto_generate_stateless_reset_token(
        parameters.stateless_reset_token, secret.data(), secret.size(), &own_id);
    status = ngtcp2_conn_server_new(&connection_,
                                    &initial->scid,
                                    &own_id,
                                    &way,
                                    initial->version,
                                    &callbacks,
                                    &settings,
                                    &parameters,
                                    nullptr,
                                    this);
    register_id(ConnectionId(initial->dcid));
  }
  if (status != 0) {
    log::error(
        "QUIC connection to {} not made: {}", setup_.remote.format(), ngtcp2_strerror(status));
    connection_ = nullptr;
    return false;
  }
  register_id(ConnectionId(own_id));
  ngtcp2_conn_set_tls_native_handle(connection_, tls_->handle());
  ngtcp2_conn_set_keep_alive_timeout(connection_, nanoseconds(shared_.options.keep_alive));
  return true;
}

void QuicSession::register_id(const ConnectionId& id) {
  if (shared_.connections.emplace(id, this).second) {
    ids_.push_back(id);
  }
}

void QuicSession::forget_id(const ConnectionId& id) {
  if (std::erase(ids_, id) > 0) {
    shared_.connections.erase(id);
  }
}

ngtcp2_path QuicSession::path() const {
  ngtcp2_path path{};
  path.local.addr =
      const_cast<ngtcp2_sockaddr*>(reinterpret_cast<const ngtcp2_sockaddr*>(&local_address_));
  path.local.addrlen = local_bytes_;
  path.remote.addr =
      const_cast<ngtcp2_sockaddr*>(reinterpret_cast<const ngtcp2_sockaddr*>(&remote_address_));
  path.remote.addrlen = remote_bytes_;
  return path;
}

Instant QuicSession::deadline() const {
  if (phase_ == Phase::kClosed) {
    return close_packet_.empty() ? Instant::never() : now_;
  }
  Instant next = std::min(instant_of(ngtcp2_conn_get_expiry(connection_)), expires_at_);
  return std::min(next, last_heard_ + silence_limit());
}

Duration QuicSession::silence_limit() const {
  if (phase_ == Phase::kHandshake) {
    if (!dialled_) {
      return shared_.options.handshake_timeout;
    }
    const bool is_known = setup_.rtt_expected > Duration::zero();
    if (has_heard_) {
      // An answerer that died in the middle was perhaps started again and knows nothing of us. Time
      // for a lost flight and two repetitions.
      const Duration patience = is_known ? setup_.rtt_expected * 4 : kSilentAttempt;
      return std::min(shared_.options.handshake_timeout, patience + kBrokenAttempt);
    }
    // Nobody answers: give up early, so that the next greeting falls soon after the link healed.
    return is_known
               ? std::clamp(
                     setup_.rtt_expected * 2 + Duration::ms(300), Duration::ms(500), kSilentAttempt)
               : kSilentAttempt;
  }
  constexpr std::int64_t kProbeTimeouts = 4;
  const Duration probe = Duration::ns(static_cast<std::int64_t>(ngtcp2_conn_get_pto(connection_)));
  return std::max(shared_.options.silence_max, probe * kProbeTimeouts);
}

void QuicSession::on_timeout(Instant now) {
  if (phase_ == Phase::kClosed) {
    return;
  }
  now_ = now;
  if (expires_at_ <= now) {
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
    return;
  }
  if (last_heard_ + silence_limit() <= now) {
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
    return;
  }
  const auto stamp = static_cast<ngtcp2_tstamp>(now.ns());
  if (ngtcp2_conn_get_expiry(connection_) <= stamp) {
    const int status = ngtcp2_conn_handle_expiry(connection_, stamp);
    wants_turn_ = true;
    if (status != 0) {
      on_library_error(now, status);
    }
  }
}

std::optional<Event> QuicSession::poll_event() {
  if (events_.empty() || phase_ == Phase::kHandshake) {
    return std::nullopt;
  }
  Queued queued = std::move(events_.front());
  events_.pop_front();
  if (queued.credit > 0 && phase_ != Phase::kClosed) {
    ngtcp2_conn_extend_max_offset(connection_, queued.credit);
    if (queued.stream == peer_control_stream()) {
      ngtcp2_conn_extend_max_stream_offset(connection_, queued.stream, queued.credit);
    } else {
      const auto found = incoming_.find(queued.stream);
      if (found != incoming_.end()) {
        found->second.is_taken = true;
        give_credit(queued.stream);
      }
    }
    wants_turn_ = true;
  }
  return std::move(queued.event);
}

void QuicSession::give_credit(std::int64_t stream) {
  const auto found = incoming_.find(stream);
  if (found != incoming_.end() && found->second.is_taken && found->second.is_closed) {
    incoming_.erase(found);
    ngtcp2_conn_extend_max_streams_bidi(connection_, 1);
  }
}

SessionStats QuicSession::stats() const {
  SessionStats stats = totals_;
  stats.streams_open = incoming_.size() + outgoing_.size() + (control_is_open_ ? 1 : 0);
  const quic::Figures figures = quic::figures(connection_);
  stats.rtt_smoothed = Duration::ns(static_cast<std::int64_t>(figures.rtt_smoothed_ns));
  stats.rtt_min = Duration::ns(static_cast<std::int64_t>(figures.rtt_min_ns));
  stats.delivery = BitRate::bps(figures.delivery_bytes_per_second * 8);
  stats.congestion_window = figures.congestion_window;
  stats.in_flight = figures.in_flight;
  stats.packets_lost = figures.packets_lost;
  return stats;
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
  } else if (quic::is_application(error)) {
    close.reason = CloseReason::kPeer;
  } else if (error.error_code >= NGTCP2_CRYPTO_ERROR &&
             error.error_code <= (NGTCP2_CRYPTO_ERROR | kAlerts)) {
    close.reason = CloseReason::kRefusedByPeer;
    const auto alert = static_cast<gnutls_alert_description_t>(error.error_code & kAlerts);
    const char* alert_name = gnutls_alert_get_name(alert);
    close.text = fmt::format("refused by the peer ({}): {}",
                             alert_name != nullptr ? alert_name : "unknown alert",
                             close.text.empty() ? "no reason given" : close.text);
  } else if (error.error_code == NGTCP2_APPLICATION_ERROR || error.error_code == NGTCP2_NO_ERROR) {
    close.reason = CloseReason::kPeer;  // closed during the handshake
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

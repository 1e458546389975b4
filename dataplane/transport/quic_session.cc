#include "dataplane/transport/quic_session.h"

#include <algorithm>
#include <utility>

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
// The round trip for which a receive window is sized at least.
constexpr Duration kWindowRtt = Duration::ms(500);
constexpr std::uint64_t kWindowMin = std::uint64_t{4} << 20;
constexpr std::uint64_t kWindowMax = std::uint64_t{64} << 20;
// Connection ids in use at once; nobody migrates.
constexpr std::uint64_t kActiveIds = 2;
// One probe of the path in 50 ms in the long run; see SessionLimits.
constexpr Duration kDatagramSpacing = Duration::ms(50);
// Routers' words that are heard, at once and in the long run: each may cost three probes, and the
// peer bears 20 a second (SessionLimits).
constexpr Duration kHintSpacing = Duration::ms(1000);
constexpr std::int64_t kHintBurst = 8;
// A dialer that hears nothing at all gives up after this when it knows no round trip. Greetings
// leave at 0 s and 1 s; the second one's answer is there at 1.5 s even on a 500 ms path.
constexpr Duration kSilentAttempt = Duration::ms(2000);
// When it knows one: two of them and the first, or one and the second, whichever is less; at least
// the third. Greetings leave after 0, 150 and 450 ms, each with time left for its answer; the next
// attempt begins half a second after this one at the latest. So two greetings whose answers are
// waited for are at most a round trip and 550 ms apart. Chosen: a second at 450 ms.
constexpr Duration kSilentMargin = Duration::ms(300);
constexpr Duration kSilentMarginLong = Duration::ms(500);
constexpr Duration kSilentMin = Duration::ms(500);
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

Duration duration_of(std::uint64_t ns) {
  return Duration::ns(static_cast<std::int64_t>(ns));
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
      control_(shared.pool, shared.options.control_backlog_bytes),
      path_mtu_(shared.options.packet_bytes),
      datagrams_(kDatagramSpacing, shared.options.session.datagrams_burst),
      hints_(kHintSpacing, kHintBurst) {
  local_bytes_ = setup_.local.to_sockaddr(local_address_);
  remote_bytes_ = setup_.remote.to_sockaddr(remote_address_);
  reference_.library.get_conn = connection_of;
  reference_.library.user_data = &connection_;
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
  const CongestionControl congestion = setup_.congestion.value_or(options.congestion);
  settings.cc_algo =
      congestion == CongestionControl::kCubic ? NGTCP2_CC_ALGO_CUBIC : NGTCP2_CC_ALGO_BBR;
  settings.max_tx_udp_payload_size = options.packet_bytes;
  settings.no_tx_udp_payload_size_shaping = 1;
  settings.no_pmtud = 1;
  settings.handshake_timeout = nanoseconds(options.handshake_timeout);
  settings.rand_ctx.native_handle = &shared_.random;
  // The first probe goes out after three times this value, the following ones after twice the time
  // before. Half the known round trip gives 1.5 round trips: quick after a loss, not before the
  // answer can be there. A dialer repeats its greeting sooner, whatever the path: on a link that
  // has just healed the one before is lost for certain.
  Duration rtt = kRttUnknown;
  if (setup_.rtt_expected > Duration::zero()) {
    rtt = dialled_ ? kRttFloor : std::max(setup_.rtt_expected / 2, kRttFloor);
  }
  settings.initial_rtt = nanoseconds(rtt);
}

void QuicSession::fill_parameters(ngtcp2_transport_params& parameters) const {
  const QuicOptions& options = shared_.options;
  ngtcp2_transport_params_default(&parameters);
  std::uint64_t window = options.window_bytes;
  if (setup_.shaper->has_cap()) {
    const Duration rtt = std::max(setup_.rtt_expected, kWindowRtt);
    const std::uint64_t carried = setup_.shaper->cap().bytes_in(rtt * 2).count();
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
  parameters.max_datagram_frame_size = 65535;  // probes of the path; nothing is delivered
}

bool QuicSession::start(Instant now, const ngtcp2_pkt_hd* initial) {
  now_ = began_ = last_heard_ = now;
  tls_.emplace(
      shared_.tls, dialled_ ? TlsSession::Role::kDialer : TlsSession::Role::kAcceptor, reference_);
  if (!tls_->is_ready()) {
    return false;
  }
  ngtcp2_settings settings;
  ngtcp2_transport_params parameters;
  fill_settings(settings, now);
  fill_parameters(parameters);
  if (setup_.proof) {
    quic::set_token(settings, setup_.proof->token);
  }
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
                                    shared_.memory.functions(),
                                    this);
  } else {
    quic::set_original_dcid(parameters, setup_.proof ? setup_.proof->original : initial->dcid);
    if (setup_.proof) {
      parameters.retry_scid = initial->dcid;
      parameters.retry_scid_present = 1;
    }
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
                                    shared_.memory.functions(),
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
  next = std::min(next, path_mtu_.deadline());
  return std::min(next, last_heard_ + silence_limit());
}

Duration QuicSession::silence_limit() const {
  if (phase_ == Phase::kHandshake) {
    return std::min(shared_.options.handshake_timeout, handshake_patience());
  }
  constexpr std::int64_t kProbeTimeouts = 4;
  const Duration probe = Duration::ns(static_cast<std::int64_t>(ngtcp2_conn_get_pto(connection_)));
  return std::max(shared_.options.silence_max, probe * kProbeTimeouts);
}

Duration QuicSession::handshake_patience() const {
  if (!dialled_) {
    return shared_.options.handshake_timeout;
  }
  const Duration rtt = std::max(setup_.rtt_expected, setup_.rtt_seen);
  const bool is_known = rtt > Duration::zero();
  if (has_heard_) {
    // An answerer that died in the middle was perhaps started again and knows nothing of us. Time
    // for a lost flight and two repetitions.
    return (is_known ? rtt * 4 : kSilentAttempt) + kBrokenAttempt;
  }
  // Nobody answers: give up early, so that the next greeting falls soon after the link healed.
  return is_known ? std::max(std::min(rtt * 2 + kSilentMargin, rtt + kSilentMarginLong), kSilentMin)
                  : kSilentAttempt;
}

void QuicSession::on_timeout(Instant now) {
  if (phase_ == Phase::kClosed) {
    return;
  }
  now_ = now;
  if (expires_at_ <= now) {
    end_expired(now);
    return;
  }
  if (last_heard_ + silence_limit() <= now) {
    end_silent(now);
    return;
  }
  if (path_mtu_.on_timeout(now)) {
    wants_turn_ = true;
  }
  const auto stamp = static_cast<ngtcp2_tstamp>(now.ns());
  if (ngtcp2_conn_get_expiry(connection_) <= stamp) {
    note_in_flight();
    const std::uint64_t before = quic::figures(connection_).probe_timeouts_in_a_row;
    const int status = ngtcp2_conn_handle_expiry(connection_, stamp);
    const std::uint64_t after = quic::figures(connection_).probe_timeouts_in_a_row;
    totals_.probe_timeouts += after > before ? 1U : 0U;
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
  Queued queued = events_.pop_front();
  if (queued.credit > 0 && phase_ != Phase::kClosed) {
    ngtcp2_conn_extend_max_offset(connection_, queued.credit);
    if (queued.stream == peer_control_stream()) {
      ngtcp2_conn_extend_max_stream_offset(connection_, queued.stream, queued.credit);
    } else {
      if (Incoming* const transfer = incoming_.find(queued.stream)) {
        transfer->is_taken = true;
        give_credit(queued.stream);
      }
    }
    wants_turn_ = true;
  }
  return std::move(queued.event);
}

void QuicSession::give_credit(std::int64_t stream) {
  const Incoming* const transfer = incoming_.find(stream);
  if (transfer != nullptr && transfer->is_taken && transfer->is_closed) {
    incoming_.erase(stream);
    ngtcp2_conn_extend_max_streams_bidi(connection_, 1);
  }
}

SessionStats QuicSession::stats() const {
  SessionStats stats = totals_;
  stats.streams_open = incoming_.size() + outgoing_.size() + (control_is_open_ ? 1 : 0);
  const quic::Figures figures = quic::figures(connection_);
  stats.rtt_smoothed = duration_of(figures.rtt_smoothed_ns);
  stats.rtt_min = duration_of(figures.rtt_min_ns);
  stats.rtt_latest = duration_of(figures.rtt_latest_ns);
  stats.rtt_variation = duration_of(figures.rtt_variation_ns);
  stats.rate = setup_.shaper->expected();
  stats.delivery = setup_.shaper->estimate().delivery();
  stats.pacing = BitRate::bps(figures.pacing_bytes_per_second * 8);
  stats.congestion_window = figures.congestion_window;
  stats.in_flight = figures.in_flight;
  if (control_is_open_) {
    stats.packets_lost += ngtcp2_conn_get_stream_loss_count(connection_, own_control_stream());
  }
  // One is always made in advance.
  const std::uint64_t phases = reference_.keys.phases_made;
  stats.key_updates = phases > 1 ? phases - 1 : 0;
  stats.packet_bytes = packet_bytes();
  stats.path_probes_lost = path_mtu_.probes_lost();
  stats.black_holes = path_mtu_.black_holes();
  return stats;
}

}  // namespace godwit::transport

// The probes of a QuicSession: how large packets may be on its path (path_mtu.h decides).

#include <algorithm>
#include <array>

#include "dataplane/transport/quic_session.h"

namespace godwit::transport {
namespace {

// What a probe's packet has besides its payload, bytes: first byte, packet number (up to 4), frame
// type, length (2), tag (RFC 9000 section 17.3.1, RFC 9221 section 4); the peer's id comes on top.
constexpr std::size_t kProbeOverhead = 1 + 4 + 1 + 2 + 16;
constexpr std::array<std::byte, kPacketBytesMax> kPadding{};
// The least time after which a keep-alive follows a probe; on longer paths it is a round trip.
// Chosen.
constexpr Duration kChaseMin = Duration::ms(10);
// What is not acknowledged for so many PTO is suspected to be too large for the path.
constexpr std::int64_t kSuspiciousProbeTimeouts = 3;

}  // namespace

// A train of one packet. What the library has to say itself (repetitions, acknowledgements, ids)
// leaves first, in a packet of the present size: in a probe it would be lost with it, each time.
// Then the probe is all padding, and nothing is missed when it is lost.
QuicSession::Built QuicSession::probe_path(Instant now, std::span<std::byte> out) {
  ngtcp2_ssize written = write_nothing_new(now, out.first(packet_bytes()));
  const bool is_probe = written == 0;
  if (is_probe) {
    written = write_probe(now, out);
  }
  if (written < 0) {
    on_library_error(now, static_cast<int>(written));
  }
  if (written <= 0) {
    return {};  // also when the congestion window is full: later
  }
  const auto size = static_cast<std::size_t>(written);
  ngtcp2_conn_update_pkt_tx_time(connection_, static_cast<ngtcp2_tstamp>(now.ns()));
  ++totals_.packets_sent;
  totals_.bytes_sent += size;
  return {.bytes = size,
          .packets = 1,
          .segment_bytes = static_cast<std::uint16_t>(size),
          .dscp = is_probe ? shared_.options.markings.of(Precedence::kNormal)
                           : codepoint_of_own(size == packet_bytes())};
}

std::ptrdiff_t QuicSession::write_nothing_new(Instant now, std::span<std::byte> out) {
  ngtcp2_path_storage way;
  ngtcp2_path_storage_zero(&way);
  ngtcp2_pkt_info info{};
  return ngtcp2_conn_writev_stream(connection_,
                                   &way.path,
                                   &info,
                                   reinterpret_cast<std::uint8_t*>(out.data()),
                                   out.size(),
                                   nullptr,
                                   NGTCP2_WRITE_STREAM_FLAG_NONE,
                                   -1,
                                   nullptr,
                                   0,
                                   static_cast<ngtcp2_tstamp>(now.ns()));
}

std::ptrdiff_t QuicSession::write_probe(Instant now, std::span<std::byte> out) {
  const std::size_t bytes = path_mtu_.probe_due();
  const std::size_t overhead = kProbeOverhead + ngtcp2_conn_get_dcid(connection_)->datalen;
  const ngtcp2_vec padding{reinterpret_cast<std::uint8_t*>(const_cast<std::byte*>(kPadding.data())),
                           bytes - overhead};
  ngtcp2_path_storage way;
  ngtcp2_path_storage_zero(&way);
  ngtcp2_pkt_info info{};
  int is_accepted = 0;
  const ngtcp2_ssize written =
      ngtcp2_conn_writev_datagram(connection_,
                                  &way.path,
                                  &info,
                                  reinterpret_cast<std::uint8_t*>(out.data()),
                                  std::min(out.size(), bytes),
                                  &is_accepted,
                                  NGTCP2_WRITE_DATAGRAM_FLAG_NONE,
                                  probe_ + 1,
                                  &padding,
                                  1,
                                  static_cast<ngtcp2_tstamp>(now.ns()));
  if (written == NGTCP2_ERR_INVALID_STATE || written == NGTCP2_ERR_INVALID_ARGUMENT) {
    path_mtu_.stop();  // the peer takes no datagrams, or none as large
    return 0;
  }
  if (written > 0 && is_accepted != 0) {
    ++probe_;
    const auto pto = static_cast<std::int64_t>(ngtcp2_conn_get_pto(connection_));
    path_mtu_.on_probe_sent(
        now, static_cast<std::size_t>(written), Duration::ns(pto * kSuspiciousProbeTimeouts));
    chase_probe();
  }
  return written;
}

// The library learns of a loss when something later is acknowledged; for a datagram alone it sets
// no timer. A session that waits for no other acknowledgement therefore sends keep-alives after a
// probe until its fate is known; else they would only put off the timer of what it waits for.
void QuicSession::chase_probe() {
  const bool is_idle = outgoing_.empty() && control_unacked_ == Instant::never();
  const bool is_wanted = is_idle && probe_judged_ != probe_;
  if (is_wanted == is_chasing_) {
    return;
  }
  is_chasing_ = is_wanted;
  const Duration usual = shared_.options.keep_alive;
  const Duration rtt =
      Duration::ns(static_cast<std::int64_t>(quic::figures(connection_).rtt_smoothed_ns));
  const Duration timeout = is_wanted ? std::clamp(rtt, std::min(kChaseMin, usual), usual) : usual;
  ngtcp2_conn_set_keep_alive_timeout(connection_, static_cast<ngtcp2_duration>(timeout.count_ns()));
}

void QuicSession::on_path_hint(Instant now, std::size_t bytes) {
  if (!hints_.take(now)) {
    return;
  }
  path_mtu_.on_hint(now, bytes);
  wants_turn_ = wants_turn_ || (phase_ != Phase::kClosed && path_mtu_.probe_due() > 0);
}

// A path that shrinks drops full packets and says nothing, while small ones still pass.
void QuicSession::suspect_path(Instant now) {
  while (!sent_.empty()) {
    const Outgoing* const transfer = outgoing_.find(sent_.front().stream);
    if (transfer != nullptr && !transfer->bytes.empty()) {
      break;
    }
    sent_.pop_front();
  }
  if (phase_ != Phase::kEstablished) {
    return;
  }
  const Instant since =
      sent_.empty() ? control_unacked_ : std::min(sent_.front().at, control_unacked_);
  if (since > now) {
    return;
  }
  const auto pto = static_cast<std::int64_t>(ngtcp2_conn_get_pto(connection_));
  const Duration patience = Duration::ns(pto * kSuspiciousProbeTimeouts);
  if (since + patience < now) {
    path_mtu_.suspect(now, patience);
  }
}

}  // namespace godwit::transport

// The sending half of QuicSession: streams cut into packets, packets laid into trains.

#include <algorithm>
#include <utility>

#include "dataplane/base/assert.h"
#include "dataplane/transport/quic_session.h"

namespace godwit::transport {
namespace {

// Connection credit that bulk leaves to control, so that a full window never stops control.
constexpr std::uint64_t kControlReserve = kControlBytesMax + kControlHeaderBytes;
// Transfers with a stream and not completely sent: small ones share a packet.
constexpr std::size_t kSendingMax = 8;
// Pieces of one packet; each has at least a few bytes, this is only a guard against spinning.
constexpr int kPiecesMax = 64;
// BBR stops for two round trips every ten seconds to measure the path: its window is four packets
// then (minimum pipe, draft-cardwell-iccrg-bbr-congestion-control-00 section 4.2.3.2). Bulk leaves
// half of them to control, so that messages go on. CUBIC does not grow unless its window is used
// up.
constexpr std::uint64_t kPipeMinPackets = 4;
constexpr std::uint64_t kControlPackets = 2;
// Bulk that a session takes ahead of its packets: this time at its rate, and a few trains at most,
// so that the short one that ends each turn is one of several.
constexpr Duration kQuantumTime = Duration::ms(1);
constexpr std::uint64_t kTrainBytes = 64 * 1024;
constexpr std::uint64_t kBacklogMax = 4 * kTrainBytes;

}  // namespace

std::uint64_t QuicSession::backlog_max() const {
  const BitRate rate = rate_.is_unlimited() ? setup_.shaper->rate() : rate_;
  if (!rate.is_unlimited()) {
    return std::clamp<std::uint64_t>(
        rate.bytes_in(kQuantumTime).count(), shared_.options.packet_bytes, kBacklogMax);
  }
  const auto pace = BitRate::bps(8 * quic::figures(connection_).pacing_bytes_per_second);
  return std::clamp<std::uint64_t>(pace.bytes_in(kQuantumTime).count(), kTrainBytes, kBacklogMax);
}

bool QuicSession::is_bbr() const {
  return setup_.congestion.value_or(shared_.options.congestion) == CongestionControl::kBbr;
}

bool QuicSession::has_window_for_bulk() const {
  const std::uint64_t left = ngtcp2_conn_get_cwnd_left(connection_);
  if (left == 0 || !is_bbr()) {
    return left > 0;
  }
  const std::uint64_t packet = shared_.options.packet_bytes;
  if (measurement_.is_near(now_)) {
    return quic::figures(connection_).in_flight < (kPipeMinPackets - kControlPackets) * packet;
  }
  return left > kControlPackets * packet ||
         quic::figures(connection_).congestion_window > measuring_window();
}

std::uint64_t QuicSession::measuring_window() const {
  return kPipeMinPackets * shared_.options.packet_bytes;
}

bool QuicSession::wants_transfer() const {
  return phase_ == Phase::kEstablished && unsent_ < backlog_max() &&
         waiting_.size() + sending_.size() < kSendingMax && has_window_for_bulk() &&
         ngtcp2_conn_get_streams_bidi_left(connection_) > waiting_.size() &&
         ngtcp2_conn_get_max_data_left(connection_) > kControlReserve;
}

void QuicSession::send_transfer(Instant now,
                                std::span<const std::byte> bytes,
                                Precedence precedence) {
  GODWIT_ASSERT(!bytes.empty() && bytes.size() <= kTransferBytesMax);
  GODWIT_ASSERT(phase_ != Phase::kHandshake, "transfers wait for kEstablished");
  if (phase_ == Phase::kClosed) {
    return;
  }
  now_ = now;
  waiting_.push_back({.bytes = shared_.pool.take_copy(bytes), .precedence = precedence});
  unsent_ += bytes.size();
  wants_turn_ = true;
  if (precedence == Precedence::kBulk) {
    setup_.shaper->charge_bulk(now, bytes.size());
  }
}

bool QuicSession::send_control(Instant now, std::span<const std::byte> message) {
  GODWIT_ASSERT(!message.empty() && message.size() <= kControlBytesMax);
  if (phase_ != Phase::kEstablished) {
    return false;
  }
  now_ = now;
  if (!control_.push(control_header(message.size()), message)) {
    return false;
  }
  wants_turn_ = true;
  return true;
}

void QuicSession::open_streams() {
  if (phase_ != Phase::kEstablished) {
    return;
  }
  if (!control_is_open_) {
    std::int64_t stream = -1;
    if (ngtcp2_conn_open_bidi_stream(connection_, &stream, nullptr) != 0) {
      return;
    }
    GODWIT_ASSERT(stream == own_control_stream(), "control is the first stream");
    control_is_open_ = true;
  }
  while (!waiting_.empty() && sending_.size() < kSendingMax) {
    std::int64_t stream = -1;
    if (ngtcp2_conn_open_bidi_stream(connection_, &stream, nullptr) != 0) {
      return;  // the peer's limit on streams; it will be raised
    }
    outgoing_[stream] = waiting_.pop_front();
    sending_.push_back(stream);
  }
}

// Only streams that can take bytes now are named: a blocked stream in a half-built packet trips an
// assertion of ngtcp2 0.12.
QuicSession::Source QuicSession::next_source() const {
  if (phase_ != Phase::kEstablished || !control_is_open_) {
    return {};
  }
  const std::uint64_t credit = ngtcp2_conn_get_max_data_left(connection_);
  const auto control = control_.unsent();
  if (!control.empty() && credit > 0 &&
      ngtcp2_conn_get_max_stream_data_left(connection_, own_control_stream()) > 0) {
    return {.kind = Source::Kind::kControl,
            .stream = own_control_stream(),
            .bytes = control,
            .is_last = false};
  }
  if (!closing_.empty()) {
    return {
        .kind = Source::Kind::kClosing, .stream = closing_.front(), .bytes = {}, .is_last = true};
  }
  if (!sending_.empty() && credit > kControlReserve && has_window_for_bulk()) {
    const Outgoing& transfer = outgoing_.at(sending_.front());
    if (ngtcp2_conn_get_max_stream_data_left(connection_, sending_.front()) > 0) {
      return {.kind = Source::Kind::kTransfer,
              .stream = sending_.front(),
              .bytes = transfer.bytes.bytes().subspan(transfer.sent),
              .is_last = true,
              .precedence = transfer.precedence};
    }
  }
  return {};
}

// The codepoint that the next packet's first piece wishes; nullopt: there is none, a packet would
// be the library's own.
std::optional<std::uint8_t> QuicSession::next_codepoint() {
  open_streams();
  const Source source = next_source();
  if (source.kind == Source::Kind::kNone) {
    return std::nullopt;
  }
  return shared_.options.markings.of(source.precedence);
}

// Of a packet that took no piece: a full one repeats what was lost, a short one acknowledges.
std::uint8_t QuicSession::codepoint_of_own(bool is_full) const {
  return shared_.options.markings.of(is_full ? sent_last_ : Precedence::kControl);
}

std::size_t QuicSession::packet_bytes() const {
  return phase_ == Phase::kEstablished ? path_mtu_.bytes() : PathMtu::kBase;
}

void QuicSession::account(const Source& source, std::size_t accepted) {
  ++pieces_;
  switch (source.kind) {
    case Source::Kind::kNone:
      break;
    case Source::Kind::kClosing:
      closing_.pop_front();
      break;
    case Source::Kind::kControl:
      control_.mark_sent(accepted);
      control_unacked_ = std::min(control_unacked_, now_);
      break;
    case Source::Kind::kTransfer: {
      Outgoing& transfer = outgoing_.at(source.stream);
      sent_last_ = transfer.precedence;
      transfer.sent += accepted;
      unsent_ -= accepted;
      if (transfer.sent == transfer.bytes.size()) {
        sending_.pop_front();
        sent_.push_back({.stream = source.stream, .at = now_});
      }
      break;
    }
  }
}

std::ptrdiff_t QuicSession::write_packet(Instant now, std::span<std::byte> out) {
  open_streams();
  ngtcp2_path_storage way;
  ngtcp2_path_storage_zero(&way);
  ngtcp2_pkt_info info{};
  for (int piece = 0;; ++piece) {
    const Source source = piece < kPiecesMax ? next_source() : Source{};
    const ngtcp2_vec vector{
        reinterpret_cast<std::uint8_t*>(const_cast<std::byte*>(source.bytes.data())),
        source.bytes.size()};
    std::uint32_t flags = NGTCP2_WRITE_STREAM_FLAG_NONE;
    if (source.kind != Source::Kind::kNone) {
      flags |= NGTCP2_WRITE_STREAM_FLAG_MORE;
    }
    if (source.is_last) {
      flags |= NGTCP2_WRITE_STREAM_FLAG_FIN;
    }
    ngtcp2_ssize accepted = -1;
    const ngtcp2_ssize written =
        ngtcp2_conn_writev_stream(connection_,
                                  &way.path,
                                  &info,
                                  reinterpret_cast<std::uint8_t*>(out.data()),
                                  out.size(),
                                  &accepted,
                                  flags,
                                  source.stream,
                                  &vector,
                                  source.bytes.empty() ? 0 : 1,
                                  static_cast<ngtcp2_tstamp>(now.ns()));
    if (accepted >= 0) {
      account(source, static_cast<std::size_t>(accepted));
    }
    if (written == NGTCP2_ERR_WRITE_MORE) {
      continue;
    }
    if (source.kind == Source::Kind::kClosing &&
        (written == NGTCP2_ERR_STREAM_NOT_FOUND || written == NGTCP2_ERR_STREAM_SHUT_WR)) {
      closing_.pop_front();
      continue;
    }
    return written;
  }
}

QuicSession::Built QuicSession::next_train(Instant now,
                                           std::span<std::byte> out,
                                           std::size_t packets_max) {
  Built built;
  now_ = now;
  if (phase_ == Phase::kClosed) {
    if (!close_packet_.empty()) {
      const auto packet = std::as_const(close_packet_).bytes();
      std::copy(packet.begin(), packet.end(), out.begin());
      built = {.bytes = packet.size(),
               .packets = 1,
               .segment_bytes = static_cast<std::uint16_t>(packet.size()),
               .dscp = shared_.options.markings.of(Precedence::kControl)};
      close_packet_ = Buffer();
    }
    wants_turn_ = false;
    return built;
  }
  suspect_path(now);
  // One probe at a time: two that were lost would fill the least congestion window for ever.
  if (path_mtu_.probe_due() > 0 && probe_judged_ == probe_) {
    built = probe_path(now, out);
    if (built.packets > 0 || phase_ == Phase::kClosed) {
      return built;
    }
  }
  const std::size_t full = packet_bytes();
  const std::size_t quantum = ngtcp2_conn_get_send_quantum(connection_) / full;
  const std::size_t limit = std::clamp<std::size_t>(quantum, 1, packets_max);
  while (built.packets < limit && out.size() - built.bytes >= full) {
    const auto codepoint = next_codepoint();
    if (built.packets > 0 && codepoint && *codepoint != built.dscp) {
      break;  // a train has one codepoint; the rest is another train
    }
    const std::uint64_t pieces = pieces_;
    const std::ptrdiff_t written = write_packet(now, out.subspan(built.bytes, full));
    if (written < 0) {
      on_library_error(now, static_cast<int>(written));
      break;
    }
    if (written == 0) {
      wants_turn_ = false;
      break;
    }
    const auto bytes = static_cast<std::size_t>(written);
    if (built.packets == 0) {
      built.segment_bytes = static_cast<std::uint16_t>(bytes);
      // With a full congestion window the library takes no piece, but acknowledges.
      built.dscp = codepoint && pieces_ > pieces ? *codepoint : codepoint_of_own(bytes == full);
    }
    built.bytes += bytes;
    ++built.packets;
    if (bytes < full) {
      break;  // a shorter datagram ends a train
    }
  }
  if (built.packets > 0 && phase_ != Phase::kClosed) {
    ngtcp2_conn_update_pkt_tx_time(connection_, static_cast<ngtcp2_tstamp>(now.ns()));
  }
  totals_.packets_sent += built.packets;
  totals_.bytes_sent += built.bytes;
  chase_probe();
  update_keys(now);
  return built;
}

void QuicSession::update_keys(Instant now) {
  const std::uint64_t limit = shared_.options.key_update_packets;
  if (limit == 0 || phase_ != Phase::kEstablished || totals_.packets_sent - key_packets_ < limit) {
    return;
  }
  // Refused while the last change is not confirmed (RFC 9001 section 6.1); then the next train asks
  // again.
  if (ngtcp2_conn_initiate_key_update(connection_, static_cast<ngtcp2_tstamp>(now.ns())) == 0) {
    key_packets_ = totals_.packets_sent;
  }
}

}  // namespace godwit::transport

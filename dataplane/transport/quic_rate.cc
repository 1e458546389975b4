// What a QuicSession tells its link's shaper: what arrived, and how long something had to wait.

#include <algorithm>

#include "dataplane/transport/quic_session.h"

namespace godwit::transport {

// Acknowledgements and losses both take bytes out of flight; sending, which brings some in, is not
// done between this and tell_arrivals.
void QuicSession::note_in_flight() {
  if (!in_flight_before_) {
    in_flight_before_ = in_flight_seen_ = quic::figures(connection_).in_flight;
  }
}

// Of everything that ever was sent; each transfer in a packet counts it.
std::uint64_t QuicSession::packets_lost() const {
  std::uint64_t lost = totals_.packets_lost;
  if (control_is_open_) {
    lost += ngtcp2_conn_get_stream_loss_count(connection_, own_control_stream());
  }
  outgoing_.for_each([&](std::int64_t stream, const Outgoing&) {
    lost += ngtcp2_conn_get_stream_loss_count(connection_, stream);
  });
  return lost;
}

void QuicSession::tell_arrivals(Instant now) {
  if (!in_flight_before_) {
    return;
  }
  const std::uint64_t before = *in_flight_before_;
  in_flight_before_.reset();
  const quic::Figures figures = quic::figures(connection_);
  if (phase_ != Phase::kEstablished || figures.in_flight >= before || figures.rtt_latest_ns == 0) {
    return;
  }
  if (!setup_.shaper->is_on_path(setup_.local, setup_.remote)) {
    return;  // another session carries the link now, over another path
  }
  const std::uint64_t packet = packet_bytes();
  const std::uint64_t overhead = LinkShaper::overhead(setup_.remote.is_v6());
  const std::uint64_t settled = before - figures.in_flight;
  RateEstimate::Arrival arrival{
      .settled = settled + settled * overhead / packet,
      .rtt = Duration::ns(static_cast<std::int64_t>(figures.rtt_latest_ns))};
  // Once in a round trip: every transfer under way is asked.
  if (setup_.shaper->estimate().is_round_over(now)) {
    const std::uint64_t lost = std::max(packets_lost(), lost_told_);
    arrival.lost = (lost - lost_told_) * (packet + overhead);
    measurement_.on_losses(lost - lost_told_);
    lost_told_ = lost;
  }
  setup_.shaper->on_arrival(now, arrival);
}

bool QuicSession::is_window_full() const {
  return phase_ == Phase::kEstablished && !has_window_for_bulk();
}

void QuicSession::on_holder(Instant now, Holder holder) {
  if (holder_ != Holder::kNobody) {
    const Duration held = now - held_since_;
    (holder_ == Holder::kCap ? totals_.held_by_cap : totals_.held_by_congestion) += held;
    setup_.shaper->on_held(held);
  }
  holder_ = holder;
  held_since_ = now;
}

}  // namespace godwit::transport

// What `godwit link` shows of a link: its state, its session's figures, the totals of all sessions.

#include "api/gateway/report.h"

namespace godwit::gateway {

// A peer that was refused stays so while it is dialled again: the next attempt is no better yet.
admin::LinkReport::State Reporter::link_state(const Peer& peer) {
  if (peer.state == PeerState::kUp) {
    return admin::LinkReport::STATE_UP;
  }
  const bool refused = peer.last_reason.starts_with("certificate") ||
                       peer.last_reason.ends_with("site") || peer.last_reason == "refused_by_peer";
  if (refused) {
    return admin::LinkReport::STATE_REFUSED;
  }
  return peer.state == PeerState::kDown ? admin::LinkReport::STATE_DOWN
                                        : admin::LinkReport::STATE_CONNECTING;
}

void Reporter::link(Instant now, const Peer& peer, admin::LinkReport& out) {
  out.set_name(peer.link() != nullptr ? peer.link()->name : peer.site().name);
  out.set_peer(peer.site().name);
  out.set_connection(peer.connection());
  out.set_connections(peer.connections());
  out.set_state(link_state(peer));
  if (peer.state != PeerState::kUp) {
    out.set_reason(port_is_down()             ? "port.link_down"
                   : peer.last_reason.empty() ? "link.connecting"
                                              : "link." + peer.last_reason);
  }
  out.set_in_state_ns(since(now, peer.state_since));
  out.set_peer_address(peer.peer_endpoint(peer.path));
  out.set_local_address(peer.own_endpoint(peer.path));
  out.set_path(static_cast<std::uint32_t>(peer.path + 1));
  out.set_paths(static_cast<std::uint32_t>(peer.paths().size()));
  const transport::SessionStats stats =
      peer.session != nullptr ? peer.session->stats() : transport::SessionStats{};
  out.set_rtt_ns(static_cast<std::uint64_t>(stats.rtt_smoothed.count_ns()));
  out.set_rtt_min_ns(static_cast<std::uint64_t>(stats.rtt_min.count_ns()));
  out.set_rate_bps(peer.sent_rate(now).bits_per_second());
  out.set_received_bps(peer.received_rate(now).bits_per_second());
  out.set_planned_bps(peer.rate().bits_per_second());
  if (peer.link() != nullptr && !peer.link()->cap.is_unlimited()) {
    out.set_cap_bps(peer.link()->cap.bits_per_second());
  }
  out.set_estimate_bps(stats.delivery.bits_per_second());
  const LinkTotals totals = peer.totals();
  out.set_sent_bytes(totals.sent);
  out.set_received_bytes(totals.received);
  out.set_sent_transfers(peer.counters.transfers_sent);
  out.set_received_transfers(peer.counters.transfers_received);
  out.set_resent_transfers(peer.counters.transfers_resent);
  out.set_in_flight_bytes(stats.in_flight);
  out.set_lost_packets(totals.packets_lost);
  out.set_rtt_latest_ns(static_cast<std::uint64_t>(stats.rtt_latest.count_ns()));
  out.set_rtt_variation_ns(static_cast<std::uint64_t>(stats.rtt_variation.count_ns()));
  out.set_pacing_bps(stats.pacing.bits_per_second());
  out.set_congestion_window_bytes(stats.congestion_window);
  out.set_probe_timeouts(totals.probe_timeouts);
  out.set_key_updates(totals.key_updates);
  out.set_packet_bytes(stats.packet_bytes);
  out.set_black_holes(totals.black_holes);
  out.set_limited_by_cap_ns(static_cast<std::uint64_t>(totals.held_by_cap.count_ns()));
  out.set_limited_by_congestion_ns(
      static_cast<std::uint64_t>(totals.held_by_congestion.count_ns()));
  out.set_reconnects(peer.counters.handshakes > 0 ? peer.counters.handshakes - 1 : 0);
  out.set_last_error(peer.last_error);
  if (peer.state == PeerState::kUp) {
    for (const std::string& name : peer.capabilities.names()) {
      out.add_capabilities(name);
    }
  }
  for (const auto& [id, one] : gateway_.core().topics) {
    const PeerLanes* lanes = lanes_between(*one, peer);
    if (lanes != nullptr && lanes->outgoing) {
      out.set_in_flight_transfers(out.in_flight_transfers() +
                                  one->ledger().lane(*lanes->outgoing).unreceipted);
    }
  }
}

}  // namespace godwit::gateway

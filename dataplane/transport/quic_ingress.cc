// What a QUIC endpoint does with a datagram: a session's, a new peer's, or nobody's.

#include <utility>

#include "dataplane/base/assert.h"
#include "dataplane/base/log.h"
#include "dataplane/transport/quic_endpoint_impl.h"

namespace godwit::transport {

const PeerConfig* QuicEndpoint::peer_at(const port::Peer& address) const {
  const PeerConfig* on_host = nullptr;
  for (const PeerConfig& peer : peers_) {
    if (peer.address == address) {
      return &peer;
    }
    if (on_host == nullptr && peer.address.same_host(address)) {
      on_host = &peer;
    }
  }
  return on_host;
}

port::Peer QuicEndpoint::source_of(const port::Peer& from) const {
  const PeerConfig* peer = peer_at(from);
  return peer != nullptr && peer->address == from ? from : from.with_port(0);
}

void QuicEndpoint::on_datagram(Instant now,
                               const Way& way,
                               std::span<const std::byte> datagram,
                               std::uint8_t ecn) {
  ngtcp2_version_cid ids{};
  const int status =
      ngtcp2_pkt_decode_version_cid(&ids, octets(datagram), datagram.size(), kConnectionIdBytes);
  if (status == NGTCP2_ERR_VERSION_NEGOTIATION) {
    negotiate_version(now, way, ids);
    return;
  }
  if (status != 0 || ids.dcidlen > NGTCP2_MAX_CIDLEN) {
    ++counters_.packets_malformed;
    return;
  }
  const ConnectionId id(ids.dcid, ids.dcidlen);
  const auto found = shared_.connections.find(id);
  if (found == shared_.connections.end()) {
    on_unmatched(now, way, id, datagram);
    return;
  }
  // Nobody migrates: a packet from another address is not the peer's.
  if (found->second->remote() != way.remote) {
    ++counters_.packets_unmatched;
    return;
  }
  QuicSession& session = *found->second;
  session.on_packet(now, datagram, ecn);
  if (!late_answers_.is_empty() && session.was_dialled() && session.is_established()) {
    late_answers_.forget(way.remote);
  }
}

void QuicEndpoint::on_unmatched(Instant now,
                                const Way& way,
                                const ConnectionId& id,
                                std::span<const std::byte> datagram) {
  ++counters_.packets_unmatched;
  constexpr std::byte kLongHeader{0x80};
  if ((datagram.front() & kLongHeader) == std::byte{0}) {
    if (!is_reset_for_us(now, way.remote, datagram)) {
      reset_peer(now, way, datagram);
    }
    return;
  }
  if (is_late_answer(now, way.remote, id)) {
    return;
  }
  ngtcp2_pkt_hd initial{};
  if (ngtcp2_accept(&initial, octets(datagram), datagram.size()) != 0) {
    return;  // a late handshake packet of a session that is gone, or noise
  }
  accept(now, way, initial, datagram);
}

bool QuicEndpoint::is_late_answer(Instant now, const port::Peer& from, const ConnectionId& id) {
  const LateAnswers::Kind kind = late_answers_.on_packet(now, from, id);
  if (kind == LateAnswers::Kind::kNone) {
    return false;
  }
  ++counters_.packets_late;
  const Duration rtt = late_answers_.round_trip(from);
  if (kind == LateAnswers::Kind::kFirst) {
    log::warn("{} answered after {} ms, when its dial had been given up; dials wait longer now",
              from.format(),
              rtt.count_ms());
  }
  for (Slot& slot : slots_) {
    if (slot.session->was_dialled() && slot.session->remote() == from) {
      slot.session->expect_round_trip(rtt);
    }
  }
  return true;
}

HalfOpen QuicEndpoint::half_open(const port::Peer& source) const {
  HalfOpen open;
  for (const Slot& slot : slots_) {
    if (slot.session->was_dialled() || slot.is_reported || slot.session->is_established()) {
      continue;
    }
    ++open.all;
    open.of_source += slot.source == source ? 1U : 0U;
  }
  return open;
}

// True when the greeting may go on: it has no token, or one of ours, which fills `proof`.
bool QuicEndpoint::check_token(Instant now,
                               const port::Peer& from,
                               const port::Peer& source,
                               const ngtcp2_pkt_hd& initial,
                               std::optional<AddressProof>& proof) {
  const auto token = quic::token_of(initial);
  if (token.empty()) {
    return true;
  }
  if (!admission_.may_check_token(now, source)) {
    ++counters_.answers_withheld;
    return false;
  }
  const auto original =
      RetryToken::open(now, shared_.tls.token_secret(), from, initial.dcid, token);
  if (!original) {
    ++counters_.tokens_refused;
    return false;
  }
  proof = AddressProof{.original = *original, .token = {token.begin(), token.end()}};
  return true;
}

void QuicEndpoint::accept(Instant now,
                          const Way& way,
                          const ngtcp2_pkt_hd& initial,
                          std::span<const std::byte> datagram) {
  const port::Peer& from = way.remote;
  const PeerConfig* peer = peer_at(from);
  GODWIT_ASSERT(peer != nullptr, "strangers are dropped before");
  const port::Peer source = source_of(from);
  std::optional<AddressProof> proof;
  if (!check_token(now, from, source, initial, proof)) {
    return;
  }
  const bool is_full = slots_.size() >= shared_.options.sessions_max;
  const auto verdict = is_full
                           ? Admission::Verdict::kDrop
                           : admission_.judge(now, source, half_open(source), proof.has_value());
  if (verdict != Admission::Verdict::kAccept) {
    ++counters_.accepts_over_limit;
    if (verdict == Admission::Verdict::kRetry) {
      ask_for_proof(now, way, initial);
    }
    return;
  }
  auto session = QuicSession::accept(now,
                                     shared_,
                                     {.local = own_end(way.local),
                                      .remote = from,
                                      .allowed_sites = sites_,
                                      .shaper = &shaper_of(*peer),
                                      .rtt_expected = peer->rtt_expected,
                                      .rtt_seen = {},
                                      .congestion = peer->congestion,
                                      .proof = std::move(proof)},
                                     initial);
  if (!session) {
    return;
  }
  ++counters_.sessions_accepted;
  slots_.push_back({.session = std::move(session), .source = source});
  slots_.back().session->on_packet(now, datagram, 0);
}

}  // namespace godwit::transport

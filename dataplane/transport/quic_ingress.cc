// What a QUIC endpoint does with a datagram: a session's, a new peer's, or nobody's.

#include <algorithm>
#include <array>

#include "dataplane/base/log.h"
#include "dataplane/transport/quic_endpoint_impl.h"

namespace godwit::transport {
namespace {

// RFC 9000 section 10.3: a stateless reset has at least 21 bytes, looks like any short packet, and
// is shorter than its cause, so that two endpoints cannot answer each other for ever.
constexpr std::size_t kResetMin =
    NGTCP2_MIN_STATELESS_RESET_RANDLEN + NGTCP2_STATELESS_RESET_TOKENLEN;
constexpr std::size_t kResetMax = 42;
// At most a hundred resets a second: enough for every peer, useless for reflection.
constexpr Duration kResetSpacing = Duration::ms(10);

const std::uint8_t* octets(std::span<const std::byte> bytes) {
  return reinterpret_cast<const std::uint8_t*>(bytes.data());
}

}  // namespace

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

void QuicEndpoint::on_datagram(Instant now,
                               const port::Peer& from,
                               std::span<const std::byte> datagram,
                               std::uint8_t ecn) {
  ngtcp2_version_cid ids{};
  const int status =
      ngtcp2_pkt_decode_version_cid(&ids, octets(datagram), datagram.size(), kConnectionIdBytes);
  if (status == NGTCP2_ERR_VERSION_NEGOTIATION) {
    negotiate_version(now, from, ids);
    return;
  }
  if (status != 0 || ids.dcidlen > NGTCP2_MAX_CIDLEN) {
    ++counters_.packets_malformed;
    return;
  }
  const auto found = shared_.connections.find(ConnectionId(ids.dcid, ids.dcidlen));
  if (found == shared_.connections.end()) {
    on_unmatched(now, from, datagram);
    return;
  }
  // Nobody migrates: a packet from another address is not the peer's.
  if (found->second->remote() != from) {
    ++counters_.packets_unmatched;
    return;
  }
  found->second->on_packet(now, datagram, ecn);
}

void QuicEndpoint::on_unmatched(Instant now,
                                const port::Peer& from,
                                std::span<const std::byte> datagram) {
  ++counters_.packets_unmatched;
  constexpr std::byte kLongHeader{0x80};
  if ((datagram.front() & kLongHeader) == std::byte{0}) {
    if (!is_reset_for_us(now, from, datagram)) {
      reset_peer(now, from, datagram);
    }
    return;
  }
  ngtcp2_pkt_hd initial{};
  if (ngtcp2_accept(&initial, octets(datagram), datagram.size()) != 0) {
    return;  // a late handshake packet of a session that is gone, or noise
  }
  accept(now, from, initial, datagram);
}

void QuicEndpoint::accept(Instant now,
                          const port::Peer& from,
                          const ngtcp2_pkt_hd& initial,
                          std::span<const std::byte> datagram) {
  if (slots_.size() >= shared_.options.sessions_max ||
      handshakes_open() >= shared_.options.handshakes_max) {
    ++counters_.accepts_over_limit;
    return;
  }
  const PeerConfig* peer = peer_at(from);
  if (peer == nullptr) {
    return;
  }
  auto session = QuicSession::accept(now,
                                     shared_,
                                     {.local = local_,
                                      .remote = from,
                                      .allowed_sites = sites_,
                                      .shaper = &shaper_of(*peer),
                                      .rtt_expected = peer->rtt_expected},
                                     initial);
  if (!session) {
    return;
  }
  ++counters_.sessions_accepted;
  slots_.push_back({.session = std::move(session), .is_reported = false, .is_proven = false});
  slots_.back().session->on_packet(now, datagram, 0);
}

void QuicEndpoint::negotiate_version(Instant now,
                                     const port::Peer& from,
                                     const ngtcp2_version_cid& ids) {
  ++counters_.versions_negotiated;
  constexpr std::array<std::uint32_t, 1> kVersions = {NGTCP2_PROTO_VER_V1};
  std::array<std::byte, NGTCP2_MAX_UDP_PAYLOAD_SIZE> packet{};
  const ngtcp2_ssize written =
      ngtcp2_pkt_write_version_negotiation(reinterpret_cast<std::uint8_t*>(packet.data()),
                                           packet.size(),
                                           static_cast<std::uint8_t>(shared_.random.next() >> 56U),
                                           ids.scid,
                                           ids.scidlen,
                                           ids.dcid,
                                           ids.dcidlen,
                                           kVersions.data(),
                                           kVersions.size());
  if (written > 0) {
    reply(now, from, std::span(packet).first(static_cast<std::size_t>(written)));
  }
}

// A reset carries a random id: only the sessions with that peer can recognise its token.
bool QuicEndpoint::is_reset_for_us(Instant now,
                                   const port::Peer& from,
                                   std::span<const std::byte> datagram) {
  if (datagram.size() < kResetMin || datagram.size() > kResetMax) {
    return false;
  }
  return std::any_of(slots_.begin(), slots_.end(), [&](const Slot& slot) {
    return slot.session->remote() == from && slot.session->is_reset_by(now, datagram);
  });
}

// Tells a peer that still speaks to a session from before our restart to forget it.
void QuicEndpoint::reset_peer(Instant now,
                              const port::Peer& from,
                              std::span<const std::byte> datagram) {
  if (datagram.size() <= kResetMin || now < reset_next_) {
    return;
  }
  reset_next_ = now + kResetSpacing;
  ngtcp2_cid id{};
  ngtcp2_cid_init(&id, octets(datagram) + 1, kConnectionIdBytes);
  std::array<std::uint8_t, NGTCP2_STATELESS_RESET_TOKENLEN> token{};
  const auto& secret = shared_.tls.reset_secret();
  if (ngtcp2_crypto_generate_stateless_reset_token(
          token.data(), secret.data(), secret.size(), &id) != 0) {
    return;
  }
  const std::size_t size = std::min(datagram.size() - 1, kResetMax);
  std::array<std::uint8_t, kResetMax - NGTCP2_STATELESS_RESET_TOKENLEN> noise{};
  for (std::uint8_t& byte : noise) {
    byte = static_cast<std::uint8_t>(shared_.random.next() >> 56U);
  }
  std::array<std::byte, kResetMax> packet{};
  const ngtcp2_ssize written =
      ngtcp2_pkt_write_stateless_reset(reinterpret_cast<std::uint8_t*>(packet.data()),
                                       packet.size(),
                                       token.data(),
                                       noise.data(),
                                       size - token.size());
  if (written > 0) {
    ++counters_.resets_sent;
    reply(now, from, std::span(packet).first(static_cast<std::size_t>(written)));
  }
}

void QuicEndpoint::reply(Instant now, const port::Peer& to, std::span<std::byte> packet) {
  const port::Train train{.peer = to,
                          .segment_bytes = static_cast<std::uint16_t>(packet.size()),
                          .bytes = packet,
                          .ecn = 0,
                          .dscp = shared_.options.markings.of(Precedence::kControl)};
  port_.transmit(now, {&train, 1});
}

}  // namespace godwit::transport

// What an endpoint answers without keeping anything: version negotiation, Retry, stateless reset.
//
// All answers are shorter than their cause and paced, so that a forged source gains nothing.

#include <algorithm>
#include <array>

#include "dataplane/transport/quic_endpoint_impl.h"

namespace godwit::transport {
namespace {

// RFC 9000 section 10.3: a stateless reset has at least 21 bytes, looks like any short packet, and
// is shorter than its cause, so that two endpoints cannot answer each other for ever.
constexpr std::size_t kResetMin =
    NGTCP2_MIN_STATELESS_RESET_RANDLEN + NGTCP2_STATELESS_RESET_TOKENLEN;
constexpr std::size_t kResetMax = 42;

}  // namespace

void QuicEndpoint::negotiate_version(Instant now, const Way& way, const ngtcp2_version_cid& ids) {
  if (!admission_.may_answer(now, source_of(way.remote))) {
    ++counters_.answers_withheld;
    return;
  }
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
    reply(now, way, std::span(packet).first(static_cast<std::size_t>(written)));
  }
}

// Retry: the peer repeats its greeting with a token that only its true address can have received.
void QuicEndpoint::ask_for_proof(Instant now, const Way& way, const ngtcp2_pkt_hd& initial) {
  ngtcp2_cid ours{};
  ours.datalen = kConnectionIdBytes;
  for (std::size_t index = 0; index < kConnectionIdBytes; ++index) {
    ours.data[index] = static_cast<std::uint8_t>(shared_.random.next() >> 56U);
  }
  const auto token =
      RetryToken::seal(now, shared_.tls.token_secret(), way.remote, ours, initial.dcid);
  std::array<std::byte, NGTCP2_MAX_UDP_PAYLOAD_SIZE> packet{};
  const ngtcp2_ssize written =
      token.empty() ? -1
                    : ngtcp2_crypto_write_retry(reinterpret_cast<std::uint8_t*>(packet.data()),
                                                packet.size(),
                                                initial.version,
                                                &initial.scid,
                                                &ours,
                                                &initial.dcid,
                                                token.data(),
                                                token.size());
  if (written > 0) {
    ++counters_.retries_sent;
    reply(now, way, std::span(packet).first(static_cast<std::size_t>(written)));
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
void QuicEndpoint::reset_peer(Instant now, const Way& way, std::span<const std::byte> datagram) {
  if (datagram.size() <= kResetMin || !resets_.take(now)) {
    return;
  }
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
    reply(now, way, std::span(packet).first(static_cast<std::size_t>(written)));
  }
}

void QuicEndpoint::reply(Instant now, const Way& way, std::span<std::byte> packet) {
  const port::Train train{.peer = way.remote,
                          .segment_bytes = static_cast<std::uint16_t>(packet.size()),
                          .bytes = packet,
                          .ecn = 0,
                          .dscp = shared_.options.markings.of(Precedence::kControl),
                          .local = way.local};
  port_.transmit(now, {&train, 1});
}

}  // namespace godwit::transport

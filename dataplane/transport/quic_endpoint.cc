#include "dataplane/transport/quic_endpoint.h"

#include <algorithm>
#include <utility>

#include "dataplane/base/assert.h"
#include "dataplane/base/log.h"
#include "dataplane/transport/quic_endpoint_impl.h"

namespace godwit::transport {
namespace {

// Received trains taken per call to the port; trains of peers that bound a turn, and calls that do
// when others send as well: what they send must not push out what peers do. Chosen.
constexpr std::size_t kBurst = 64;
constexpr std::size_t kTrainsPerTurn = 256;
constexpr int kBurstsPerTurn = 32;
// Trains built before they are handed to the port.
constexpr std::size_t kTrainsMax = 16;
// When the kernel's queue is full (ENOBUFS) nothing tells when it drains; ask again then (chosen).
constexpr Duration kBusyRetry = Duration::us(500);
// At most a hundred resets a second: enough for every peer, useless for reflection.
constexpr Pace kResets(Duration::ms(10), 1);
// Failed handshakes that are logged, one a minute in the long run: neither a flood nor a path on
// which every dial is given up may fill a disk. Chosen.
constexpr Pace kWarnings(Duration::ms(60'000), 5);

QuicOptions checked(QuicOptions options, const port::Capabilities& capabilities) {
  options.packet_bytes = std::min({options.packet_bytes, capabilities.mtu, kPacketBytesMax});
  GODWIT_ASSERT(options.packet_bytes >= NGTCP2_MAX_UDP_PAYLOAD_SIZE,
                "QUIC needs datagrams of 1,200 bytes");
  return options;
}

}  // namespace

std::unique_ptr<Endpoint> make_quic_endpoint(port::Port& port,
                                             TlsContext& tls,
                                             QuicOptions options,
                                             Random& random) {
  return std::make_unique<QuicEndpoint>(port, tls, options, random);
}

QuicEndpoint::QuicEndpoint(port::Port& port,
                           TlsContext& tls,
                           const QuicOptions& options,
                           Random& random)
    : port_(port),
      capabilities_(port.capabilities()),
      local_(port.local()),
      shared_{.options = checked(options, capabilities_),
              .tls = tls,
              .random = random,
              .pool = BufferPool(),
              .memory = LibraryMemory(),
              .connections = {}},
      admission_(options.admission),
      received_(kBurst),
      resets_(kResets),
      warnings_(kWarnings) {
  outbox_.bytes.resize(kTrainsMax * capabilities_.train_bytes_max);
  outbox_.trains.reserve(kTrainsMax);
}

QuicEndpoint::~QuicEndpoint() = default;

void QuicEndpoint::configure(std::vector<PeerConfig> peers) {
  peers_ = std::move(peers);
  sites_.clear();
  admission_.forget_sources();
  late_answers_.forget_all();
  for (const PeerConfig& peer : peers_) {
    if (std::find(sites_.begin(), sites_.end(), peer.site) == sites_.end()) {
      sites_.push_back(peer.site);
    }
    shaper_of(peer).set_cap(peer.cap, peer.shared_cap);
    shaper_of(peer).set_yields(peer.yields);
  }
}

LinkShaper& QuicEndpoint::shaper_of(const PeerConfig& peer) {
  const std::string& link = peer.link.empty() ? peer.site : peer.link;
  auto& shaper = shapers_[link];
  if (!shaper) {
    shaper = std::make_unique<LinkShaper>(peer.cap, peer.shared_cap);
  }
  return *shaper;
}

Session* QuicEndpoint::dial(Instant now, const PeerConfig& peer) {
  now_ = now;
  if (slots_.size() >= shared_.options.sessions_max) {
    return nullptr;
  }
  auto session = QuicSession::dial(now,
                                   shared_,
                                   {.local = own_end(peer.local),
                                    .remote = peer.address,
                                    .allowed_sites = {peer.site},
                                    .shaper = &shaper_of(peer),
                                    .rtt_expected = peer.rtt_expected,
                                    .rtt_seen = late_answers_.round_trip(peer.address),
                                    .congestion = peer.congestion,
                                    .proof = {}});
  if (!session) {
    return nullptr;
  }
  ++counters_.sessions_dialled;
  slots_.push_back(
      {.session = std::move(session), .source = {}, .is_reported = true, .is_proven = true});
  return slots_.back().session.get();
}

// The source address chose a link before anybody was proven; several sites may share a host.
void QuicEndpoint::settle_link(Slot& slot) {
  if (slot.is_proven) {
    return;
  }
  slot.is_proven = true;
  const std::string& site = slot.session->identity().site;
  const port::Peer& remote = slot.session->remote();
  const PeerConfig* best = nullptr;
  for (const PeerConfig& peer : peers_) {
    if (peer.site == site && peer.address.same_host(remote) &&
        (best == nullptr || peer.address == remote)) {
      best = &peer;
    }
  }
  if (best != nullptr) {
    slot.session->use_shaper(shaper_of(*best));
  }
  slot.session->take_path();
}

namespace {

// Ends that an operator must look at: one of the two ends is not acceptable to the other.
bool is_about_identity(const Close& cause) {
  return cause.is_refusal() || cause.reason == CloseReason::kRefusedByPeer;
}

}  // namespace

Session* QuicEndpoint::poll_accepted() {
  for (Slot& slot : slots_) {
    if (slot.is_reported) {
      continue;
    }
    if (slot.session->is_established()) {
      settle_link(slot);
      slot.is_reported = true;
      return slot.session.get();
    }
    if (slot.session->is_closed() && is_about_identity(slot.session->close_cause())) {
      slot.is_reported = true;
      return slot.session.get();
    }
  }
  return nullptr;
}

// Forgets accepted sessions that ended before anybody was proven.
void QuicEndpoint::reap(Instant now) {
  for (std::size_t index = 0; index < slots_.size();) {
    Slot& slot = slots_[index];
    const Close& cause = slot.session->close_cause();
    if (slot.is_reported || !slot.session->is_closed() || is_about_identity(cause)) {
      ++index;
      continue;
    }
    ++counters_.handshakes_failed;
    if (warnings_.take(now)) {
      log::warn("handshake from {} ended: {} ({}); {} did since the start",
                slot.session->remote().format(),
                name(cause.reason),
                cause.text,
                counters_.handshakes_failed);
    }
    retire(now, slot.session.get());
  }
}

void QuicEndpoint::retire(Instant now, Session* session) {
  const auto slot = std::find_if(slots_.begin(), slots_.end(), [session](const Slot& candidate) {
    return candidate.session.get() == session;
  });
  GODWIT_ASSERT(slot != slots_.end(), "retired twice, or another endpoint's session");
  QuicSession& ending = *slot->session;
  if (ending.was_dialled() && !ending.has_heard()) {
    late_answers_.on_given_up(now, ending.began(), ending.remote(), ending.ids());
  }
  ending.close(now, 0, "retired");
  counters_.sessions_over_limit += ending.close_cause().reason == CloseReason::kLimit ? 1U : 0U;
  std::array<std::byte, NGTCP2_MAX_UDP_PAYLOAD_SIZE> packet{};
  const auto built = ending.next_train(now, packet, 1);
  if (built.packets > 0) {
    ending.shaper().charge(now, built.bytes + LinkShaper::kOverheadV4, false);
    reply(now, {ending.remote(), ending.local()}, std::span(packet).first(built.bytes));
  }
  const LinkShaper* shaper = &ending.shaper();
  // Order matters to nobody but determinism, and to whose path the link has; erase keeps it.
  slots_.erase(slot);
  const auto newest = std::find_if(slots_.rbegin(), slots_.rend(), [shaper](Slot& other) {
    return &other.session->shaper() == shaper && other.session->is_established();
  });
  if (newest != slots_.rend()) {
    newest->session->take_path();
  }
}

void QuicEndpoint::receive(Instant now) {
  now_ = now;
  std::size_t taken = 0;
  for (int burst = 0; burst < kBurstsPerTurn && taken < kTrainsPerTurn; ++burst) {
    const std::size_t count = port_.receive(now, received_);
    const std::span<const port::Train> trains(received_.data(), count);
    for (const port::Train& train : trains) {
      if (peer_at(train.peer) == nullptr) {
        counters_.packets_unknown_source +=
            (train.bytes.size() + train.segment_bytes - 1) / train.segment_bytes;
        continue;
      }
      ++taken;
      const Way way{train.peer, train.local};
      for (std::size_t at = 0; at < train.bytes.size(); at += train.segment_bytes) {
        const std::size_t size =
            std::min<std::size_t>(train.segment_bytes, train.bytes.size() - at);
        on_datagram(now, way, train.bytes.subspan(at, size), train.ecn);
      }
    }
    port_.release(trains);
    if (count < received_.size()) {
      break;
    }
  }
  while (const auto hint = port_.poll_path_mtu()) {
    for (Slot& slot : slots_) {
      if (slot.session->remote() == hint->peer) {
        slot.session->on_path_hint(now, hint->datagram_bytes);
      }
    }
  }
  for (Slot& slot : slots_) {
    if (slot.session->deadline() <= now) {
      slot.session->on_timeout(now);
    }
    slot.session->tell_arrivals(now);
  }
  reap(now);
}

bool QuicEndpoint::flush(Instant now) {
  auto& [bytes, trains, sent] = outbox_;
  if (sent < trains.size()) {
    sent += port_.transmit(now, std::span(trains).subspan(sent));
  }
  if (sent < trains.size()) {
    retry_at_ = now + kBusyRetry;
    return false;
  }
  trains.clear();
  sent = 0;
  retry_at_ = Instant::never();
  return true;
}

void QuicEndpoint::build_train(Instant now, Slot& slot) {
  QuicSession& session = *slot.session;
  LinkShaper& shaper = session.shaper();
  if (outbox_.trains.size() >= kTrainsMax) {
    return;
  }
  if (!session.wants_turn() || !shaper.allows(now)) {
    slot.is_waiting = session.wants_turn();
    return;
  }
  const std::size_t overhead = LinkShaper::overhead(session.remote().is_v6());
  const std::size_t packet = session.packet_bytes();
  const std::size_t fit =
      std::min(capabilities_.train_bytes_max / packet, capabilities_.train_segments_max);
  const std::size_t packets_max = std::min(shaper.train_packets(packet + overhead), fit);
  const auto room = std::span(outbox_.bytes)
                        .subspan(outbox_.trains.size() * capabilities_.train_bytes_max,
                                 capabilities_.train_bytes_max);
  const auto built = session.next_train(now, room, packets_max);
  if (built.packets == 0) {
    slot.is_waiting = false;  // for the congestion controller, which earns nothing
    return;
  }
  shaper.charge(now, built.bytes + built.packets * overhead, slot.is_waiting);
  outbox_.trains.push_back({.peer = session.remote(),
                            .segment_bytes = built.segment_bytes,
                            .bytes = room.first(built.bytes),
                            .ecn = 0,
                            .dscp = built.dscp,
                            .local = session.local()});
}

void QuicEndpoint::transmit(Instant now) {
  now_ = now;
  if (flush(now) && !slots_.empty()) {
    build_trains(now);
    flush(now);
  }
  for (const Slot& slot : slots_) {
    slot.session->on_holder(now, holder_of(now, *slot.session));
  }
}

void QuicEndpoint::build_trains(Instant now) {
  // Sessions take turns train by train, until nobody has anything or a call's worth is built.
  first_ = (first_ + 1) % slots_.size();
  bool has_progress = true;
  while (has_progress && outbox_.trains.size() < kTrainsMax) {
    const std::size_t before = outbox_.trains.size();
    for (std::size_t index = 0; index < slots_.size(); ++index) {
      build_train(now, slots_[(first_ + index) % slots_.size()]);
    }
    has_progress = outbox_.trains.size() > before;
  }
}

QuicSession::Holder QuicEndpoint::holder_of(Instant now, const QuicSession& session) const {
  if (session.is_window_full()) {
    return QuicSession::Holder::kCongestion;
  }
  if (!session.has_unsent() || !outbox_.trains.empty()) {
    return QuicSession::Holder::kNobody;
  }
  const LinkShaper& shaper = session.shaper();
  return !shaper.allows(now) && shaper.is_at_cap() ? QuicSession::Holder::kCap
                                                   : QuicSession::Holder::kCongestion;
}

Instant QuicEndpoint::deadline() const {
  Instant next = retry_at_;
  for (const Slot& slot : slots_) {
    const QuicSession& session = *slot.session;
    // While the port takes nothing more, nobody can send: retry_at_ says when to ask it again.
    if (session.wants_turn() && outbox_.trains.empty()) {
      // Whatever the session's own timers say, it cannot send before its shaper lets it.
      next = std::min(next, std::max(slot.session->shaper().ready_at(), now_));
    }
    const Instant due = session.deadline();
    if (due > now_ || !session.wants_turn()) {
      next = std::min(next, due);
    }
  }
  return next;
}

}  // namespace godwit::transport

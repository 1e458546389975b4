// Which path a link is on, where its two sites have several endpoints.
//
//     attempt on path 1 ──failed──▶ path 2 ──failed──▶ ... ──failed──▶ path 1
//            │                        │ up: a detour
//            ▼                        ▼
//           up ◀──── it greets ──── path 1 is tried beside it, every kFirstPathAgain or so
//
// A session that dies is dialled again where it was. The first path is tried by a successor
// (links_renewal.cc), so that the link is not down for it. Whoever is dialled has the path that the
// session came by.

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "api/gateway/links.h"
#include "dataplane/base/log.h"

namespace godwit::gateway {
namespace {

// Between two tries of the first path: uniform within a quarter of it, lest all links that a dead
// uplink had come back in step. Chosen: three greetings of 1,200 bytes are 1.5 kbit/s, a fortieth
// of the least cap; an operator who has mended it sees it within half a minute.
constexpr Duration kFirstPathAgain = Duration::seconds(20);

// A path with a longer round trip was measured wrongly: the transport would hardly have come up.
constexpr Duration kRttBelieved = Duration::ms(5'000);

Instant next_try(Instant now, Random& random) {
  const Duration least = kFirstPathAgain * 3 / 4;
  const auto spread = static_cast<std::uint64_t>((kFirstPathAgain / 2).count_ns()) + 1;
  return now + least + Duration::ns(static_cast<std::int64_t>(random.below(spread)));
}

}  // namespace

void Links::choose_next_path(Peer& peer, const transport::Close& close) {
  const bool is_elsewhere = close.reason == transport::CloseReason::kLocal &&
                            close.code == static_cast<std::uint64_t>(SessionCode::kOtherWorker);
  if (peer.dials() && !is_elsewhere) {  // the path carries, it led to the wrong worker
    peer.path = (peer.path + 1) % peer.paths().size();
  }
}

bool Links::wants_first_path(const Peer& peer) {
  return peer.dials() && peer.state == PeerState::kUp && peer.detour && peer.successor == nullptr;
}

void Links::try_first_path(Instant now, Peer& peer) {
  if (!wants_first_path(peer) || now < peer.detour->next_try) {
    return;
  }
  peer.detour->next_try = next_try(now, core_.random);
  peer.successor = endpoint_.dial(now, peer.transport_config(0));
  peer.successor_dialled = true;
  peer.successor_path = 0;
}

void Links::first_path_failed(Peer& peer, std::string_view reason, const std::string& text) {
  peer.detour->text = text;
  if (++peer.detour->attempts == 1) {
    log::warn(
        "link to {} stays on path {}: the first one does not carry yet: {} ({}); it is tried again "
        "and counted",
        peer.label(),
        peer.path_text(peer.path),
        text,
        reason);
  }
}

void Links::settle_path(Instant now, Peer& peer) {
  if (peer.paths().size() == 1) {
    return;
  }
  const auto before = std::exchange(peer.path_up, peer.path);
  if (before && *before != peer.path) {
    ++peer.counters.path_changes;
  }
  if (peer.path == 0) {
    if (peer.detour) {
      log::info("link to {} is on path {} again, after {} s on another one",
                peer.label(),
                peer.path_text(0),
                (now - peer.detour->since).count_ms() / 1000);
    }
    peer.detour.reset();
    return;
  }
  if (!peer.detour) {
    peer.detour.emplace();
    peer.detour->since = now;
  }
  peer.detour->next_try = next_try(now, core_.random);
  if (before != peer.path) {
    log::warn(
        "link to {} is on path {}, because the first one failed: {}; {} tries that one again "
        "every {} s or so",
        peer.label(),
        peer.path_text(peer.path),
        peer.last_error.empty() ? "its other end chose so" : peer.last_error,
        peer.dials() ? core_.config.site : peer.site().name,
        kFirstPathAgain.count_ms() / 1000);
  }
}

void Links::keep_round_trip(Peer& peer) {
  const Duration rtt = peer.session->stats().rtt_min;
  if (rtt > Duration::zero()) {
    peer.rtt_measured[peer.path] = std::min(rtt, kRttBelieved);
  }
}

}  // namespace godwit::gateway

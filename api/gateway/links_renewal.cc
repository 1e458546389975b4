// Make before break: while a link is up, a second session greets beside the first and takes over.
//
//     session    ═══════ up ═══════════════╗ Hello
//     successor       ──certificates──Hello╩══════ up ══════▶
//     retiring                             ────read────┐ closed after kLinger
//
// It is how a certificate of ours is renewed, how a link goes back to its first path, and how a
// peer comes back whose loss we have not noticed yet. Lanes begin again on the new session: what
// was sent on the old one and not receipted is sent again, and what still arrives on it is applied;
// both are harmless.

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "api/gateway/links.h"
#include "dataplane/base/log.h"

namespace godwit::gateway {
namespace {

// How long the replaced session is read: what was on the way arrives in one round trip, lost
// packets in two or three. Chosen.
constexpr Duration kLinger = Duration::ms(1'000);
constexpr int kLingerRoundTrips = 4;
// Between two attempts to renew: the certificate in use is still good, there is time. Chosen.
constexpr Duration kRenewAgain = Duration::ms(5'000);

bool send_now(Instant now, transport::Session& session, const control::ControlMessage& message) {
  const std::string bytes = message.SerializeAsString();
  return session.send_control(now, std::as_bytes(std::span(bytes)));
}

// Why we end a session that has not greeted as it should.
transport::Close broken(const Error& error) {
  transport::Close close;
  close.reason = error.code == Code::kCorrupt ? transport::CloseReason::kProtocol
                                              : transport::CloseReason::kLocal;
  close.text = error.message;
  return close;
}

}  // namespace

bool Links::wants_renewal(const Peer& peer) const {
  return peer.state == PeerState::kUp && peer.successor == nullptr && !certificate_.empty() &&
         !peer.own_certificate.empty() && peer.own_certificate != certificate_;
}

void Links::renew(Instant now, Peer& peer) {
  if (peer.own_certificate == certificate_ && peer.renewal.count() > 0) {
    peer.renewal = {};  // the former one is the present one again
  }
  if (!wants_renewal(peer) || now < peer.renews_at) {
    return;
  }
  peer.renews_at = now + kRenewAgain;
  peer.successor = endpoint_.dial(now, peer.transport_config(peer.path));
  peer.successor_dialled = true;
  peer.successor_path = peer.path;
}

void Links::on_rival(Instant now,
                     Peer& peer,
                     transport::Session& session,
                     const transport::Event& first) {
  // Both dialled at once: both keep what the site with the smaller name began.
  if (peer.successor != nullptr && peer.successor_dialled && peer.dials()) {
    session.close(now, static_cast<std::uint64_t>(SessionCode::kReplaced), "dialled at once");
    endpoint_.retire(now, &session);
    return;
  }
  drop_successor(now, peer, "a newer session of the same site came");
  peer.successor = &session;
  peer.successor_dialled = false;
  peer.successor_path = peer.path_between(session.local(), session.remote());
  successor_established(now, peer, first);
}

void Links::successor_established(Instant now, Peer& peer, const transport::Event& event) {
  peer.successor_identity = event.identity;
  peer.successor_certificate = event.own_certificate;
  if (!send_now(now, *peer.successor, own_hello(peer))) {
    successor_failed(now, peer, broken(Error{Code::kFull, "it took no greeting"}));
  }
}

void Links::poll_successor(Instant now, Peer& peer) {
  while (peer.successor != nullptr) {
    const auto event = peer.successor->poll_event();
    if (!event) {
      return;
    }
    if (event->kind == transport::Event::Kind::kEstablished) {
      successor_established(now, peer, *event);
      continue;
    }
    if (event->kind == transport::Event::Kind::kClosed) {
      successor_failed(now, peer, event->close);
      return;
    }
    if (event->kind != transport::Event::Kind::kControl) {
      successor_failed(now, peer, broken(Error{Code::kCorrupt, "something came before Hello"}));
      return;
    }
    successor_greeted(now, peer, event->bytes.bytes());
  }
}

void Links::successor_greeted(Instant now, Peer& peer, std::span<const std::byte> hello) {
  const auto message = parse(hello);
  if (!message || (*message)->kind_case() != control::ControlMessage::kHello) {
    successor_failed(now, peer, broken(Error{Code::kCorrupt, "something came before Hello"}));
    return;
  }
  auto capabilities = check_hello(peer, (*message)->hello());
  if (!capabilities) {
    successor_failed(now, peer, broken(capabilities.error()));
    return;
  }
  take_over(now, peer, (*message)->hello(), std::move(*capabilities));
}

void Links::take_over(Instant now,
                      Peer& peer,
                      const control::Hello& hello,
                      Capabilities capabilities) {
  retire(now, peer);
  keep_round_trip(peer);
  peer.path = peer.successor_path;
  const Duration rtt = peer.session->stats().rtt_smoothed;
  peer.retiring = std::exchange(peer.session, std::exchange(peer.successor, nullptr));
  peer.retires_at = now + std::max(kLinger, rtt * kLingerRoundTrips);
  peer.identity = std::move(peer.successor_identity);
  peer.successor_identity = {};
  peer.own_certificate = std::move(peer.successor_certificate);
  peer.forget_session();
  peer.renewal = {};
  exchange_.on_down(now, peer);
  keep_hello(peer, hello, std::move(capabilities));
  ++peer.counters.handshakes;
  log::info("link to {} goes on over a new session", peer.site().name);
  settle_path(now, peer);
  exchange_.on_up(peer);
}

void Links::drop_successor(Instant now, Peer& peer, std::string_view why) {
  if (peer.successor == nullptr) {
    return;
  }
  peer.successor->close(now, static_cast<std::uint64_t>(SessionCode::kReplaced), why);
  endpoint_.retire(now, std::exchange(peer.successor, nullptr));
  peer.successor_identity = {};
}

// One that we dialled comes again every kRenewAgain, one of the peer's as often as it likes.
void Links::successor_failed(Instant now, Peer& peer, const transport::Close& close) {
  const std::string_view reason = transport::name(close.reason);
  const std::string text = printable(close.text.empty() ? reason : close.text);
  const std::uint64_t count = ++peer.closed_by_reason[std::string(reason)];
  count_refusal(peer, close);
  if (peer.successor_dialled && peer.detour && peer.successor_path != peer.path) {
    first_path_failed(peer, reason, text);
  } else if (peer.successor_dialled) {
    peer.on_failed_renewal(now, close.reason, text);
  } else if (is_milestone(count)) {
    log::warn("the second session of {} is given up: {} ({}, {} so far)",
              peer.site().name,
              text,
              reason,
              count);
  }
  drop_successor(now, peer, text);
}

void Links::promote_successor(Instant now, Peer& peer) {
  if (peer.successor == nullptr) {
    return;
  }
  peer.session = std::exchange(peer.successor, nullptr);
  peer.path = peer.successor_path;
  peer.redial.on_attempt(now);
  const bool is_established = !peer.successor_identity.site.empty();
  peer.on_state(now, is_established ? PeerState::kGreeting : PeerState::kConnecting);
  if (is_established) {
    peer.identity = std::move(peer.successor_identity);
    peer.own_certificate = std::move(peer.successor_certificate);
  }
  peer.successor_identity = {};
}

void Links::poll_retiring(Instant now, Peer& peer) {
  for (int count = 0; count < kEventsPerTurn && peer.retiring != nullptr; ++count) {
    const auto event = peer.retiring->poll_event();
    if (!event) {
      break;
    }
    if (event->kind == transport::Event::Kind::kClosed) {
      retire(now, peer);
      return;
    }
    // Control is said again on the new session; a transfer that cannot be applied comes again, too.
    if (event->kind != transport::Event::Kind::kTransfer) {
      continue;
    }
    const auto applied = ingress_.on_transfer(now, peer, event->bytes.bytes());
    if (!applied && applied.error().code == Code::kFull) {
      peer.on_no_storage(now);
    }
    if (!applied && applied.error().code == Code::kCorrupt) {
      const std::string_view reason = transport::name(transport::CloseReason::kProtocol);
      const std::uint64_t closed = ++peer.closed_by_reason[std::string(reason)];
      if (is_milestone(closed)) {
        log::warn("the replaced session with {} is closed: {} ({}, {} so far)",
                  peer.site().name,
                  applied.error().message,
                  reason,
                  closed);
      }
      retire(now, peer, SessionCode::kProtocolViolation, applied.error().message);
      return;
    }
  }
  if (peer.retiring != nullptr && peer.retires_at <= now) {
    retire(now, peer);
  }
}

void Links::retire(Instant now, Peer& peer, SessionCode code, std::string_view why) {
  if (peer.retiring == nullptr) {
    return;
  }
  peer.keep_totals(*peer.retiring);
  peer.retiring->close(now, static_cast<std::uint64_t>(code), why);
  endpoint_.retire(now, std::exchange(peer.retiring, nullptr));
}

}  // namespace godwit::gateway

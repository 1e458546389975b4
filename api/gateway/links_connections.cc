// Links with several connections: whose a session is that a peer began, and which worker has it.
//
//     session ──certificates──▶ unnamed ──Hello──▶ the connection that it names
//                                            └───▶ another worker's: the dialler hears of it in our
//                                                  Hello, and dials that one
//
// We answer with our own Hello only then, half a round trip later than on a link with one.

#include <algorithm>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "api/gateway/links.h"
#include "dataplane/base/bytes.h"
#include "dataplane/base/log.h"

namespace godwit::gateway {

// A site holds at most so many as its link has connections, or it could fill the endpoint's places.
void Links::keep_unnamed(Instant now, transport::Session& session, const transport::Event& first) {
  const auto of_site = [&](const Unnamed& one) {
    return one.first.identity.site == first.identity.site;
  };
  const SiteConfig* site = core_.config.find_site(first.identity.site);
  const std::uint32_t connections = core_.find_any(site->id)->connections();
  if (std::count_if(unnamed_.begin(), unnamed_.end(), of_site) >= connections) {
    const auto oldest = std::find_if(unnamed_.begin(), unnamed_.end(), of_site);
    endpoint_.retire(now, oldest->session);
    unnamed_.erase(oldest);
  }
  Unnamed unnamed{.session = &session, .first = {}};
  unnamed.first.kind = first.kind;
  unnamed.first.identity = first.identity;
  unnamed.first.own_certificate = first.own_certificate;
  unnamed_.push_back(std::move(unnamed));
}

void Links::greet_unnamed(Instant now) {
  for (Unnamed& one : unnamed_) {
    one.is_over = name_one(now, one);
  }
  std::erase_if(unnamed_, [](const Unnamed& one) { return one.is_over; });
}

bool Links::name_one(Instant now, Unnamed& unnamed) {
  auto event = unnamed.session->poll_event();
  while (event && unnamed.is_redirected && event->kind != transport::Event::Kind::kClosed) {
    event = unnamed.session->poll_event();  // said before it heard of the other worker
  }
  if (!event) {
    return false;
  }
  const SiteConfig* site = core_.config.find_site(unnamed.first.identity.site);
  if (event->kind == transport::Event::Kind::kClosed) {
    endpoint_.retire(now, unnamed.session);
    return true;
  }
  control::ControlMessage message;
  if (event->kind != transport::Event::Kind::kControl ||
      !message.ParseFromArray(event->bytes.bytes().data(),
                              static_cast<int>(event->bytes.bytes().size())) ||
      message.kind_case() != control::ControlMessage::kHello) {
    refuse_unnamed(now, unnamed, SessionCode::kProtocolViolation, "something came before Hello");
    return true;
  }
  const std::uint32_t connection = message.hello().connection();
  const std::uint32_t connections = core_.find_any(site->id)->connections();
  if (connection < connections && connection % core_.config.workers != core_.worker) {
    const std::string hello = own_hello(connection, connections).SerializeAsString();
    unnamed.is_redirected = true;
    static_cast<void>(unnamed.session->send_control(now, as_bytes(hello)));
    return false;  // until the peer ends it, or others of its need the place
  }
  Peer* peer = core_.find_peer(site->id, connection);
  if (peer == nullptr) {
    refuse_unnamed(now,
                   unnamed,
                   SessionCode::kNoSuchConnection,
                   fmt::format("Hello: there is no connection {}; [[links]] connections must be "
                               "the same at both sites",
                               connection));
    return true;
  }
  assign(now, *peer, *unnamed.session, unnamed.first);
  if (peer->session == unnamed.session) {
    transport::Event hello;
    hello.kind = transport::Event::Kind::kControl;
    hello.bytes = std::move(event->bytes);
    on_event(now, *peer, hello);
  } else if (peer->successor == unnamed.session) {
    successor_greeted(now, *peer, event->bytes.bytes());
  }
  return true;
}

// Which connection it was meant to be is not known; any of the site's counts it for the link.
void Links::refuse_unnamed(Instant now,
                           const Unnamed& unnamed,
                           SessionCode code,
                           std::string_view why) {
  Peer& peer = *core_.find_any(SiteId::of(unnamed.first.identity.site));
  const std::string_view reason = transport::name(transport::CloseReason::kProtocol);
  ++peer.closed_by_reason[std::string(reason)];
  const std::uint64_t count = ++unnamed_refused_[{peer.site().id, code}];
  if (is_milestone(count)) {  // it is dialled again every second
    log::warn(
        "a session of {} is closed: {} ({}, {} so far)", peer.site().name, why, reason, count);
  }
  unnamed.session->close(now, static_cast<std::uint64_t>(code), why);
  endpoint_.retire(now, unnamed.session);
}

bool Links::redirect(Instant now, Peer& peer, const control::Hello& hello) {
  peer.workers_there = std::max(hello.workers(), 1U);
  const std::uint32_t worker = peer.connection() % peer.workers_there;
  if (!peer.dials() || worker == peer.asked_worker) {
    return false;
  }
  end_session(now,
              peer,
              SessionCode::kOtherWorker,
              Error{Code::kClosed, fmt::format("worker {} has the connection", worker)});
  return true;
}

}  // namespace godwit::gateway

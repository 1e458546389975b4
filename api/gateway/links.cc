#include "api/gateway/links.h"

#include <algorithm>

#include <fmt/format.h>

#include "dataplane/base/log.h"

namespace godwit::gateway {
namespace {

// Between two looks at whether there is storage again. Chosen: its time is the file system's, a
// microsecond.
constexpr Duration kStorageLook = Duration::seconds(1);

control::Goodbye::Reason reason_of(SessionCode code) {
  switch (code) {
    case SessionCode::kStopping:
      return control::Goodbye::REASON_STOPPING;
    case SessionCode::kNoCommonVersion:
      return control::Goodbye::REASON_NO_COMMON_VERSION;
    case SessionCode::kSiteMismatch:
      return control::Goodbye::REASON_SITE_MISMATCH;
    case SessionCode::kReplaced:
      return control::Goodbye::REASON_REPLACED;
    case SessionCode::kProtocolViolation:
      return control::Goodbye::REASON_PROTOCOL_VIOLATION;
    default:
      return control::Goodbye::REASON_UNSPECIFIED;
  }
}

// Who closes a session for what the peer said says so: it must not look like a stop.
transport::CloseReason close_reason_of(SessionCode code) {
  return code == SessionCode::kProtocolViolation ? transport::CloseReason::kProtocol
                                                 : transport::CloseReason::kLocal;
}

bool refused_by_certificate(transport::CloseReason reason) {
  using R = transport::CloseReason;
  return reason == R::kCertificateExpired || reason == R::kCertificateNotYetValid ||
         reason == R::kCertificateUntrusted || reason == R::kCertificateMissing ||
         reason == R::kWrongSite || reason == R::kUnknownSite || reason == R::kRefusedByPeer;
}

}  // namespace

void Links::on_turn(Instant now) {
  greet_strangers(now);
  for (const auto& peer : core_.peers) {
    dial(now, *peer);
    poll_events(now, *peer);
    renew(now, *peer);
    try_first_path(now, *peer);
    poll_successor(now, *peer);
    poll_retiring(now, *peer);
    ask_again(now, *peer);
    peer->flush(now);
  }
}

// What had no storage comes again in the next session; while there is none, there is no use in it.
void Links::ask_again(Instant now, Peer& peer) {
  if (peer.session == nullptr || now < peer.storage_retry) {
    return;
  }
  if (core_.store.is_low()) {
    peer.storage_retry = now + kStorageLook;
    return;
  }
  end_session(now,
              peer,
              SessionCode::kNoStorage,
              Error{Code::kFull, "what found no storage is asked for again"});
}

void Links::dial(Instant now, Peer& peer) {
  if (!peer.dials() || peer.session != nullptr || now < peer.redial.next_attempt()) {
    return;
  }
  peer.asked_worker = peer.worker_to_ask();
  peer.session = endpoint_.dial(now, peer.transport_config(peer.path));
  peer.redial.on_attempt(now);
  if (peer.session == nullptr) {
    peer.redial.on_failure(now);
    return;
  }
  peer.on_state(now, PeerState::kConnecting);
}

void Links::greet_strangers(Instant now) {
  while (transport::Session* session = endpoint_.poll_accepted()) {
    strangers_.push_back(session);
  }
  std::vector<transport::Session*> waiting;
  waiting.swap(strangers_);
  for (transport::Session* session : waiting) {
    auto event = session->poll_event();
    if (!event) {
      strangers_.push_back(session);
      continue;
    }
    const SiteConfig* site = event->kind == transport::Event::Kind::kEstablished
                                 ? core_.config.find_site(event->identity.site)
                                 : nullptr;
    Peer* peer = site != nullptr ? core_.find_any(site->id) : nullptr;
    if (peer == nullptr) {
      refuse_stranger(now, *session, *event);
    } else if (peer->connections() > 1) {
      keep_unnamed(now, *session, *event);
    } else {
      assign(now, *peer, *session, *event);
    }
  }
  greet_unnamed(now);
}

void Links::refuse_stranger(Instant now,
                            transport::Session& session,
                            const transport::Event& event) {
  const bool closed = event.kind == transport::Event::Kind::kClosed;
  ++strangers_refused_;
  if (!closed || event.close.is_refusal()) {
    ++refusals_[closed ? event.close.reason : transport::CloseReason::kUnknownSite];
  }
  const std::string text =
      printable(closed ? event.close.text
                       : fmt::format("\"{}\" is no peer of this site", event.identity.site));
  const auto reason = closed ? event.close.reason : transport::CloseReason::kUnknownSite;
  if (is_milestone(++strangers_by_reason_[reason])) {  // they come again every second
    log::warn("a connection was refused: {} ({}, {} so far)",
              text,
              transport::name(reason),
              strangers_by_reason_[reason]);
  }
  last_stranger_ = text;
  endpoint_.retire(now, &session);
}

void Links::assign(Instant now,
                   Peer& peer,
                   transport::Session& session,
                   const transport::Event& first) {
  if (peer.state == PeerState::kUp) {
    on_rival(now, peer, session, first);
    return;
  }
  if (peer.session != nullptr) {
    end_session(now,
                peer,
                SessionCode::kReplaced,
                Error{Code::kClosed, "a newer session of the same site took over"});
  }
  peer.session = &session;
  peer.path = peer.path_between(session.local(), session.remote());
  peer.redial.on_attempt(now);
  established(now, peer, first);
}

void Links::poll_events(Instant now, Peer& peer) {
  for (int i = 0; i < kEventsPerTurn && peer.session != nullptr; ++i) {
    auto event = peer.session->poll_event();
    if (!event || !on_event(now, peer, *event)) {
      return;
    }
  }
}

bool Links::on_event(Instant now, Peer& peer, transport::Event& event) {
  Result<void> outcome;
  switch (event.kind) {
    case transport::Event::Kind::kEstablished:
      established(now, peer, event);
      return true;
    case transport::Event::Kind::kClosed:
      session_over(now, peer, event.close);
      return false;
    case transport::Event::Kind::kControl:
      outcome = on_control(now, peer, event.bytes.bytes());
      break;
    case transport::Event::Kind::kTransfer:
      outcome = ingress_.on_transfer(now, peer, event.bytes.bytes());
      break;
  }
  if (outcome || outcome.error().code == Code::kRefused) {
    return true;
  }
  if (outcome.error().code == Code::kFull) {
    peer.on_no_storage(now);
    return true;
  }
  const SessionCode code = outcome.error().code == Code::kUnsupported
                               ? SessionCode::kNoCommonVersion
                               : SessionCode::kProtocolViolation;
  end_session(now, peer, code, outcome.error());
  return false;
}

void Links::established(Instant now, Peer& peer, const transport::Event& event) {
  peer.identity = event.identity;
  peer.own_certificate = event.own_certificate;
  peer.redial.on_success();
  peer.on_state(now, PeerState::kGreeting);
  peer.send(own_hello(peer));
  exchange_.on_greeting(peer);
}

control::ControlMessage Links::own_hello(std::uint32_t connection,
                                         std::uint32_t connections) const {
  control::ControlMessage message;
  auto* hello = message.mutable_hello();
  hello->set_version_min(kVersionMin);
  hello->set_version_max(kVersionMax);
  hello->set_site(core_.config.site);
  hello->set_gateway_id(core_.config.site + "-1");
  hello->set_incarnation(core_.incarnation.packed());
  hello->set_software("godwitd 0.1.0");
  hello->set_connection(connection);
  hello->set_connections(connections);
  hello->set_workers(core_.config.workers);
  const Capabilities own = Capabilities::own();
  for (const std::string& name : own.names()) {
    hello->add_capabilities(name);
  }
  return message;
}

Result<const control::ControlMessage*> Links::parse(std::span<const std::byte> bytes) {
  control::ControlMessage& message = scratch_.fresh();
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return fail(Code::kCorrupt, "control message: not a Protobuf message");
  }
  return &message;
}

Result<void> Links::on_control(Instant now, Peer& peer, std::span<const std::byte> bytes) {
  const auto parsed = parse(bytes);
  if (!parsed) {
    return Failure(parsed.error());
  }
  const control::ControlMessage& message = **parsed;
  if (message.kind_case() == control::ControlMessage::kHello) {
    return on_hello(now, peer, message.hello());
  }
  if (message.kind_case() == control::ControlMessage::kGoodbye) {
    peer.last_error =
        fmt::format("{} said goodbye: {}", peer.site().name, printable(message.goodbye().text()));
    return {};
  }
  if (peer.state != PeerState::kUp) {
    return fail(Code::kCorrupt, "control message: something came before Hello");
  }
  auto outcome = exchange_.on_message(now, peer, message);
  if (outcome && peer.overrun()) {
    outcome =
        fail(Code::kCorrupt,
             "control message: more than {} MiB of answers wait for {}, which asks on and does "
             "not read them",
             ControlOutbox::kAnswerBytesMax >> 20U,
             peer.site().name);
  }
  return outcome;
}

Result<void> Links::on_hello(Instant now, Peer& peer, const control::Hello& hello) {
  if (peer.state != PeerState::kGreeting) {
    return fail(Code::kCorrupt, "Hello: it came twice");
  }
  auto capabilities = check_hello(peer, hello);
  if (!capabilities) {
    return Failure(capabilities.error());
  }
  keep_hello(peer, hello, std::move(*capabilities));
  if (redirect(now, peer, hello)) {
    return fail(Code::kRefused, "another worker has the connection");
  }
  peer.on_state(now, PeerState::kUp);
  settle_path(now, peer);
  exchange_.on_up(peer);
  return {};
}

Result<Capabilities> Links::check_hello(const Peer& peer, const control::Hello& hello) {
  if (hello.site() != peer.site().name) {
    return fail(Code::kCorrupt,
                "Hello: it names site \"{}\", the certificate names \"{}\"",
                printable(hello.site()).substr(0, 255),
                peer.site().name);
  }
  if (hello.connection() != peer.connection() ||
      std::max(hello.connections(), 1U) != peer.connections()) {
    return fail(Code::kCorrupt,
                "Hello: it is of connection {} of {}, and this is {} of {}; [[links]] connections "
                "must be the same at both sites",
                hello.connection(),
                std::max(hello.connections(), 1U),
                peer.connection(),
                peer.connections());
  }
  const std::uint32_t workers = std::max(hello.workers(), 1U);
  if (!is_shard_count(workers) || workers > peer.connections()) {
    return fail(Code::kCorrupt,
                "Hello: {} workers for {} connections; a power of two, and at most as many",
                workers,
                peer.connections());
  }
  if (hello.version_min() > kVersionMax || hello.version_max() < kVersionMin) {
    return fail(Code::kUnsupported,
                "no common wire version: {} speaks {} to {}, this gateway {} to {}; upgrade the "
                "older one",
                peer.site().name,
                hello.version_min(),
                hello.version_max(),
                kVersionMin,
                kVersionMax);
  }
  return Capabilities::read({hello.capabilities().begin(), hello.capabilities().end()});
}

void Links::keep_hello(Peer& peer, const control::Hello& hello, Capabilities capabilities) {
  peer.capabilities = std::move(capabilities);
  peer.software = printable(hello.software()).substr(0, 255);
  peer.gateway_id = printable(hello.gateway_id()).substr(0, 255);
  peer.incarnation = hello.incarnation();
}

void Links::end_session(Instant now, Peer& peer, SessionCode code, const Error& error) {
  control::ControlMessage message;
  message.mutable_goodbye()->set_reason(reason_of(code));
  message.mutable_goodbye()->set_text(error.message);
  peer.send(message);
  peer.flush(now);
  peer.session->close(now, static_cast<std::uint64_t>(code), error.message);
  transport::Close close;
  close.reason = close_reason_of(code);
  close.code = static_cast<std::uint64_t>(code);
  close.text = error.message;
  session_over(now, peer, close);
}

void Links::count_refusal(Peer& peer, const transport::Close& close) {
  if (refused_by_certificate(close.reason)) {
    ++peer.counters.refused;
  }
  if (close.is_refusal()) {
    ++refusals_[close.reason];
  }
}

void Links::session_over(Instant now, Peer& peer, const transport::Close& close) {
  peer.keep_totals(*peer.session);
  if (peer.state == PeerState::kUp) {
    keep_round_trip(peer);
  }
  count_refusal(peer, close);
  peer.last_error = printable(close.text.empty() ? transport::name(close.reason) : close.text);
  peer.last_reason = transport::name(close.reason);
  if (peer.state != PeerState::kUp) {
    peer.on_failed_attempt(peer.last_reason, peer.last_error);
    choose_next_path(peer, close);
  }
  ++peer.closed_by_reason[peer.last_reason];
  transport::Session* over = peer.session;
  peer.session = nullptr;
  exchange_.on_down(now, peer);
  peer.on_state(now, PeerState::kDown);
  peer.redial.on_failure(now);
  endpoint_.retire(now, over);
  promote_successor(now, peer);
}

void Links::stop(Instant now) {
  for (const auto& peer : core_.peers) {
    drop_successor(now, *peer, "the gateway stops");
    retire(now, *peer);
    if (peer->session != nullptr) {
      end_session(now,
                  *peer,
                  SessionCode::kStopping,
                  Error{Code::kClosed, "the gateway stops; nothing is lost"});
    }
  }
}

Instant Links::deadline() const {
  Instant first = Instant::never();
  for (const auto& peer : core_.peers) {
    if (peer->dials() && peer->session == nullptr) {
      first = std::min(first, peer->redial.next_attempt());
    }
    if (peer->session != nullptr) {
      first = std::min(first, peer->storage_retry);
    }
    if (peer->retiring != nullptr) {
      first = std::min(first, peer->retires_at);
    }
    if (wants_renewal(*peer)) {
      first = std::min(first, peer->renews_at);
    }
    if (wants_first_path(*peer)) {
      first = std::min(first, peer->detour->next_try);
    }
  }
  return first;
}

}  // namespace godwit::gateway

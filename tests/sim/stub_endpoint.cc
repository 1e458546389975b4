#include "tests/sim/stub_endpoint.h"

#include <algorithm>

namespace godwit::sim {

Instant StubSession::deadline() const {
  return is_established() && hungry_ ? network_.room_at(self_, peer_) : Instant::never();
}

std::optional<transport::Event> StubSession::poll_event() {
  if (events_.empty()) {
    return std::nullopt;
  }
  transport::Event event = std::move(events_.front());
  events_.pop_front();
  return event;
}

bool StubSession::wants_transfer() const {
  if (!is_established()) {
    return false;
  }
  hungry_ = network_.room_at(self_, peer_) > now_;
  return !hungry_;
}

void StubSession::send_transfer(Instant now,
                                std::span<const std::byte> bytes,
                                transport::Precedence /*precedence*/) {
  if (is_established()) {
    network_.send(now, conversation_, self_, MessageKind::kTransfer, bytes);
    stats_.bytes_sent += bytes.size();
    ++stats_.transfers_sent;
  }
}

bool StubSession::send_control(Instant now, std::span<const std::byte> message) {
  if (!is_established()) {
    return false;
  }
  network_.send(now, conversation_, self_, MessageKind::kControl, message);
  stats_.bytes_sent += message.size();
  return true;
}

transport::SessionStats StubSession::stats() const {
  transport::SessionStats stats = stats_;
  stats.rtt_smoothed = stats.rtt_min = network_.round_trip(self_, peer_);
  stats.delivery = network_.rate(self_, peer_);
  return stats;
}

void StubSession::close(Instant now, std::uint64_t code, std::string_view reason) {
  if (closed_) {
    return;
  }
  if (established_) {
    network_.send(now, conversation_, self_, MessageKind::kClose, {}, code);
  }
  on_closed({.reason = transport::CloseReason::kLocal,
             .code = code,
             .by_peer = false,
             .text = std::string(reason)});
}

void StubSession::on_established() {
  if (established_ || closed_) {
    return;
  }
  established_ = true;
  transport::Event event;
  event.kind = transport::Event::Kind::kEstablished;
  event.identity.site = network_.site_name(peer_);
  events_.push_back(std::move(event));
}

void StubSession::on_message(transport::Event::Kind kind, std::span<const std::byte> bytes) {
  if (!is_established()) {
    return;
  }
  transport::Event event;
  event.kind = kind;
  event.bytes = transport::Buffer::copy_of(bytes);
  stats_.bytes_received += bytes.size();
  events_.push_back(std::move(event));
}

void StubSession::on_closed(transport::Close close) {
  if (closed_) {
    return;
  }
  closed_ = true;
  transport::Event event;
  event.kind = transport::Event::Kind::kClosed;
  event.close = std::move(close);
  events_.push_back(std::move(event));
}

transport::Session* StubEndpoint::dial(Instant now, const transport::PeerConfig& peer) {
  const std::size_t to = network_.site_index(peer.site);
  const std::uint64_t conversation = network_.begin_conversation(now, site_, to);
  auto session = std::make_unique<StubSession>(network_, conversation, site_, to);
  session->set_now(now);
  network_.join(conversation, site_, session.get());
  network_.send(now, conversation, site_, MessageKind::kOpen, {});
  ++counters_.sessions_dialled;
  sessions_.push_back(std::move(session));
  return sessions_.back().get();
}

transport::Session* StubEndpoint::poll_accepted() {
  if (accepted_.empty()) {
    return nullptr;
  }
  StubSession* session = accepted_.front();
  accepted_.pop_front();
  return session;
}

void StubEndpoint::receive(Instant now) {
  now_ = now;
  for (const auto& session : sessions_) {
    session->set_now(now);
  }
}

Instant StubEndpoint::deadline() const {
  Instant first = Instant::never();
  for (const auto& session : sessions_) {
    first = std::min(first, session->deadline());
  }
  return first;
}

void StubEndpoint::retire(Instant now, transport::Session* session) {
  const auto at = std::find_if(sessions_.begin(), sessions_.end(), [&](const auto& known) {
    return known.get() == session;
  });
  if (at != sessions_.end()) {
    (*at)->close(now, 0, "retired");
    std::erase(accepted_, at->get());
    sessions_.erase(at);
  }
}

StubSession* StubEndpoint::accept(std::uint64_t conversation, std::size_t from) {
  auto session = std::make_unique<StubSession>(network_, conversation, site_, from);
  session->set_now(now_);
  session->on_established();
  ++counters_.sessions_accepted;
  accepted_.push_back(session.get());
  sessions_.push_back(std::move(session));
  return sessions_.back().get();
}

}  // namespace godwit::sim

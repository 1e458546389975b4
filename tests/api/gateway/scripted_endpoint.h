// A transport whose other end is the test: what the test says arrives, what is sent is kept.
//
// Thread: one. Memory: sessions stay until the endpoint ends, so that a test can look at them
// after the gateway has retired them.
#pragma once

#include <algorithm>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "api/proto/control.pb.h"
#include "dataplane/base/bytes.h"
#include "dataplane/transport/endpoint.h"

namespace godwit::gateway {

class ScriptedSession final : public transport::Session {
 public:
  // --- the test's side ---
  void establish(std::string site, std::string own_certificate = {}) {
    transport::Event event;
    event.kind = transport::Event::Kind::kEstablished;
    event.identity.site = std::move(site);
    event.identity.valid_until = 4'000'000'000;
    event.own_certificate = std::move(own_certificate);
    events_.push_back(std::move(event));
    established_ = true;
  }
  void control(std::string_view bytes) { arrive(transport::Event::Kind::kControl, bytes); }
  void control(const control::ControlMessage& message) { control(message.SerializeAsString()); }
  void transfer(std::string_view bytes) { arrive(transport::Event::Kind::kTransfer, bytes); }
  void end(transport::CloseReason reason, std::string text) {
    transport::Event event;
    event.close.reason = reason;
    event.close.text = std::move(text);
    events_.push_back(std::move(event));
    open_ = false;
  }

  // The peer reads its control stream no longer: the backlog of what is sent there is full.
  void stop_reading() { reads_ = false; }

  transport::SessionStats figures;
  std::deque<std::string> controls;   // sent by the gateway and not yet taken
  std::deque<std::string> transfers;  // the same
  bool closed = false;                // by the gateway, with these
  std::uint64_t close_code = 0;
  std::string close_reason;
  bool retired = false;
  Instant bulk_ready = Instant::from_ns(0);
  port::Peer from;  // of one that the peer began: the ends of its path
  port::Peer to;

  // The next control message of a kind, skipping others; default instance when there is none.
  control::ControlMessage take(control::ControlMessage::KindCase kind) {
    while (!controls.empty()) {
      control::ControlMessage message;
      message.ParseFromString(controls.front());
      controls.pop_front();
      if (message.kind_case() == kind) {
        return message;
      }
    }
    return {};
  }

  // --- the gateway's side ---
  void on_timeout(Instant /*now*/) override {}
  Instant deadline() const override { return Instant::never(); }
  std::optional<transport::Event> poll_event() override {
    if (events_.empty()) {
      return std::nullopt;
    }
    transport::Event event = std::move(events_.front());
    events_.pop_front();
    return event;
  }
  bool wants_transfer() const override { return can_send() && transfers.size() < 4; }
  Instant bulk_ready_at() const override { return bulk_ready; }
  void send_transfer(Instant /*now*/,
                     std::span<const std::byte> bytes,
                     transport::Precedence /*precedence*/) override {
    transfers.emplace_back(text(bytes));
  }
  bool send_control(Instant /*now*/, std::span<const std::byte> message) override {
    if (can_send() && reads_) {
      controls.emplace_back(text(message));
    }
    return can_send() && reads_;
  }
  void set_rate(BitRate /*rate*/) override {}
  transport::SessionStats stats() const override { return figures; }
  std::uint64_t unsent_bytes() const override { return 0; }
  const port::Peer& remote() const override { return from; }
  const port::Peer& local() const override { return to; }
  void close(Instant /*now*/, std::uint64_t code, std::string_view reason) override {
    closed = true;
    close_code = code;
    close_reason = reason;
    open_ = false;
  }

 private:
  bool can_send() const { return established_ && open_; }
  static std::string text(std::span<const std::byte> bytes) {
    std::string out(bytes.size(), '\0');
    std::transform(
        bytes.begin(), bytes.end(), out.begin(), [](std::byte b) { return static_cast<char>(b); });
    return out;
  }
  void arrive(transport::Event::Kind kind, std::string_view bytes) {
    transport::Event event;
    event.kind = kind;
    event.bytes = transport::Buffer::copy_of(as_bytes(bytes));
    events_.push_back(std::move(event));
  }

  bool established_ = false;
  bool reads_ = true;
  bool open_ = true;
  std::deque<transport::Event> events_;
};

class ScriptedEndpoint final : public transport::Endpoint {
 public:
  // A peer has dialled; its first event is what the test says next.
  ScriptedSession& accept() {
    sessions_.push_back(std::make_unique<ScriptedSession>());
    accepted_.push_back(sessions_.back().get());
    return *sessions_.back();
  }
  // The last session that the gateway dialled to the site; nullptr when none.
  ScriptedSession* dialled(const std::string& site) {
    const auto at = std::find_if(
        dialled_.rbegin(), dialled_.rend(), [&](const auto& one) { return one.first == site; });
    return at == dialled_.rend() ? nullptr : at->second;
  }
  // Every one of them, in their order.
  std::vector<ScriptedSession*> all_dialled(const std::string& site) {
    std::vector<ScriptedSession*> all;
    for (const auto& [to, session] : dialled_) {
      all.insert(all.end(), to == site ? 1U : 0U, session);
    }
    return all;
  }
  std::size_t dials() const { return dialled_.size(); }
  // The gateway's process is gone, and its sessions with it.
  void lose_all() {
    for (const auto& session : sessions_) {
      session->retired = true;
    }
  }
  transport::PeerConfig last_dialled;
  transport::EndpointCounters figures;

  void configure(std::vector<transport::PeerConfig> /*peers*/) override {}
  transport::Session* dial(Instant /*now*/, const transport::PeerConfig& peer) override {
    sessions_.push_back(std::make_unique<ScriptedSession>());
    dialled_.emplace_back(peer.site, sessions_.back().get());
    last_dialled = peer;
    return sessions_.back().get();
  }
  transport::Session* poll_accepted() override {
    if (accepted_.empty()) {
      return nullptr;
    }
    transport::Session* session = accepted_.front();
    accepted_.pop_front();
    return session;
  }
  void receive(Instant /*now*/) override {}
  void transmit(Instant /*now*/) override {}
  Instant deadline() const override { return Instant::never(); }
  void retire(Instant /*now*/, transport::Session* session) override {
    static_cast<ScriptedSession*>(session)->retired = true;
  }
  transport::EndpointCounters counters() const override { return figures; }

 private:
  std::vector<std::unique_ptr<ScriptedSession>> sessions_;
  std::vector<std::pair<std::string, ScriptedSession*>> dialled_;
  std::deque<ScriptedSession*> accepted_;
};

}  // namespace godwit::gateway

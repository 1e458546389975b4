// Answers to the command `godwit`: what the gateway knows of itself, as admin messages.
//
// Thread: the worker.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "api/gateway/gateway.h"
#include "api/proto/admin.pb.h"
#include "dataplane/port/port.h"

namespace godwit::gateway {

class Reporter {
 public:
  Reporter(Gateway& gateway, Instant started) : gateway_(gateway), started_(started) {}

  // A serialised AdminRequest in, a serialised AdminResponse out.
  std::string answer(Instant now, std::span<const std::byte> request);
  // The port that is reported; it outlives this.
  void set_port(port::Port& port) { port_ = &port; }
  // What the rings of one client take at most.
  void set_client_ring_bytes(std::uint64_t bytes) { client_ring_bytes_ = bytes; }
  // How long the gateway is to drain before it stops; nothing when nobody has asked since.
  std::optional<Duration> take_stop() { return std::exchange(stop_, std::nullopt); }

 private:
  admin::AdminResponse respond(Instant now, const admin::AdminRequest& request);
  void status(Instant now, admin::StatusReport& out);
  void add_problems(Instant now, admin::StatusReport& out);
  void add_port_problems(admin::StatusReport& out);
  void add_link_problems(Instant now, admin::StatusReport& out);
  void add_barred(Instant now, admin::StatusReport& out);
  void add_overdue(Instant now, admin::StatusReport& out);
  void add_refusals(Instant now, admin::StatusReport& out);
  void add_client_refusals(Instant now, admin::StatusReport& out);
  void link(Instant now, const Peer& peer, admin::LinkReport& out);
  void port(Instant now, admin::PortReport& out);
  void summary(const Topic& topic, admin::TopicSummary& out);
  void topic(Instant now, Topic& topic, admin::TopicReport& out);
  void lane(Instant now, const Topic& topic, ledger::LaneIndex index, admin::LaneReport& out);
  void ledger(Topic& topic, admin::TopicLedger& out);
  void explain(Instant now, Topic& topic, admin::ExplainReport& out);
  void peer(const Peer& peer, admin::PeerReport& out);
  std::uint64_t left_to_send() const;  // bytes
  std::string lane_name(const ledger::LaneKey& key) const;
  static std::uint64_t since(Instant now, Instant then);  // ns
  // For how long the oldest transfer of the lane has been without its receipt; zero when none is.
  static Duration unreceipted_for(Instant now, const Topic& topic, const PeerLanes& lanes);
  // So long that the peer receives and does not take it.
  static bool is_overdue(Instant now, const Topic& topic, const Peer& peer, const PeerLanes& lanes);
  static std::string overdue_text(Instant now,
                                  const Topic& topic,
                                  const Peer& peer,
                                  const PeerLanes& lanes);
  static admin::LinkReport::State link_state(const Peer& peer);
  static std::string barred_text(std::string_view site);

  bool port_is_down() const { return port_ != nullptr && !port_->link_up(); }

  Gateway& gateway_;
  port::Port* port_ = nullptr;
  Instant started_;
  std::uint64_t client_ring_bytes_ = 0;
  std::optional<Duration> stop_;
};

}  // namespace godwit::gateway

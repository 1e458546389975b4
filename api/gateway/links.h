// Sessions with all peers: dial for ever, greet, dispatch what arrives, say goodbye.
//
// Of two sites the one with the smaller name dials, once for each connection of the link; which one
// a session is for its Hello says. A newer session replaces an older one, and an older one that is
// up stays so until the newer one is. What a peer sends goes to Exchange
// (control) and Ingress (transfers); an error there ends the session with a reason that the peer,
// our log, the metric and `godwit status` name.
//
// Thread: the worker. Time: passed in.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/gateway/capabilities.h"
#include "api/gateway/control_scratch.h"
#include "api/gateway/core.h"
#include "api/gateway/exchange.h"
#include "api/gateway/ingress.h"
#include "dataplane/transport/close_reason.h"
#include "dataplane/transport/endpoint.h"

namespace godwit::gateway {

// What a session is closed with; stable, seen by the peer.
enum class SessionCode : std::uint64_t {
  kNone = 0,
  kStopping = 1,
  kNoCommonVersion = 2,
  kSiteMismatch = 3,
  kProtocolViolation = 4,
  kReplaced = 5,
  kNoStorage = 6,
  kNoSuchConnection = 7,
  kOtherWorker = 8,
};

class Links {
 public:
  static constexpr std::uint32_t kVersionMin = 1;
  static constexpr std::uint32_t kVersionMax = 1;

  Links(Core& core, transport::Endpoint& endpoint, Exchange& exchange, Ingress& ingress)
      : core_(core), endpoint_(endpoint), exchange_(exchange), ingress_(ingress) {}

  // Dials who must be dialled, takes who has come, and handles every event of every session.
  void on_turn(Instant now);
  // Our certificate is another one now, by its SHA-256: sessions that show the former one are
  // replaced, one by one, by sessions that show it; links stay up meanwhile.
  void use_certificate(std::string sha256) { certificate_ = std::move(sha256); }
  // Tells every peer that this gateway stops.
  void stop(Instant now);
  Instant deadline() const;
  // Sessions that ended because a certificate or a site was refused, before a peer was known.
  std::uint64_t strangers_refused() const { return strangers_refused_; }
  const std::string& last_stranger() const { return last_stranger_; }
  // Handshakes that we refused for who the other end is or is not, whoever began them.
  const std::map<transport::CloseReason, std::uint64_t>& refusals() const { return refusals_; }

 private:
  // Events of one session per turn: bounds the time that one peer can take from the others.
  static constexpr int kEventsPerTurn = 64;

  // An established session of a site whose link has several connections: its Hello is to come, or
  // was answered that another worker has the connection.
  struct Unnamed {
    transport::Session* session;
    transport::Event first;
    bool is_redirected = false;  // our Hello named the worker that has it
    bool is_over = false;        // named, refused or closed
  };

  void dial(Instant now, Peer& peer);
  void ask_again(Instant now, Peer& peer);
  void greet_strangers(Instant now);
  void refuse_stranger(Instant now, transport::Session& session, const transport::Event& event);
  void keep_unnamed(Instant now, transport::Session& session, const transport::Event& first);
  void greet_unnamed(Instant now);
  // False: something has to be waited for, still.
  bool name_one(Instant now, Unnamed& unnamed);
  // Ends it for what it said first.
  void refuse_unnamed(Instant now, const Unnamed& unnamed, SessionCode code, std::string_view why);
  // Whether another worker there has the connection; then it is dialled, and this session is over.
  bool redirect(Instant now, Peer& peer, const control::Hello& hello);
  void assign(Instant now, Peer& peer, transport::Session& session, const transport::Event& first);
  void poll_events(Instant now, Peer& peer);
  // False: the session has ended.
  bool on_event(Instant now, Peer& peer, transport::Event& event);
  Result<void> on_control(Instant now, Peer& peer, std::span<const std::byte> bytes);
  Result<void> on_hello(Instant now, Peer& peer, const control::Hello& hello);
  void established(Instant now, Peer& peer, const transport::Event& event);
  control::ControlMessage own_hello(std::uint32_t connection, std::uint32_t connections) const;
  control::ControlMessage own_hello(const Peer& peer) const {
    return own_hello(peer.connection(), peer.connections());
  }
  // What the greeting peer can; or why it is not the one, or speaks no common version.
  static Result<Capabilities> check_hello(const Peer& peer, const control::Hello& hello);
  static void keep_hello(Peer& peer, const control::Hello& hello, Capabilities capabilities);
  // The message is valid until the next one is parsed.
  Result<const control::ControlMessage*> parse(std::span<const std::byte> bytes);

  // Several paths of one link (links_paths.cc).
  static bool wants_first_path(const Peer& peer);
  void try_first_path(Instant now, Peer& peer);
  static void first_path_failed(Peer& peer, std::string_view reason, const std::string& text);
  // An attempt has failed.
  static void choose_next_path(Peer& peer, const transport::Close& close);
  // The link is up on peer.path.
  void settle_path(Instant now, Peer& peer);
  static void keep_round_trip(Peer& peer);

  // Make before break (links_renewal.cc).
  bool wants_renewal(const Peer& peer) const;
  void renew(Instant now, Peer& peer);
  // A peer's session came while another is up.
  void on_rival(Instant now,
                Peer& peer,
                transport::Session& session,
                const transport::Event& first);
  void poll_successor(Instant now, Peer& peer);
  void successor_greeted(Instant now, Peer& peer, std::span<const std::byte> hello);
  void successor_established(Instant now, Peer& peer, const transport::Event& event);
  void take_over(Instant now, Peer& peer, const control::Hello& hello, Capabilities capabilities);
  // It ended, or must, before it could take over.
  void successor_failed(Instant now, Peer& peer, const transport::Close& close);
  void drop_successor(Instant now, Peer& peer, std::string_view why);
  // The session has ended; its successor, if there is one, is all that is left.
  void promote_successor(Instant now, Peer& peer);
  void poll_retiring(Instant now, Peer& peer);
  void retire(Instant now,
              Peer& peer,
              SessionCode code = SessionCode::kReplaced,
              std::string_view why = "a newer session of the same site took over");
  void end_session(Instant now, Peer& peer, SessionCode code, const Error& error);
  // A session's end, if who was at one of its ends was refused.
  void count_refusal(Peer& peer, const transport::Close& close);
  void session_over(Instant now, Peer& peer, const transport::Close& close);

  Core& core_;
  ControlScratch scratch_;  // of what is received
  transport::Endpoint& endpoint_;
  Exchange& exchange_;
  Ingress& ingress_;
  std::string certificate_;                     // our present one's SHA-256; empty: not known
  std::vector<transport::Session*> strangers_;  // accepted; their first event is to come
  std::vector<Unnamed> unnamed_;                // the oldest first
  std::map<std::pair<SiteId, SessionCode>, std::uint64_t> unnamed_refused_;
  std::uint64_t strangers_refused_ = 0;
  std::map<transport::CloseReason, std::uint64_t> strangers_by_reason_;  // the same
  std::string last_stranger_;
  std::map<transport::CloseReason, std::uint64_t> refusals_;
};

}  // namespace godwit::gateway

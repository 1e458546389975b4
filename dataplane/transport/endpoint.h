// All sessions of one port: it dials, accepts, and in its turn moves packets both ways.
//
// A worker's loop:
//     endpoint.receive(now);                       // packets → sessions' events
//     ... poll_accepted, poll_event, send_control, while (wants_transfer) send_transfer ...
//     endpoint.transmit(now);                      // sessions → trains, as the shapers allow
//     port.wait(min(endpoint.deadline(), own deadlines) - now);
// `on_turn` is both halves at once.
//
// Thread: one worker. Memory: sessions belong to the endpoint; a pointer is valid until `retire`.
// Time: `now` comes first and never goes back.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/base/units.h"
#include "dataplane/port/peer.h"
#include "dataplane/transport/session.h"
#include "dataplane/transport/shared_cap.h"
#include "dataplane/transport/yielding_rate.h"

namespace godwit::transport {

// BBR2 is not offered: the library's has a known failing assertion.
enum class CongestionControl : std::uint8_t {
  kBbr,
  kCubic
};

// One path to one peer site. A site with several addresses has one for each.
struct PeerConfig {
  std::string site;                          // the name its certificate must carry
  port::Peer address;                        // where it listens; the only host it may come from
  port::Peer local = {};                     // the host to dial from; none: the port's own choice
  std::string link;                          // sessions with the same link name share one shaper
  BitRate cap = BitRate::unlimited();        // the operator's rate of the link, layer 3
  SharedCap* shared_cap = nullptr;           // the same, if other workers send on the link, too
  Duration rtt_expected = Duration::zero();  // zero: unknown; else the last one measured
  // Of this link's sessions; none: the endpoint's.
  std::optional<CongestionControl> congestion = std::nullopt;
  Yields yields = Yields::kNothing;  // to others on the path; needs a cap
};

struct EndpointCounters {
  std::uint64_t sessions_dialled = 0;
  std::uint64_t sessions_accepted = 0;       // handshakes begun by known peers
  std::uint64_t sessions_refused = 0;        // by certificate or site
  std::uint64_t packets_unknown_source = 0;  // from hosts that are no configured peer; dropped
  std::uint64_t packets_unmatched = 0;       // for no connection of ours
  std::uint64_t packets_malformed = 0;
  std::uint64_t packets_late = 0;         // of those unmatched, answers to dials that were given up
  std::uint64_t accepts_over_limit = 0;   // handshakes not begun: too many are open
  std::uint64_t handshakes_failed = 0;    // accepted, ended before anybody was proven
  std::uint64_t sessions_over_limit = 0;  // ended because the peer exceeded a limit of ours
  std::uint64_t retries_sent = 0;         // of the greetings over the limit, those asked for proof
  std::uint64_t tokens_refused = 0;       // proofs that were not ours, too old, or another's
  std::uint64_t answers_withheld = 0;     // over the pace of stateless answers and token checks
  std::uint64_t resets_sent = 0;          // stateless resets
  std::uint64_t versions_negotiated = 0;
};

class Endpoint {
 public:
  virtual ~Endpoint() = default;

  // The peers that may connect, and their links; replaces the former list. Sessions that run stay.
  virtual void configure(std::vector<PeerConfig> peers) = 0;
  // Begins a session; the outcome is its kEstablished or kClosed event. nullptr: the limit on
  // sessions is reached.
  virtual Session* dial(Instant now, const PeerConfig& peer) = 0;
  // The next session that a peer began and whose identity is proven (its next event is
  // kEstablished) or refused by either end (kClosed with the reason); nullptr when there is none.
  virtual Session* poll_accepted() = 0;

  virtual void receive(Instant now) = 0;
  virtual void transmit(Instant now) = 0;
  void on_turn(Instant now) {
    receive(now);
    transmit(now);
  }
  // When the next turn is due even if nothing arrives; may be in the past when work waits.
  virtual Instant deadline() const = 0;
  // Ends the session if need be and forgets it; the pointer is dead afterwards.
  virtual void retire(Instant now, Session* session) = 0;

  virtual EndpointCounters counters() const = 0;
};

}  // namespace godwit::transport

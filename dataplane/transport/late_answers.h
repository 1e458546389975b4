// Answers to dials that were given up before: a path that is longer than anybody waited for.
//
//     dial ──greeting──────────────▶ peer
//       │ silent for too long: given up, its ids are kept
//       ◀────────────────answer──────┘   now − begin of the dial = a round trip, at most
//
// A cut path and a long one look the same to a dial: nothing comes. Waiting longer after each
// failure would tell them apart, and would make a healed link wait. A late answer tells them apart
// for nothing: only a path that lives and is long has any. Whoever cannot see a dial's id cannot
// forge its answer; who sees it stands on the path and could swallow the answers as well.
//
// Thread: one. Memory: kDialsMax ids, and a figure per peer until it is forgotten. Time: sans-I/O.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <unordered_map>

#include "dataplane/base/units.h"
#include "dataplane/port/peer.h"
#include "dataplane/transport/connection_id.h"

namespace godwit::transport {

class LateAnswers {
 public:
  // Nothing is learned from an answer that took longer; such paths do not come up by themselves.
  // Chosen: two hops over geostationary satellites and a second of queues on the way.
  static constexpr Duration kRttMax = Duration::ms(5'000);
  // For so long the ids of a dial are known after its begin. Chosen: a few times the former.
  static constexpr Duration kKept = Duration::ms(15'000);
  // Dials are half a second apart at least, so each of 16 peers may have all of its own here; with
  // more of them silent at once, some learn from a later dial.
  static constexpr std::size_t kDialsMax = 512;

  enum class Kind : std::uint8_t {
    kNone,   // no answer to a dial of ours
    kFirst,  // the first since a session with this peer was established
    kAgain,  // any other, also one that is too late to be believed
  };

  // A dial that was begun at `began` ended at `now`, unanswered.
  void on_given_up(Instant now,
                   Instant began,
                   const port::Peer& peer,
                   std::span<const ConnectionId> ids);
  // A packet for `id`, which no session has, came from `from`.
  Kind on_packet(Instant now, const port::Peer& from, const ConnectionId& id);
  // The round trip that the last late answer of this peer took; zero: none is known.
  Duration round_trip(const port::Peer& peer) const;
  // A session with this peer is established: it measures better.
  void forget(const port::Peer& peer) { round_trips_.erase(peer); }
  void forget_all() { round_trips_.clear(); }
  bool is_empty() const { return round_trips_.empty(); }

 private:
  struct Dial {
    port::Peer peer;
    Instant began;
    bool is_answered = false;
  };

  std::unordered_map<ConnectionId, Dial, ConnectionIdHash> dials_;
  std::unordered_map<port::Peer, Duration> round_trips_;
};

}  // namespace godwit::transport

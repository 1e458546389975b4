// Late binding: when a link can take a quantum, choose, encode, freeze and hand over.
//
//   session wants a transfer ─▶ resend what is missing, unless something new is more urgent, else
//     queue.next(tile, budget) ─▶ open = P − S ─▶ filter ─▶ codec ─▶ freeze (S += removed) ─▶
//     session
//
// A transfer holds tiles of one lane, about 10 ms of the link's rate, in [4 KiB, 64 KiB].
//
// Thread: the worker. Time: passed in.
#pragma once

#include <cstdint>
#include <optional>

#include "api/gateway/core.h"

namespace godwit::gateway {

class Egress {
 public:
  // A transfer is about so long on the line (DESIGN: freeze unit).
  static constexpr Duration kTransferTime = Duration::ms(10);
  static constexpr std::size_t kTransferBytesMin = 4 * 1024;
  static constexpr std::size_t kTransferBytesMax = 64 * 1024;
  // With so much in it a transfer goes, though more would fit: it is a dozen packets, and who loses
  // one of them waits a round trip for its repair. At 1 % loss that is every eighth transfer.
  // A lane that has half of its window on the way, as on a long fast link, sends larger ones.
  static constexpr std::size_t kTransferBytesEnough = 12 * 1024;
  // Topics without a change for so long are drained to the last bit, below their tolerance too.
  static constexpr Duration kQuiet = Duration::ms(1000);  // chosen: ten steps of a fast trainer

  explicit Egress(Core& core) : core_(core) {}

  // Feeds the peer's session until it wants no more or nothing is worth sending.
  void pump(Instant now, Peer& peer);
  // A topic changed: offers its tiles to the queues of all its lanes.
  void on_changed(Instant now, Topic& topic, const ledger::TileActivity& activity);
  // Starts or continues draining of topics that have become quiet; true while there is more to do
  // at once.
  bool drain_quiet(Instant now);
  // When the next topic becomes quiet and has something to drain.
  Instant deadline() const;
  // From now on somebody waits for everything: every topic counts as quiet, and what a visit
  // leaves of a tile is sent at once instead of after an interval.
  void drain() { draining_ = true; }

 private:
  enum class AddOutcome : std::uint8_t {
    kAdded,
    kNothing,  // the tile has nothing that is worth sending now
    kFull,     // the transfer, or the storage, takes no more
  };

  // A frozen transfer that the present session has not carried yet.
  struct Missing {
    Topic* topic = nullptr;
    PeerLanes* lanes = nullptr;
    std::uint64_t k = 0;
    Instant due;
  };

  bool send_one(Instant now, Peer& peer, const scheduler::LinkView& link);
  std::optional<Missing> most_urgent_missing(const Peer& peer, scheduler::Class least) const;
  static void resend(Instant now, Peer& peer, const Missing& missing);
  bool send_next(Instant now, Peer& peer, const scheduler::LinkView& link);
  bool begin(Instant now, const Peer& peer, const QueuedLane& queued) const;
  // Encodes one choice into the transfer that is being built.
  AddOutcome add_tile(Instant now, Peer& peer, const scheduler::Choice& choice);
  // What of the open change may be sent: all of it, or what passes the significance filter.
  struct Sendable {
    std::span<const std::int64_t> quanta;
    std::uint64_t held_max = 0;  // largest magnitude that is held back
  };
  Sendable sendable(Topic& topic, std::uint32_t tile);
  // `due` is the earliest deadline of what was added.
  void seal_and_send(Instant now, Peer& peer, const QueuedLane& queued, Instant due);
  void offer_open(Instant now, Topic& topic, std::uint32_t tile);
  void deepen(Instant now, const Topic& topic);

  Core& core_;
  bool draining_ = false;
};

}  // namespace godwit::gateway

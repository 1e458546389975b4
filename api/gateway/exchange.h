// The control plane of topics between gateways: announcements, lanes, receipts, clocks, coverage.
//
//   A: TopicAnnounce ─▶        B: compares shape, seed, residency; announces its own
//   A: LaneOpen(next_k) ─▶     B: opens its incoming lane
//   B: ◀─ LaneAccept(frontier) A: resends what is missing, then data flow
//   B: ◀─ Receipt ...          at most 10 ms after an apply, ahead of bulk
//
// Announcements leave right behind our Hello. A lane that the last session had is accepted there,
// too, unasked, so that data flow as soon as the Hello is there: one round trip after a link healed
// where a new lane needs three.
//
// Messages from a peer are bounded and checked; one that breaks the protocol is an error and ends
// the session, one that does not fit is answered by Refuse.
//
// Thread: the worker.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "api/gateway/control_scratch.h"
#include "api/gateway/core.h"
#include "api/proto/control.pb.h"

namespace godwit::gateway {

class Exchange {
 public:
  // Receipts wait so long for others to come along (DESIGN: at most 10 ms).
  static constexpr Duration kReceiptDelay = Duration::ms(5);
  // Shards of topics that a peer may announce before we have declared them; one more is refused as
  // unknown, and announced again when we announce it. Chosen.
  static constexpr std::size_t kAnnouncedMax = 4096;
  // Refusals of one kind by or to a peer that are logged one by one; then at 100, 1,000 and so on.
  // Chosen: a screen.
  static constexpr std::uint64_t kRefusalsLogged = 32;

  explicit Exchange(Core& core) : core_(core) {}

  // Our Hello was sent to the peer; its own has not come.
  void on_greeting(Peer& peer);
  // A session to the peer has exchanged Hellos, or has ended.
  void on_up(Peer& peer);
  void on_down(Instant now, Peer& peer);
  // The topic is declared here and its seed is complete: tell every peer that may hold it.
  void announce(Instant now, Topic& topic);
  // kCorrupt: the message breaks the protocol; the session must end.
  Result<void> on_message(Instant now, Peer& peer, const control::ControlMessage& message);
  // Somebody who ticks here has ticked, left or was given up: tells this site's clock if it moved.
  void advance_clock(Topic& topic);
  // A transfer of the peer was taken; a receipt is due soon.
  void on_transfer_taken(Instant now, Topic& topic, Peer& peer, PeerLanes& lanes);
#if defined(GODWIT_SIMULATION)
  // Breaks a rule on purpose: receipts a transfer that is not applied yet.
  void receipt_unapplied(Instant now,
                         Topic& topic,
                         Peer& peer,
                         const PeerLanes& lanes,
                         const wire::TransferHeader& header);
#endif
  // Sends receipts that are due and coverage that no transfer will carry.
  void flush(Instant now);
  Instant deadline() const;

 private:
  void announce_to(Topic& topic, Peer& peer);
  // Offers every dirty tile of the lane to the peer's queue. `known`: the queue had the lane before
  // and has kept the deadlines; else they are those of the tiles.
  static void offer_all(Instant now, Topic& topic, Peer& peer, const PeerLanes& lanes, bool known);
  void accept(Instant now, Topic& topic, Peer& peer, const control::TopicAnnounce& announce);
  void refuse_lane(Instant now, Topic& topic, Peer& peer, const Error& why);
  // `name` is empty where only the id is known.
  static void refuse(Instant now,
                     Peer& peer,
                     TopicShard topic,
                     std::string_view name,
                     control::Refuse::Code code,
                     std::string_view text);
  Result<void> on_announce(Instant now, Peer& peer, const control::TopicAnnounce& announce);
  Result<void> on_lane_open(Instant now, Peer& peer, const control::LaneOpen& open);
  Result<void> on_lane_accept(Instant now, Peer& peer, const control::LaneAccept& accept);
  Result<void> on_receipt(Instant now, Peer& peer, const control::Receipt& message);
  Result<void> on_clock(Peer& peer, const control::Clock& clock);
  Result<void> on_coverage(Peer& peer, const control::Coverage& coverage);
  Result<void> on_refuse(Instant now, Peer& peer, const control::Refuse& refuse);
  static void send_accept(const Topic& topic, Peer& peer, const PeerLanes& lanes);
  void send_receipt(Topic& topic, Peer& peer, const PeerLanes& lanes);
  void send_clock(const Topic& topic, Peer& peer);
  void release_coverage(Topic& topic, Peer& peer, PeerLanes& lanes);
  void tell_coverage(Topic& topic, Peer& peer, PeerLanes& lanes);
  PeerLanes* find_lanes(Peer& peer, TopicShard id, Topic** found);
  // Whose shard a message is of; a number beyond the range is the shard of no topic.
  template <class Message>
  static TopicShard shard_of(const Message& message) {
    return {TopicId(message.topic()),
            static_cast<std::uint16_t>(std::min<std::uint32_t>(message.shard(), 0xffff))};
  }
  // A control message that breaks the protocol: its sender's session is closed with these words.
  static Failure violation(std::string_view what) {
    return fail(Code::kCorrupt, "control message: {}", what);
  }

  Core& core_;
  ControlScratch scratch_;  // of what is sent
};

}  // namespace godwit::gateway

#include "api/gateway/egress.h"

#include <algorithm>
#include <utility>

#include "codec/significance.h"
#include "dataplane/base/assert.h"
#include "dataplane/wire/transfer.h"

namespace godwit::gateway {
namespace {

// Tiles offered for draining per topic and turn: bounds the time that a turn takes.
constexpr std::uint32_t kDrainTilesPerTurn = 64;

std::size_t transfer_target(BitRate rate) {
  return std::clamp<std::size_t>(rate.bytes_in(Egress::kTransferTime).count(),
                                 Egress::kTransferBytesMin,
                                 Egress::kTransferBytesMax);
}

// Two bits an element: the least with which RAW takes anything from a tile that is not all zero.
constexpr std::size_t kRawProgressBytes = 1 + ledger::kTileElements / 4;
static_assert(kRawProgressBytes + wire::header_bytes(1) + wire::kTileRecordBytes +
                      wire::kTrailerBytes <=
                  Capabilities::kTransferBytesMin,
              "every transfer has room for one tile");

// Where the next tile may be written, as far as the peer takes so large a transfer.
std::span<std::byte> space_for(const Peer& peer, ledger::Ledger& ledger, ledger::LaneIndex lane) {
  const std::span<std::byte> space = ledger.coded_space(lane);
  const std::size_t beyond = wire::kTransferBytesMax - peer.capabilities.transfer_bytes_max();
  return space.first(space.size() - std::min(space.size(), beyond));
}

scheduler::Class class_of(const Topic& topic) {
  return topic.spec().traffic_class;
}

transport::Precedence precedence_of(const Topic& topic) {
  switch (class_of(topic)) {
    case scheduler::Class::kUrgent:
      return transport::Precedence::kUrgent;
    case scheduler::Class::kBulk:
      return transport::Precedence::kBulk;
    case scheduler::Class::kNormal:
      break;
  }
  return transport::Precedence::kNormal;
}

}  // namespace

void Egress::pump(Instant now, Peer& peer) {
  peer.was_fed = false;
  peer.bulk_ready_at = Instant::never();
  if (peer.state != PeerState::kUp || peer.session == nullptr) {
    return;
  }
  const BitRate rate = peer.rate();
  scheduler::LinkView link{
      .rate = rate, .quantum = Bytes(transfer_target(rate)), .delay = peer.delay()};
  peer.session->set_rate(rate);
  while (peer.session->wants_transfer()) {
    const Instant bulk_ready_at = peer.session->bulk_ready_at();
    link.least = bulk_ready_at <= now ? scheduler::Class::kBulk : scheduler::Class::kNormal;
    if (!send_one(now, peer, link)) {
      peer.bulk_ready_at = bulk_ready_at > now ? bulk_ready_at : Instant::never();
      break;
    }
    peer.was_fed = true;
  }
}

// What is missing goes before what is new, since it holds the window; but not before new changes of
// a more urgent class, or of its own class with an earlier deadline within reach.
bool Egress::send_one(Instant now, Peer& peer, const scheduler::LinkView& link) {
  const auto missing = most_urgent_missing(peer, link.least);
  if (!missing) {
    return send_next(now, peer, link);
  }
  const auto choice = peer.queue.next(now, link);
  if (choice) {
    const scheduler::Class chosen = class_of(*peer.queued(choice->key.lane).topic);
    const bool sooner =
        choice->reason == scheduler::Reason::kDeadline && choice->deadline < missing->due;
    const scheduler::Class old = class_of(*missing->topic);
    if ((chosen < old || (chosen == old && sooner)) && send_next(now, peer, link)) {
      return true;
    }
  }
  resend(now, peer, *missing);
  return true;
}

std::optional<Egress::Missing> Egress::most_urgent_missing(const Peer& peer,
                                                           scheduler::Class least) const {
  std::optional<Missing> first;
  for (const auto& [id, topic] : core_.topics) {
    PeerLanes* lanes = lanes_between(*topic, peer);
    if (lanes == nullptr || !lanes->open || lanes->resend_after >= lanes->resend_until ||
        class_of(*topic) > least) {
      continue;
    }
    const auto k = topic->ledger().next_unreceipted(*lanes->outgoing, lanes->resend_after);
    if (!k || *k > lanes->resend_until) {
      lanes->resend_after = lanes->resend_until;
      continue;
    }
    const Missing missing{
        topic.get(), lanes, *k, lanes->unreceipted.at(*k % ledger::kWindowMax).due};
    const auto urgency = [](const Missing& one) {
      return std::pair(class_of(*one.topic), one.due);
    };
    if (!first || urgency(missing) < urgency(*first)) {
      first = missing;
    }
  }
  return first;
}

void Egress::resend(Instant now, Peer& peer, const Missing& missing) {
  missing.lanes->resend_after = missing.k;
  missing.lanes->unreceipted.at(missing.k % ledger::kWindowMax).sent = now;
  peer.session->send_transfer(now,
                              missing.topic->ledger().frozen(*missing.lanes->outgoing, missing.k),
                              precedence_of(*missing.topic));
  ++peer.counters.transfers_resent;
}

bool Egress::send_next(Instant now, Peer& peer, const scheduler::LinkView& link) {
  const std::size_t most = link.quantum.count() / 4 * 3;
  for (;;) {
    auto choice = peer.queue.next(now, link);
    if (!choice) {
      return false;
    }
    const std::uint32_t handle = choice->key.lane;
    const QueuedLane queued = peer.queued(handle);
    ledger::Ledger& ledger = queued.topic->ledger();
    if (!begin(now, peer, queued)) {
      if (!ledger.window_full(queued.lane)) {
        core_.short_of_storage = true;  // no receipt will come and unblock the lane
        return false;
      }
      peer.queue.set_blocked(now, handle, true);
      continue;
    }
    const std::size_t enough =
        ledger.window_half_full(queued.lane) ? most : std::min(most, kTransferBytesEnough);
    const std::size_t room = ledger.coded_space(queued.lane).size();
    std::size_t used = 0;
    Instant due = Instant::never();
    AddOutcome outcome = AddOutcome::kAdded;
    // A tile is not cut to fill a transfer: another visit costs as much as the first. One whose
    // rest is due again goes with the next transfer.
    while (choice && choice->key.lane == handle && used < enough &&
           !ledger.is_building(queued.lane, choice->key.tile)) {
      outcome = add_tile(now, peer, *choice);
      if (outcome == AddOutcome::kFull) {
        break;
      }
      if (outcome == AddOutcome::kAdded) {
        due = std::min(due, choice->deadline);
      }
      used = room - ledger.coded_space(queued.lane).size();
      choice = peer.queue.next(now, link);
    }
    if (ledger.building_tiles(queued.lane) > 0) {
      seal_and_send(now, peer, queued, due);
      return true;
    }
    if (outcome == AddOutcome::kFull) {
      core_.short_of_storage = true;
      return false;  // what is pending goes on merging
    }
  }
}

// A transfer that a killed process leaves unsealed says the topic's whole deadline.
bool Egress::begin(Instant now, const Peer& peer, const QueuedLane& queued) const {
  Topic& topic = *queued.topic;
  const TopicSpec& spec = topic.spec();
  const Instant due = topic.deadlines().due(now, Duration::zero());
  return topic.ledger()
      .begin_transfer(queued.lane,
                      {.traffic_class = static_cast<std::uint8_t>(spec.traffic_class),
                       .tenant = static_cast<std::uint32_t>(fnv1a(spec.tenant)),
                       .remaining_deadline_ms = wire::remaining_deadline_ms(due, now),
                       .origins = std::span(&core_.self, 1),
                       .short_records = peer.capabilities.reads_short_records()})
      .has_value();
}

Egress::Sendable Egress::sendable(Topic& topic, std::uint32_t tile) {
  Coder& coder = core_.coder;
  const double threshold = topic.threshold().relative();
  if (threshold <= 0 || topic.drain_cursor) {
    topic.note_withheld(tile, false);
    return {.quanta = coder.open()};
  }
  topic.ledger().read_sum(tile, coder.value());
  codec::CurrentValues current{.sums = coder.value(), .quanta_per_unit = topic.quanta_per_unit()};
  if (topic.spec().has_seed) {
    topic.ledger().read_seed(tile, coder.seed());
    current.seed = coder.seed();
  }
  const codec::Filtered filtered =
      codec::keep_significant(coder.open(), current, threshold, coder.significant());
  topic.note_withheld(tile, filtered.kept == 0 && filtered.held_max > 0);
  return {.quanta = coder.significant(), .held_max = filtered.held_max};
}

Egress::AddOutcome Egress::add_tile(Instant now, Peer& peer, const scheduler::Choice& choice) {
  const QueuedLane queued = peer.queued(choice.key.lane);
  Topic& topic = *queued.topic;
  ledger::Ledger& ledger = topic.ledger();
  Coder& coder = core_.coder;
  const std::uint32_t tile = choice.key.tile;
  const std::span<std::byte> space = space_for(peer, ledger, queued.lane);
  const bool raw_only = !peer.capabilities.decodes(codec::Id::kBpc);
  const std::size_t progress =
      peer.capabilities.accepts().sparse_list ? codec::kSparseProgressBytes : codec::kProgressBytes;
  if (space.size() < (raw_only ? kRawProgressBytes : codec::kProgressBytes)) {
    return AddOutcome::kFull;
  }
  const Instant began = core_.stopwatch();
  ledger.read_open(queued.lane, tile, coder.open());
  const Sendable significant = sendable(topic, tile);
  const std::uint64_t floor = topic.drain_cursor ? 0 : topic.spec().tolerance_quanta();
  const std::size_t least = raw_only ? space.size() : progress;  // RAW is not cut
  const std::size_t budget = std::clamp<std::size_t>(choice.budget.count(), least, space.size());
  const auto coded = coder.encode(
      significant.quanta, {.bytes = budget, .floor = floor}, peer.rate(), space, peer.capabilities);
  if (coded.energy_after >= coded.energy_before) {
    ledger.settle(queued.lane, tile);                  // perhaps its changes cancelled out
    peer.queue.on_sent(now, choice.key, 0, Bytes(0));  // nothing above the floor
    return AddOutcome::kNothing;
  }
  const auto frozen = ledger.append(queued.lane,
                                    tile,
                                    static_cast<std::uint8_t>(coded.id),
                                    space.first(coded.bytes),
                                    coder.removed(),
                                    std::max(coded.remainder_max, significant.held_max));
  if (!frozen) {
    return AddOutcome::kFull;
  }
  const double left = coded.remainder_max <= floor ? 0.0 : coded.energy_after;
  peer.queue.on_sent(now, choice.key, left, Bytes(coded.bytes));
  peer.queue.on_encoded(core_.stopwatch() - began);
  return AddOutcome::kAdded;
}

void Egress::seal_and_send(Instant now, Peer& peer, const QueuedLane& queued, Instant due) {
  ledger::Ledger& ledger = queued.topic->ledger();
  PeerLanes& lanes = queued.topic->peers().at(peer.site().id);
  const auto k = ledger.seal(queued.lane, wire::remaining_deadline_ms(due, now));
  GODWIT_ASSERT(k.has_value(), "a transfer with tiles can be sealed");
  lanes.unreceipted.at(*k % ledger::kWindowMax) = {.due = due, .sent = now};
  const auto bytes = ledger.frozen(queued.lane, *k);
  lanes.coverage_told = std::max(lanes.coverage_told, ledger.coverage(queued.lane).value());
  peer.session->send_transfer(now, bytes, precedence_of(*queued.topic));
  ++peer.counters.transfers_sent;
  peer.counters.coded_bytes_sent += bytes.size();
  if (ledger.window_full(queued.lane)) {
    peer.queue.set_blocked(now, lanes.handle, true);
  }
}

void Egress::on_changed(Instant now, Topic& topic, const ledger::TileActivity& activity) {
  topic.changed_at = now;
  topic.drain_cursor.reset();
  if (activity.applied) {
    return;  // what came from a peer is not for other peers
  }
  const Instant due = topic.deadlines().on_merged(now, activity);
  for (const auto& peer : core_.peers) {
    const PeerLanes* lanes = lanes_between(topic, *peer);
    if (lanes == nullptr || !lanes->outgoing) {
      continue;
    }
    peer->queue.on_merge(now,
                         {lanes->handle, activity.tile},
                         {.energy = activity.energy,
                          .elements = ledger::kTileElements,
                          .traffic_class = topic.spec().traffic_class,
                          .deadline = due});
  }
}

bool Egress::drain_quiet(Instant now) {
  bool working = false;
  for (auto& [id, topic] : core_.topics) {
    const TopicSpec& spec = topic->spec();
    if (draining_ && !topic->drain_cursor) {
      deepen(now, *topic);
    }
    const bool quiet = draining_ || now - topic->changed_at >= kQuiet;
    if ((spec.tolerance <= 0 && spec.significance <= 0) || !quiet) {
      continue;
    }
    const std::uint32_t tiles = topic->ledger().shape().tile_count();
    std::uint32_t tile = topic->drain_cursor.value_or(0);
    const std::uint32_t stop = std::min(tiles, tile + kDrainTilesPerTurn);
    for (; tile < stop; ++tile) {
      offer_open(now, *topic, tile);
    }
    topic->drain_cursor = tile;
    working = working || tile < tiles;
  }
  return working;
}

Instant Egress::deadline() const {
  Instant first = Instant::never();
  for (const auto& [id, topic] : core_.topics) {
    const TopicSpec& spec = topic->spec();
    if ((spec.tolerance > 0 || spec.significance > 0) && !topic->drain_cursor) {
      first = std::min(first, topic->changed_at + kQuiet);
    }
  }
  return first;
}

void Egress::deepen(Instant now, const Topic& topic) {
  for (const auto& peer : core_.peers) {
    const PeerLanes* lanes = lanes_between(topic, *peer);
    if (lanes != nullptr && lanes->outgoing) {
      peer->queue.set_draining(now, lanes->handle, true);
    }
  }
}

void Egress::offer_open(Instant now, Topic& topic, std::uint32_t tile) {
  if (!topic.ledger().touched(tile)) {
    return;
  }
  for (const auto& peer : core_.peers) {
    const PeerLanes* lanes = lanes_between(topic, *peer);
    if (lanes == nullptr || !lanes->outgoing) {
      continue;
    }
    const double energy = topic.ledger().measure_open(*lanes->outgoing, tile).energy;
    if (energy <= 0) {
      topic.ledger().settle(*lanes->outgoing, tile);  // its changes cancelled out
    } else {
      peer->queue.on_merge(now,
                           {lanes->handle, tile},
                           {.energy = energy,
                            .is_whole = true,
                            .elements = ledger::kTileElements,
                            .traffic_class = topic.spec().traffic_class});
    }
  }
}

}  // namespace godwit::gateway

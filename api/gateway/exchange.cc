#include "api/gateway/exchange.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "dataplane/base/crash_point.h"
#include "dataplane/base/log.h"
#include "dataplane/transport/certificate.h"

namespace godwit::gateway {
namespace {

// What a gateway keeps of an announcement is bounded by it.
bool are_site_names(const google::protobuf::RepeatedPtrField<std::string>& names) {
  return static_cast<std::size_t>(names.size()) <= local::kSitesMax &&
         std::all_of(names.begin(), names.end(), [](const std::string& name) {
           return transport::is_site_name(name);
         });
}

// The window is what the shape's ring and a receipt's bitmap allow; the simulator makes it small.
ledger::LaneOptions lane_options() {
  ledger::LaneOptions options;
#if defined(GODWIT_SIMULATION)
  if (crash_plan().window > 0) {
    options.window = crash_plan().window;
  }
#endif
  return options;
}

}  // namespace

PeerLanes* Exchange::find_lanes(Peer& peer, TopicShard id, Topic** found) {
  Topic* topic = core_.find_topic(id);
  *found = topic;
  return topic == nullptr ? nullptr : lanes_between(*topic, peer);
}

void Exchange::announce_to(Topic& topic, Peer& peer) {
  const TopicSpec& spec = topic.spec();
  const bool has_greeted = peer.state == PeerState::kGreeting || peer.state == PeerState::kUp;
  if (!has_greeted || !peer.carries(spec.id) || !topic.seed_complete() ||
      !spec.may_hold(peer.site().name) || !core_.config.may_hold(spec.name, peer.site().name)) {
    return;
  }
  PeerLanes& lanes = topic.peers()[peer.site().id];
  if (lanes.announced) {
    return;
  }
  lanes.announced = true;
  control::ControlMessage message;
  auto* announce = message.mutable_topic_announce();
  announce->set_topic(spec.id.topic.value());
  announce->set_shard(spec.id.shard);
  announce->set_name(spec.name);
  announce->set_elements(spec.sharding.element_count);
  announce->set_fraction_bits(spec.fraction_bits);
  for (const auto& site : spec.allowed_sites) {
    announce->add_allowed_sites(site);
  }
  announce->set_seed_hash(spec.seed_hash);
  announce->set_shards(spec.sharding.shards);
  announce->set_tolerance(spec.tolerance);
  announce->set_incarnation(topic.ledger().incarnation().packed());
  peer.send(message);
}

void Exchange::on_greeting(Peer& peer) {
  for (auto& [id, topic] : core_.topics) {
    announce_to(*topic, peer);
    const PeerLanes* lanes = lanes_between(*topic, peer);
    if (lanes != nullptr && lanes->announced && lanes->incoming) {
      send_accept(*topic, peer, *lanes);
    }
  }
}

void Exchange::on_up(Peer& peer) {
  for (auto& [id, topic] : core_.topics) {
    announce_to(*topic, peer);
  }
}

void Exchange::on_down(Instant now, Peer& peer) {
  peer.refused_topics.clear();
  for (auto& [id, topic] : core_.topics) {
    PeerLanes* lanes = lanes_between(*topic, peer);
    if (lanes == nullptr) {
      continue;
    }
    lanes->announced = false;
    lanes->refusal.reset();
    lanes->open = false;
    lanes->receipt_due = Instant::never();
    lanes->coverage_told = 0;
    lanes->told_coverage = 0;
    if (lanes->outgoing) {
      peer.queue.set_blocked(now, lanes->handle, true);
    }
  }
}

void Exchange::announce(Instant now, Topic& topic) {
  std::vector<SiteId> sites;
  for (const auto& site : core_.config.sites) {
    if (topic.spec().may_hold(site.name) && core_.config.may_hold(topic.spec().name, site.name)) {
      sites.push_back(site.id);
    }
  }
  core_.clocks.declare(topic.spec().id, sites);
  for (const auto& peer : core_.peers) {
    announce_to(topic, *peer);
    const auto waiting = peer->announced.find(topic.spec().id);
    if (waiting != peer->announced.end() && topic.seed_complete()) {
      const control::TopicAnnounce heard = waiting->second;
      peer->announced.erase(waiting);
      accept(now, topic, *peer, heard);
    }
  }
}

Result<void> Exchange::on_message(Instant now, Peer& peer, const control::ControlMessage& message) {
  switch (message.kind_case()) {
    case control::ControlMessage::kTopicAnnounce:
      return on_announce(now, peer, message.topic_announce());
    case control::ControlMessage::kLaneOpen:
      return on_lane_open(now, peer, message.lane_open());
    case control::ControlMessage::kLaneAccept:
      return on_lane_accept(now, peer, message.lane_accept());
    case control::ControlMessage::kReceipt:
      return on_receipt(now, peer, message.receipt());
    case control::ControlMessage::kClock:
      return on_clock(peer, message.clock());
    case control::ControlMessage::kCoverage:
      return on_coverage(peer, message.coverage());
    case control::ControlMessage::kRefuse:
      return on_refuse(now, peer, message.refuse());
    default:
      return {};  // kinds of newer versions are ignored
  }
}

Result<void> Exchange::on_announce(Instant now,
                                   Peer& peer,
                                   const control::TopicAnnounce& announce) {
  const std::string& name = announce.name();
  const TopicShard id = shard_of(announce);
  if (name.empty() || name.size() > local::kNameBytesMax || id.topic != TopicId::of(name)) {
    return violation("TopicAnnounce: the id is not the hash of a name of 1 to 255 bytes");
  }
  if (!are_site_names(announce.allowed_sites())) {
    return violation("TopicAnnounce: its allowed sites are not at most 64 names of sites");
  }
  if (announce.shard() >= kShardsMax || !peer.carries(id)) {
    return violation("TopicAnnounce: another connection carries the shard, or there is none such");
  }
  if (!core_.config.may_hold(name, peer.site().name) ||
      !core_.config.may_hold(name, core_.config.site)) {
    refuse(now,
           peer,
           id,
           name,
           control::Refuse::CODE_RESIDENCY,
           fmt::format("topic {}: the policy of site {} does not allow it between {} and {}",
                       name,
                       core_.config.site,
                       core_.config.site,
                       peer.site().name));
    return {};
  }
  Topic* topic = core_.find_topic(id);
  if (topic == nullptr || !topic->seed_complete()) {
    if (peer.announced.size() >= kAnnouncedMax && !peer.announced.contains(id)) {
      refuse(
          now,
          peer,
          id,
          name,
          control::Refuse::CODE_UNKNOWN_TOPIC,
          fmt::format("topic {}: it is not declared at {}, and no more than {} such are remembered",
                      name,
                      core_.config.site,
                      kAnnouncedMax));
      return {};
    }
    control::TopicAnnounce& kept = peer.announced[id] = announce;
    kept.DiscardUnknownFields();  // of a newer version, or to fill our memory
    return {};
  }
  accept(now, *topic, peer, announce);
  return {};
}

void Exchange::accept(Instant now,
                      Topic& topic,
                      Peer& peer,
                      const control::TopicAnnounce& announce) {
  const TopicSpec& spec = topic.spec();
  const std::set<std::string_view> allowed(announce.allowed_sites().begin(),
                                           announce.allowed_sites().end());
  if (!spec.may_hold(peer.site().name)) {
    return refuse(now,
                  peer,
                  spec.id,
                  spec.name,
                  control::Refuse::CODE_RESIDENCY,
                  fmt::format("topic {}: site {} is not among the sites allowed at {}",
                              spec.name,
                              peer.site().name,
                              core_.config.site));
  }
  if (announce.name() != spec.name || announce.elements() != spec.sharding.element_count ||
      announce.fraction_bits() != spec.fraction_bits || announce.shards() != spec.sharding.shards) {
    return refuse(
        now,
        peer,
        spec.id,
        spec.name,
        control::Refuse::CODE_SHAPE_MISMATCH,
        fmt::format("topic {}: {} has {} elements with {} fraction bits in {} shards, {} has {} "
                    "with {} in {}",
                    spec.name,
                    core_.config.site,
                    spec.sharding.element_count,
                    spec.fraction_bits,
                    spec.sharding.shards,
                    peer.site().name,
                    announce.elements(),
                    announce.fraction_bits(),
                    announce.shards()));
  }
  if (announce.seed_hash() != spec.seed_hash) {
    return refuse(now,
                  peer,
                  spec.id,
                  spec.name,
                  control::Refuse::CODE_SEED_MISMATCH,
                  fmt::format("topic {}: the seeds differ ({:016x} here, {:016x} there)",
                              spec.name,
                              spec.seed_hash,
                              announce.seed_hash()));
  }
  if (announce.tolerance() != spec.tolerance ||
      !std::equal(
          allowed.begin(), allowed.end(), spec.allowed_sites.begin(), spec.allowed_sites.end())) {
    return refuse(now,
                  peer,
                  spec.id,
                  spec.name,
                  control::Refuse::CODE_POLICY_MISMATCH,
                  fmt::format("topic {}: tolerance or allowed sites differ between {} and {}",
                              spec.name,
                              core_.config.site,
                              peer.site().name));
  }
  const auto theirs = Incarnation::from_packed(announce.incarnation());
  PeerLanes& lanes = topic.peers()[peer.site().id];
  if (lanes.peer_incarnation != theirs && lanes.peer_incarnation != Incarnation{}) {
    core_.clocks.on_restart(spec.id, peer.site().id);
  }
  const ledger::LaneKey key{ledger::LaneKind::kSite, peer.site().id.value(), theirs};
  const auto lane = topic.ledger().open_lane(key, lane_options());
  if (!lane && lane.error().code == Code::kFull) {
    peer.on_no_storage(now);
    return;
  }
  if (!lane) {
    return refuse_lane(now, topic, peer, lane.error());
  }
  peer.refused_topics.erase(spec.id);
  const bool known = lanes.outgoing == *lane && lanes.peer_incarnation == theirs;
  if (!known) {
    lanes.unreceipted.assign(ledger::kWindowMax,
                             {.due = topic.deadlines().recovered(), .sent = now});
  }
  lanes.peer_incarnation = theirs;
  lanes.outgoing = *lane;
  lanes.handle = peer.handle_for(topic, *lane);
  lanes.open = false;
  peer.queue.set_blocked(now, lanes.handle, true);
  offer_all(now, topic, peer, lanes, known);
  // What lies within the tolerance is not dirty; draining comes round to the new lane, too.
  topic.changed_at = now;
  topic.drain_cursor.reset();
  announce_to(topic, peer);
  control::ControlMessage message;
  auto* open = message.mutable_lane_open();
  open->set_topic(spec.id.topic.value());
  open->set_shard(spec.id.shard);
  open->set_from_incarnation(topic.ledger().incarnation().packed());
  open->set_to_incarnation(theirs.packed());
  open->set_next_k(topic.ledger().lane(*lane).next_k);
  peer.send(message);
}

void Exchange::offer_all(
    Instant now, Topic& topic, Peer& peer, const PeerLanes& lanes, bool known) {
  ledger::Ledger& ledger = topic.ledger();
  for (std::uint32_t tile = 0; tile < ledger.shape().tile_count(); ++tile) {
    if (!ledger.touched(tile) || !ledger.dirty(*lanes.outgoing, tile)) {
      continue;
    }
    const double energy = ledger.measure_open(*lanes.outgoing, tile).energy;
    if (energy <= 0) {
      ledger.settle(*lanes.outgoing, tile);  // its changes cancelled out
    } else {
      peer.queue.on_merge(now,
                          {lanes.handle, tile},
                          {.energy = energy,
                           .is_whole = true,
                           .elements = ledger::kTileElements,
                           .traffic_class = topic.spec().traffic_class,
                           .deadline = known ? Instant::never() : topic.deadlines().of_tile(tile)});
    }
  }
}

Result<void> Exchange::on_lane_open(Instant now, Peer& peer, const control::LaneOpen& open) {
  Topic* topic = nullptr;
  PeerLanes* lanes = find_lanes(peer, shard_of(open), &topic);
  if (topic == nullptr || lanes == nullptr) {
    refuse(now,
           peer,
           shard_of(open),
           "",
           control::Refuse::CODE_UNKNOWN_TOPIC,
           "a lane was opened for a topic that was not agreed upon");
    return {};
  }
  const auto from = Incarnation::from_packed(open.from_incarnation());
  const auto own = Incarnation::from_packed(open.to_incarnation());
  const bool is_announced = lanes->peer_incarnation != Incarnation();
  if (own != topic->ledger().incarnation() || from != lanes->peer_incarnation || !is_announced) {
    if (peer.lacks_storage()) {
      return {};  // so may its announcement have; the next session brings both
    }
    refuse(
        now,
        peer,
        topic->spec().id,
        topic->spec().name,
        control::Refuse::CODE_INCARNATION_MISMATCH,
        fmt::format("topic {}: the lane names incarnations of another life", topic->spec().name));
    return {};
  }
  const auto incoming = topic->ledger().open_incoming(peer.site().id, from, own);
  if (!incoming && incoming.error().code == Code::kFull) {
    peer.on_no_storage(now);
    return {};
  }
  if (!incoming) {
    refuse_lane(now, *topic, peer, incoming.error());
    return {};
  }
  lanes->incoming = *incoming;
  send_accept(*topic, peer, *lanes);
  lanes->receipt_due = now;
  send_clock(*topic, peer);
  return {};
}

void Exchange::send_accept(const Topic& topic, Peer& peer, const PeerLanes& lanes) {
  const ledger::IncomingInfo info = topic.ledger().incoming(*lanes.incoming);
  control::ControlMessage message;
  auto* accept = message.mutable_lane_accept();
  accept->set_topic(topic.spec().id.topic.value());
  accept->set_shard(topic.spec().id.shard);
  accept->set_from_incarnation(info.from_incarnation.packed());
  accept->set_to_incarnation(topic.ledger().incarnation().packed());
  accept->set_frontier(info.frontier);
  peer.send(message);
}

Result<void> Exchange::on_lane_accept(Instant now, Peer& peer, const control::LaneAccept& accept) {
  Topic* topic = nullptr;
  PeerLanes* lanes = find_lanes(peer, shard_of(accept), &topic);
  if (lanes == nullptr || !lanes->outgoing ||
      Incarnation::from_packed(accept.from_incarnation()) != topic->ledger().incarnation() ||
      Incarnation::from_packed(accept.to_incarnation()) != lanes->peer_incarnation) {
    return {};  // of a lane that was replaced meanwhile
  }
  const ledger::LaneInfo info = topic->ledger().lane(*lanes->outgoing);
  if (accept.frontier() >= info.next_k) {
    return violation("LaneAccept: its frontier is beyond what was sent");
  }
  if (lanes->open) {
    return {};  // the answer to our LaneOpen, and the peer had accepted the lane unasked
  }
  lanes->open = true;
  lanes->refusal.reset();
  lanes->resend_after = accept.frontier();
  lanes->resend_until = info.next_k - 1;
  if (GODWIT_MUTANT(kDropOnSessionLoss)) {
    lanes->resend_after = lanes->resend_until;
  }
  peer.queue.set_blocked(now, lanes->handle, info.quarantined);
  send_clock(*topic, peer);
  return {};
}

}  // namespace godwit::gateway

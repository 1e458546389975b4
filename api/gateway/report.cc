#include "api/gateway/report.h"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include "api/gateway/report_parts.h"

namespace godwit::gateway {
namespace {

// Of `godwit stop --drain`; as the command takes it.
constexpr Duration kDrainMax = Duration::seconds(86'400);
// A receipt that takes longer does not come by itself. Chosen: the longest round trip, and a
// transfer of 72 KiB at the least cap.
constexpr Duration kReceiptOverdue = Duration::seconds(20);

// A first guess of the coded size of what is open: one bit per element of a dirty tile.
std::uint64_t open_estimate(const Topic& topic, ledger::LaneIndex lane) {
  const ledger::Ledger& ledger = topic.ledger();
  std::uint64_t tiles = 0;
  for (std::uint32_t tile = 0; tile < ledger.shape().tile_count(); ++tile) {
    tiles += ledger.touched(tile) && ledger.dirty(lane, tile) ? 1U : 0U;
  }
  return tiles * ledger::kTileElements / 8;
}

// Processes that have published to the topic and are connected.
std::uint32_t publishers_of(const Core& core, const Topic& topic) {
  std::uint32_t count = 0;
  for (std::uint32_t i = 0; i < topic.ledger().shape().inboxes; ++i) {
    const ledger::InboxInfo inbox = topic.ledger().inbox(ledger::InboxIndex(i));
    const auto first = core.present.lower_bound({inbox.publisher, 0});
    for (auto at = first; at != core.present.end() && at->first.first == inbox.publisher; ++at) {
      count += inbox.open && at->second.incarnation == inbox.incarnation ? 1U : 0U;
    }
  }
  return count;
}

}  // namespace

std::uint64_t Reporter::since(Instant now, Instant then) {
  return static_cast<std::uint64_t>(std::max(now - then, Duration::zero()).count_ns());
}

std::string Reporter::answer(Instant now, std::span<const std::byte> request) {
  admin::AdminRequest parsed;
  admin::AdminResponse response;
  if (!parsed.ParseFromArray(request.data(), static_cast<int>(request.size()))) {
    response.mutable_error()->set_code(admin::Error::CODE_INVALID);
    response.mutable_error()->set_text("the request is no AdminRequest");
  } else {
    response = respond(now, parsed);
    join_parts(response);
  }
  return response.SerializeAsString();
}

admin::AdminResponse Reporter::respond(Instant now, const admin::AdminRequest& request) {
  Core& core = gateway_.core();
  admin::AdminResponse response;
  const auto not_found = [&](std::string_view what, const std::string& name) {
    response.mutable_error()->set_code(admin::Error::CODE_NOT_FOUND);
    response.mutable_error()->set_text(
        fmt::format("no {} \"{}\" at site {}", what, name, core.config.site));
    return response;
  };
  switch (request.kind_case()) {
    case admin::AdminRequest::kStatus:
      status(now, *response.mutable_status());
      return response;
    case admin::AdminRequest::kTopics: {
      auto* out = response.mutable_topics();
      for (auto& [id, one] : core.topics) {
        if (request.topics().name().empty() || request.topics().name() == one->spec().name) {
          topic(now, *one, *out->add_topics());
        }
      }
      return out->topics().empty() && !request.topics().name().empty()
                 ? not_found("topic", request.topics().name())
                 : response;
    }
    case admin::AdminRequest::kLinks: {
      auto* out = response.mutable_links();
      port(now, *out->mutable_port());
      for (const auto& one : core.peers) {
        if (request.links().peer().empty() || request.links().peer() == one->site().name) {
          link(now, *one, *out->add_links());
        }
      }
      return out->links().empty() ? not_found("peer", request.links().peer()) : response;
    }
    case admin::AdminRequest::kLedger: {
      auto* out = response.mutable_ledger();
      std::uint64_t defect = 0;
      for (auto& [id, one] : core.topics) {
        if (request.ledger().topic().empty() || request.ledger().topic() == one->spec().name) {
          ledger(*one, *out->add_topics());
          defect += out->topics(out->topics_size() - 1).defect();
        }
      }
      out->set_defect(defect);
      return out->topics().empty() && !request.ledger().topic().empty()
                 ? not_found("topic", request.ledger().topic())
                 : response;
    }
    case admin::AdminRequest::kExplain: {
      for (auto& [id, one] : core.topics) {
        if (one->spec().name != request.explain().topic()) {
          continue;
        }
        admin::ExplainReport shard;
        explain(now, *one, shard);
        if (response.has_explain()) {
          add_shard(*response.mutable_explain(), shard);
        } else {
          *response.mutable_explain() = std::move(shard);
        }
      }
      return response.has_explain() ? response : not_found("topic", request.explain().topic());
    }
    case admin::AdminRequest::kPeers: {
      auto* out = response.mutable_peers();
      for (const auto& one : core.peers) {
        if (request.peers().site().empty() || request.peers().site() == one->site().name) {
          peer(*one, *out->add_peers());
        }
      }
      return out->peers().empty() ? not_found("site", request.peers().site()) : response;
    }
    case admin::AdminRequest::kStop:
      stop_ = Duration::ns(static_cast<std::int64_t>(
          std::min(request.stop().drain_ns(), static_cast<std::uint64_t>(kDrainMax.count_ns()))));
      response.mutable_stop()->set_open_bytes_estimate(left_to_send());
      response.mutable_stop()->set_drain_ns(static_cast<std::uint64_t>(stop_->count_ns()));
      return response;
    case admin::AdminRequest::KIND_NOT_SET:
      break;
  }
  response.mutable_error()->set_code(admin::Error::CODE_UNSUPPORTED);
  response.mutable_error()->set_text("this gateway does not know the question; upgrade it");
  return response;
}

void Reporter::status(Instant now, admin::StatusReport& out) {
  Core& core = gateway_.core();
  out.set_site(core.config.site);
  out.set_gateway_id(core.config.site + "-1");
  out.set_incarnation(core.incarnation.packed());
  out.set_software("godwitd 0.1.0");
  out.set_uptime_ns(since(now, started_));
  port(now, *out.mutable_port());
  std::uint64_t defect = 0;
  for (const auto& one : core.peers) {
    link(now, *one, *out.add_links());
  }
  for (auto& [id, one] : core.topics) {
    summary(*one, *out.add_topics());
    defect += one->ledger().conservation().defects;
  }
  out.set_memory_used_bytes(core.memory_used());
  out.set_memory_budget_bytes(core.config.memory.count());
  out.set_clients(static_cast<std::uint32_t>(gateway_.client_count()));
  out.set_client_ring_bytes(gateway_.client_count() * client_ring_bytes_);
  out.set_config_path(core.config.file);
  out.set_config_hash(shared_hash(core.config));
  out.set_defect(defect);
  out.set_client_socket(core.config.client);
  if (core.config.metrics_port) {
    out.set_metrics_endpoint(fmt::format("127.0.0.1:{}", *core.config.metrics_port));
  }
  out.set_process_id(static_cast<std::uint64_t>(::getpid()));
  add_problems(now, out);
}

std::string Reporter::lane_name(const ledger::LaneKey& key) const {
  if (key.kind == ledger::LaneKind::kSubscriber) {
    return fmt::format("client:{:016x}", key.to);
  }
  const SiteConfig* site =
      gateway_.core().config.find_site(SiteId(static_cast<std::uint32_t>(key.to)));
  return site != nullptr ? site->name : fmt::format("{:08x}", key.to);
}

void Reporter::summary(const Topic& topic, admin::TopicSummary& out) {
  out.set_name(topic.spec().name);
  out.set_elements(topic.spec().sharding.element_count);
  out.set_publishes(topic.ledger().publishes());
  out.set_refused(std::accumulate(topic.refused.begin(), topic.refused.end(), std::uint64_t{0}));
  out.set_memory_used_bytes(topic.memory_used());
  out.set_memory_bound_bytes(topic.memory_bound());
  for (const auto index : topic.ledger().lanes()) {
    if (topic.is_barred(index)) {
      continue;  // what it holds back is not on its way anywhere
    }
    out.set_open_bytes_estimate(out.open_bytes_estimate() + open_estimate(topic, index));
    out.set_unreceipted_transfers(out.unreceipted_transfers() +
                                  topic.ledger().lane(index).unreceipted);
  }
}

std::uint64_t Reporter::left_to_send() const {
  std::uint64_t bytes = 0;
  for (const auto& [id, topic] : gateway_.core().topics) {
    for (const ledger::LaneIndex lane : gateway_.lanes_to_sites(*topic)) {
      bytes += open_estimate(*topic, lane) + topic->ledger().lane(lane).unreceipted_bytes;
    }
  }
  return bytes;
}

Duration Reporter::unreceipted_for(Instant now, const Topic& topic, const PeerLanes& lanes) {
  const ledger::LaneInfo info = topic.ledger().lane(*lanes.outgoing);
  return info.unreceipted == 0
             ? Duration::zero()
             : now - lanes.unreceipted.at((info.frontier + 1) % ledger::kWindowMax).sent;
}

bool Reporter::is_overdue(Instant now,
                          const Topic& topic,
                          const Peer& peer,
                          const PeerLanes& lanes) {
  return peer.state == PeerState::kUp && lanes.outgoing && lanes.open &&
         unreceipted_for(now, topic, lanes) > kReceiptOverdue;
}

std::string Reporter::overdue_text(Instant now,
                                   const Topic& topic,
                                   const Peer& peer,
                                   const PeerLanes& lanes) {
  return fmt::format(
      "the oldest of {} transfers to {} has waited for its receipt for {:.0f} s; its storage may "
      "be "
      "full: see `godwit status` there",
      topic.ledger().lane(*lanes.outgoing).unreceipted,
      peer.site().name,
      unreceipted_for(now, topic, lanes).to_seconds());
}

void Reporter::lane(Instant now,
                    const Topic& topic,
                    ledger::LaneIndex index,
                    admin::LaneReport& out) {
  const ledger::LaneInfo info = topic.ledger().lane(index);
  out.set_to(lane_name(info.key));
  out.set_from_incarnation(topic.ledger().incarnation().packed());
  out.set_to_incarnation(info.key.to_incarnation.packed());
  out.set_next_k(info.next_k);
  out.set_frontier(info.frontier);
  out.set_unreceipted_transfers(info.unreceipted);
  out.set_unreceipted_bytes(info.unreceipted_bytes);
  out.set_published(topic.ledger().last_publish().value());
  out.set_window_full(topic.ledger().window_full(index));
  if (topic.is_barred(index)) {
    out.set_reason("topic.residency");
    return;  // nothing is on its way there, and nothing counts as held there
  }
  out.set_open_bytes_estimate(open_estimate(topic, index));
  const bool to_client = info.key.kind == ledger::LaneKind::kSubscriber;
  out.set_covered_to((to_client ? info.coverage : info.coverage_receipted).value());
  out.set_open(to_client);
  for (const auto& [site, lanes] : topic.peers()) {
    if (lanes.outgoing && *lanes.outgoing == index) {
      out.set_open(lanes.open);
      out.set_oldest_unreceipted_ns(
          static_cast<std::uint64_t>(unreceipted_for(now, topic, lanes).count_ns()));
      const scheduler::Residual residual = gateway_.core().residual(now, topic, site);
      out.set_residual_energy(residual.energy);
      out.set_residual_age_ns(static_cast<std::uint64_t>(residual.age_seconds * 1e9));
      out.set_residual_decay(residual.decay_per_second);
    }
  }
}

void Reporter::topic(Instant now, Topic& topic, admin::TopicReport& out) {
  const TopicSpec& spec = topic.spec();
  summary(topic, *out.mutable_summary());
  out.set_id(spec.id.topic.value());
  out.set_fraction_bits(spec.fraction_bits);
  for (const auto& site : spec.allowed_sites) {
    out.add_allowed_sites(site);
  }
  out.set_tolerance(spec.tolerance);
  out.set_tenant(spec.tenant);
  static constexpr std::string_view kClasses[] = {"urgent", "normal", "bulk"};
  out.set_class_name(std::string(kClasses[static_cast<std::size_t>(spec.traffic_class)]));
  out.set_deadline_ns(static_cast<std::uint64_t>(spec.deadline.count_ns()));
  for (const auto index : topic.ledger().lanes()) {
    lane(now, topic, index, *out.add_lanes());
  }
  const scheduler::ClockTable& clocks = gateway_.core().clocks;
  for (const auto& site : gateway_.core().config.sites) {
    const std::uint64_t clock = clocks.clock(spec.id, site.id);
    if (clock > 0) {
      auto* one = out.add_clocks();
      one->set_site(site.name);
      one->set_clock(clock);
      one->set_staleness(topic.clock > clock ? topic.clock - clock : 0);
    }
  }
  out.set_significance_withheld(topic.withheld_tiles());
  out.set_significance_threshold(topic.threshold().relative());
  std::uint64_t touched = 0;
  for (std::uint32_t tile = 0; tile < topic.ledger().shape().tile_count(); ++tile) {
    touched += topic.ledger().touched(tile) ? ledger::kTileBlocks : 0U;
  }
  out.set_touched_blocks(touched);
  out.set_shards(spec.sharding.shards);
  out.set_publishers(publishers_of(gateway_.core(), topic));
  out.set_subscribers(static_cast<std::uint32_t>(gateway_.subscriber_count(topic)));
  const std::uint64_t bound = topic.memory_bound();
  out.set_memory_next_subscriber_bytes(topic.memory_bound_with_subscriber() - bound);
  out.set_memory_next_publisher_bytes(topic.memory_bound_with_publisher() - bound);
}

void Reporter::ledger(Topic& topic, admin::TopicLedger& out) {
  const ledger::Conservation sums = topic.ledger().conservation();
  out.set_topic(topic.spec().name);
  out.set_defect(sums.defects);
  out.set_published_checksum(sums.checksum_published);
  out.set_received_checksum(sums.checksum_applied);
  out.set_published_mass(sums.published);
  out.set_received_mass(sums.applied);
  out.set_sent_mass(sums.sent);
  out.set_open_mass(sums.open);
  out.set_in_flight_mass(sums.in_flight);
  out.set_detached_mass(sums.detached);
  out.set_scrub_passes(sums.scrub_passes);
  for (const auto index : topic.ledger().lanes()) {
    const ledger::LaneInfo info = topic.ledger().lane(index);
    auto* lane = out.add_lanes();
    lane->set_to(lane_name(info.key));
    lane->set_from_incarnation(topic.ledger().incarnation().packed());
    lane->set_to_incarnation(info.key.to_incarnation.packed());
    lane->set_sent_checksum(info.checksum_frozen);
    lane->set_balanced(!info.quarantined);
  }
}

void Reporter::explain(Instant now, Topic& topic, admin::ExplainReport& out) {
  this->topic(now, topic, *out.mutable_topic());
  for (const std::string& site : topic.barred_sites()) {
    auto* lane = out.add_lanes();
    lane->set_to(site);
    lane->set_reason("topic.residency");
    lane->set_text(barred_text(site));
    lane->set_command(fmt::format("godwit config check {}", gateway_.core().config.file));
  }
  for (const auto& peer : gateway_.core().peers) {
    const std::string& name = peer->site().name;
    const PeerLanes* found = lanes_between(topic, *peer);
    const auto refused = peer->refused_topics.find(topic.spec().id);
    if (found == nullptr && refused == peer->refused_topics.end()) {
      continue;
    }
    auto* lane = out.add_lanes();
    lane->set_to(name);
    const auto set = [&](std::string_view reason, std::string text, std::string command) {
      lane->set_reason(std::string(reason));
      lane->set_text(std::move(text));
      lane->set_command(std::move(command));
    };
    if (peer->state != PeerState::kUp) {
      set("link.down",
          fmt::format("no session with {}; changes go on merging", name),
          fmt::format("godwit peer {}", name));
      continue;
    }
    const std::string check = fmt::format("godwit config check {}", gateway_.core().config.file);
    if (refused != peer->refused_topics.end()) {
      const Refusal& ours = refused->second.refusal;
      set(ours.reason, fmt::format("refused here to {}: {}", name, ours.text), check);
      continue;
    }
    const PeerLanes& lanes = *found;
    if (lanes.refusal) {
      set(lanes.refusal->reason,
          fmt::format("{} refuses it: {}", name, lanes.refusal->text),
          check);
      continue;
    }
    if (!lanes.outgoing || !lanes.open) {
      set("lane.closed",
          peer->lacks_storage()
              ? fmt::format("there was no storage for the lane to {}; it is opened when there is",
                            name)
              : fmt::format(
                    "{} has not declared the topic, or refuses it; see `godwit topic {}` there",
                    name,
                    topic.spec().name),
          peer->lacks_storage() ? "godwit status" : fmt::format("godwit peer {}", name));
      continue;
    }
    const ledger::LaneInfo info = topic.ledger().lane(*lanes.outgoing);
    const std::uint64_t open = open_estimate(topic, *lanes.outgoing);
    const bool overdue = is_overdue(now, topic, *peer, lanes);
    const bool full = gateway_.core().store.is_low();
    if (!info.quarantined && !overdue && !full) {
      lane->set_expected_ns(
          static_cast<std::uint64_t>(peer->rate().time_for(Bytes(open)).count_ns()));
    }
    if (info.quarantined) {
      set("lane.quarantined",
          "a receipt contradicted our checksums; nothing is sent any more",
          "godwit ledger");
    } else if (topic.ledger().drained(*lanes.outgoing)) {
      set("lane.current", fmt::format("{} has everything", name), "");
    } else if (overdue) {
      set("lane.overdue",
          overdue_text(now, topic, *peer, lanes),
          fmt::format("godwit link {}", name));
    } else if (full) {
      set("storage.full",
          fmt::format(
              "about {} KiB are open; the storage here is full, and what needs more of it waits",
              open >> 10U),
          "godwit status");
    } else if (topic.ledger().window_full(*lanes.outgoing)) {
      set("lane.window_full",
          fmt::format("{} transfers ({} KiB) wait for receipts; changes go on merging",
                      info.unreceipted,
                      info.unreceipted_bytes >> 10U),
          "godwit link");
    } else {
      set("lane.sending",
          fmt::format("about {} KiB are open, {} transfers wait for receipts",
                      open >> 10U,
                      info.unreceipted),
          "");
    }
  }
}

void Reporter::peer(const Peer& peer, admin::PeerReport& out) {
  out.set_site(peer.site().name);
  out.set_endpoint(fmt::format("{}", fmt::join(peer.site().endpoints, ", ")));
  out.set_connected(peer.state == PeerState::kUp);
  out.set_gateway_id(peer.gateway_id);
  out.set_incarnation(peer.incarnation);
  out.set_software(peer.software);
  out.set_version(peer.state == PeerState::kUp ? Links::kVersionMax : 0);
  out.set_certificate_site(peer.identity.site);
  out.set_certificate_expires_unix_s(peer.identity.valid_until);
  out.set_refused_handshakes(peer.counters.refused);
  if (peer.counters.refused > 0) {
    out.set_last_refusal(peer.renewal.text.empty() ? peer.last_error : peer.renewal.text);
  }
}

}  // namespace godwit::gateway

#include "api/gateway/metrics_feed.h"

#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <numeric>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "codec/catalog.h"

namespace godwit::gateway {
namespace {

using monitoring::Metric;

// The catalogue's word for a refused certificate: the reason's id without its first word.
std::string_view refusal_label(transport::CloseReason reason) {
  constexpr std::string_view kFirst = "certificate_";
  const std::string_view id = transport::name(reason);
  if (id.starts_with(kFirst)) {
    return id.substr(kFirst.size());
  }
  return reason == transport::CloseReason::kWrongSite ||
                 reason == transport::CloseReason::kUnknownSite
             ? id
             : "other";
}

// Tells every reason that one of the connections has counted, with the sum over them all; a reason
// of several connections several times: a map of sums would be made anew in every turn.
template <class Counts, class Tell>
void tell_sums(std::span<const std::unique_ptr<Peer>> connections,
               Counts Peer::*counts,
               const Tell& tell) {
  for (const auto& connection : connections) {
    for (const auto& [reason, unused] : (*connection).*counts) {
      std::uint64_t sum = 0;
      for (const auto& other : connections) {
        const auto found = ((*other).*counts).find(reason);
        sum += found != ((*other).*counts).end() ? found->second : 0;
      }
      tell(reason, sum);
    }
  }
}

}  // namespace

void MetricsFeed::on_turn(Instant now, Duration busy, const local::TurnedAway& turned_away) {
  busy_ += busy;
  if (now < next_) {
    return;
  }
  next_ = now + kPeriod;
  links(now);
  endpoint();
  port_counts(now);
  topics(now);
  clients(turned_away);
  process(now);
}

// Connections of one link are neighbours: their amounts add up under the name of the site.
void MetricsFeed::links(Instant now) {
  const auto& peers = gateway_.core().peers;
  for (auto first = peers.begin(); first != peers.end();) {
    const auto end = std::find_if(
        first, peers.end(), [&](const auto& one) { return one->site().id != (*first)->site().id; });
    link(std::span(first, end));
    queue(now, std::span(first, end));
    first = end;
  }
}

void MetricsFeed::link(Connections connections) {
  const std::string& name = connections.front()->site().name;
  const LinkConfig* config = connections.front()->link();
  LinkTotals totals;
  PeerCounters counts;
  transport::SessionStats present;
  std::uint64_t reconnects = 0;
  double rate = 0;
  std::size_t path = 0;
  bool up = true;
  for (const auto& peer : connections) {
    totals += peer->totals();
    counts += peer->counters;
    reconnects += peer->counters.handshakes > 0 ? peer->counters.handshakes - 1 : 0;
    const transport::SessionStats stats =
        peer->session != nullptr ? peer->session->stats() : transport::SessionStats{};
    present.packet_bytes = std::max(present.packet_bytes, stats.packet_bytes);
    present.congestion_window += stats.congestion_window;
    present.in_flight += stats.in_flight;
    if (peer->state != PeerState::kUp) {
      up = false;
      continue;
    }
    // What other workers leave may be planned with by each, and counts once.
    rate += std::min(peer->rate(), peer->due()).bytes_per_second();
    path = std::max(path, peer->path + 1);
    cells_.histogram(Metric::kLinkRttSeconds, {name}).observe(stats.rtt_smoothed.to_seconds());
  }
  const auto counter = [&](Metric metric, std::uint64_t total) {
    cells_.counter(metric, {name}).set_total(total);
  };
  const auto gauge = [&](Metric metric, double value) { cells_.gauge(metric, {name}).set(value); };
  gauge(Metric::kLinkUp, up ? 1 : 0);
  counter(Metric::kLinkSentBytes, totals.sent);
  counter(Metric::kLinkReceivedBytes, totals.received);
  counter(Metric::kLinkLostPackets, totals.packets_lost);
  counter(Metric::kLinkProbeTimeouts, totals.probe_timeouts);
  counter(Metric::kLinkBlackHoles, totals.black_holes);
  counter(Metric::kLinkKeyUpdates, totals.key_updates);
  gauge(Metric::kLinkPacketBytes, static_cast<double>(present.packet_bytes));
  gauge(Metric::kLinkCongestionWindowBytes, static_cast<double>(present.congestion_window));
  counter(Metric::kLinkTransfersSent, counts.transfers_sent);
  counter(Metric::kLinkTransfersResent, counts.transfers_resent);
  const auto received = [&](std::string_view result, std::uint64_t total) {
    cells_.counter(Metric::kLinkTransfersReceived, {name, result}).set_total(total);
  };
  const std::uint64_t refused = counts.transfers_corrupt + counts.transfers_stray;
  const std::uint64_t besides = counts.transfers_duplicate + counts.transfers_dropped + refused;
  received("applied", counts.transfers_received - besides);
  received("duplicate", counts.transfers_duplicate);
  received("dropped", counts.transfers_dropped);
  received("refused", refused);
  gauge(Metric::kLinkRateBytes, rate);
  const auto held = [&](std::string_view by, Duration time) {
    cells_.counter(Metric::kLinkHeldSeconds, {name, by})
        .set_total(static_cast<std::uint64_t>(time.count_ns()));
  };
  held("cap", totals.held_by_cap);
  held("congestion", totals.held_by_congestion);
  gauge(Metric::kLinkCapBytes,
        config != nullptr && !config->cap.is_unlimited() ? config->cap.bytes_per_second() : 0);
  gauge(Metric::kLinkInFlightBytes, static_cast<double>(present.in_flight));
  counter(Metric::kLinkReconnects, reconnects);
  gauge(Metric::kLinkPath, up ? static_cast<double>(path) : 0);
  counter(Metric::kLinkPathChanges, counts.path_changes);
  tell_sums(connections, &Peer::closed_by_reason, [&](std::string_view reason, auto sum) {
    cells_.counter(Metric::kLinkClosed, {name, reason}).set_total(sum);
  });
  const auto topics_refused = [&](std::string_view by) {
    return [this, &name, by](std::string_view reason, std::uint64_t sum) {
      cells_.counter(Metric::kLinkTopicsRefused, {name, by, reason}).set_total(sum);
    };
  };
  tell_sums(connections, &Peer::topics_refused_here, topics_refused("here"));
  tell_sums(connections, &Peer::topics_refused_there, topics_refused("peer"));
}

void MetricsFeed::queue(Instant now, Connections connections) {
  const std::string& name = connections.front()->site().name;
  scheduler::LinkQueue::Stats stats;
  std::size_t keys = 0;
  double energy = 0;
  Duration age = Duration::zero();
  for (const auto& peer : connections) {
    const auto& of_one = peer->queue.stats();
    for (std::size_t i = 0; i < scheduler::kReasonCount; ++i) {
      stats.decisions[i] += of_one.decisions[i];
    }
    stats.deadlines_met += of_one.deadlines_met;
    stats.deadlines_expired += of_one.deadlines_expired;
    stats.bytes += of_one.bytes;
    keys += peer->queue.pending_keys();
    energy += peer->queue.pending_energy();
    age = std::max(age, peer->queue.oldest_age(now));
  }
  cells_.gauge(Metric::kQueueKeys, {name}).set(static_cast<double>(keys));
  cells_.gauge(Metric::kQueuePendingEnergy, {name}).set(energy);
  cells_.gauge(Metric::kQueueOldestAgeSeconds, {name}).set(age.to_seconds());
  static constexpr std::array<std::string_view, scheduler::kReasonCount> kReasons = {
      "deadline", "age", "significance", "deepen"};
  for (std::size_t i = 0; i < kReasons.size(); ++i) {
    cells_.counter(Metric::kQueueDecisions, {name, kReasons.at(i)}).set_total(stats.decisions[i]);
  }
  cells_.counter(Metric::kQueueDeadlines, {name, "met"}).set_total(stats.deadlines_met);
  cells_.counter(Metric::kQueueDeadlines, {name, "expired"}).set_total(stats.deadlines_expired);
  cells_.counter(Metric::kQueueVisitBytes, {name}).set_total(stats.bytes);
}

void MetricsFeed::endpoint() {
  const transport::EndpointCounters counters = gateway_.endpoint_counters();
  const auto dropped = [&](std::string_view reason, std::uint64_t total) {
    cells_.counter(Metric::kEndpointDropped, {reason}).set_total(total);
  };
  dropped("unknown_source", counters.packets_unknown_source);
  dropped("unmatched", counters.packets_unmatched - counters.packets_late);
  dropped("late", counters.packets_late);
  dropped("malformed", counters.packets_malformed);
  const auto handshakes = [&](std::string_view result, std::uint64_t total) {
    cells_.counter(Metric::kEndpointHandshakes, {result}).set_total(total);
  };
  handshakes("accepted", counters.sessions_accepted);
  handshakes("failed", counters.handshakes_failed);
  handshakes("over_limit", counters.accepts_over_limit - counters.retries_sent);
  handshakes("asked", counters.retries_sent);
  handshakes("proof_refused", counters.tokens_refused);
  cells_.counter(Metric::kEndpointAnswersWithheld).set_total(counters.answers_withheld);
}

void MetricsFeed::port_counts(Instant now) {
  if (port_ == nullptr) {
    return;
  }
  const port::Counters c = port_->counters();
  cells_.counter(Metric::kPortPackets, {"sent"}).set_total(c.packets_sent);
  cells_.counter(Metric::kPortPackets, {"received"}).set_total(c.packets_received);
  cells_.counter(Metric::kPortFrames, {"sent"}).set_total(c.frames_sent);
  cells_.counter(Metric::kPortFrames, {"received"}).set_total(c.frames_received);
  cells_.counter(Metric::kPortTroubles, {"send_busy"}).set_total(c.send_busy);
  cells_.counter(Metric::kPortTroubles, {"send_error"}).set_total(c.send_errors);
  cells_.counter(Metric::kPortTroubles, {"receive_error"}).set_total(c.receive_errors);
  cells_.counter(Metric::kPortTroubles, {"receive_starved"}).set_total(c.receive_starved);
  for (const port::Refusal& refusal : port_->refusals()) {
    cells_.counter(Metric::kPortRefused, {refusal.reason}).set_total(refusal.count);
  }
  cells_.counter(Metric::kPortTroubles, {"receive_dropped"}).set_total(c.receive_dropped);
  cells_.counter(Metric::kPortTroubles, {"neighbour_changed"}).set_total(c.neighbours_changed);
  cells_.counter(Metric::kPortTroubles, {"neighbour_given_up"}).set_total(c.neighbours_given_up);
  cells_.counter(Metric::kPortLinkDowns).set_total(c.link_downs);
  cells_.gauge(Metric::kPortLinkUp, {}).set(port_->link_up() ? 1 : 0);
  const auto troubles = port_->troubles(now);
  const auto silent = std::count_if(troubles.begin(), troubles.end(), [](const auto& trouble) {
    return trouble.kind == port::NeighbourTrouble::Kind::kSilent;
  });
  const auto all = static_cast<std::ptrdiff_t>(troubles.size());
  cells_.gauge(Metric::kPortNeighbourTroubles, {"silent"}).set(static_cast<double>(silent));
  cells_.gauge(Metric::kPortNeighbourTroubles, {"conflict"}).set(static_cast<double>(all - silent));
}

// Shards of one topic are neighbours in the core's map: their amounts add up under its name.
void MetricsFeed::topics(Instant now) {
  const Core& core = gateway_.core();
  for (auto first = core.topics.begin(); first != core.topics.end();) {
    const auto end = core.topics.upper_bound({first->first.topic, kShardsMax});
    topic(now, first->second->spec().name, first, end);
    first = end;
  }
}

void MetricsFeed::topic(Instant now, const std::string& name, Shard first, Shard end) {
  const Core& core = gateway_.core();
  const auto sum = [&](const auto& amount) {
    return std::accumulate(
        first, end, decltype(amount(*first->second))(), [&](auto so_far, const auto& one) {
          return so_far + amount(*one.second);
        });
  };
  ledger::Conservation sums;
  for (auto at = first; at != end; ++at) {
    const ledger::Conservation of_shard = at->second->ledger().conservation();
    sums.defects += of_shard.defects;
    sums.scrub_passes += of_shard.scrub_passes;
    sums.published += of_shard.published;
    sums.sent += of_shard.sent;
    sums.in_flight += of_shard.in_flight;
    sums.applied += of_shard.applied;
    sums.open += of_shard.open;
    sums.detached += of_shard.detached;
  }
  cells_.counter(Metric::kTopicPublishes, {name}).set_total(sum([](const Topic& one) {
    return one.ledger().publishes();
  }));
  cells_.counter(Metric::kTopicElements, {name}).set_total(sum([](const Topic& one) {
    return one.ledger().elements_published();
  }));
  static constexpr std::array<std::string_view, kPublishRefusals> kRefusals = {
      "not_finite", "out_of_range", "shape", "no_memory", "other"};
  for (std::size_t i = 0; i < kRefusals.size(); ++i) {
    cells_.counter(Metric::kTopicRefused, {name, kRefusals.at(i)})
        .set_total(sum([i](const Topic& one) { return one.refused.at(i); }));
  }
  cells_.counter(Metric::kTopicDuplicates, {name}).set_total(sum([](const Topic& one) {
    return one.duplicates;
  }));
  const auto gauge = [&](Metric metric, std::uint64_t value) {
    cells_.gauge(metric, {name}).set(static_cast<double>(value));
  };
  gauge(Metric::kTopicMemoryBytes, sum([](const Topic& one) { return one.memory_used(); }));
  gauge(Metric::kTopicMemoryBoundBytes, sum([](const Topic& one) { return one.memory_bound(); }));
  gauge(Metric::kConservationDefect, sums.defects);
  cells_.counter(Metric::kLedgerScrubs, {name}).set_total(sums.scrub_passes);
  const std::pair<std::string_view, double> masses[] = {
      {"published", sums.published},
      {"open", sums.open},
      {"frozen", sums.in_flight},
      {"receipted", sums.sent - sums.in_flight},
      {"applied", sums.applied},
      {"detached", sums.detached},
  };
  for (const auto& [state, amount] : masses) {
    cells_.gauge(Metric::kLedgerMass, {name, state}).set(amount);
  }
  for (const auto& site : core.config.sites) {
    progress(now, name, site, first, end);
  }
}

// A site is as far as its shard that is furthest behind.
void MetricsFeed::progress(
    Instant now, const std::string& name, const SiteConfig& site, Shard first, Shard end) {
  std::uint64_t clock = std::numeric_limits<std::uint64_t>::max();
  std::optional<std::uint64_t> lag;
  scheduler::Residual residual;
  for (auto at = first; at != end; ++at) {
    const Topic& shard = *at->second;
    clock = std::min(clock, gateway_.core().clocks.clock(at->first, site.id));
    const auto lanes = shard.peers().find(site.id);
    if (lanes != shard.peers().end()) {
      const std::uint64_t last = shard.ledger().last_publish().value();
      const std::uint64_t behind = last - std::min(last, shard.covered_at(lanes->second));
      lag = std::max(lag.value_or(0), behind);
      residual += gateway_.core().residual(now, shard, site.id);
    }
  }
  cells_.gauge(Metric::kTopicClock, {name, site.name}).set(static_cast<double>(clock));
  if (lag) {
    const auto gauge = [&](Metric metric, double value) {
      cells_.gauge(metric, {name, site.name}).set(value);
    };
    gauge(Metric::kTopicCoverageLag, static_cast<double>(*lag));
    gauge(Metric::kTopicResidualEnergy, residual.energy);
    gauge(Metric::kTopicResidualAgeSeconds, residual.age_seconds);
    gauge(Metric::kTopicResidualDecay, residual.decay_per_second);
  }
}

void MetricsFeed::codec_uses(std::string_view operation, const Coder::Uses& uses) {
  for (const codec::Id id : kCodecs) {
    const CodecUse& use = uses.at(static_cast<std::size_t>(id));
    const std::string_view name = codec::to_string(id);
    cells_.counter(Metric::kCodecTiles, {operation, name}).set_total(use.tiles);
    cells_.counter(Metric::kCodecBytes, {operation, name}).set_total(use.bytes);
    cells_.counter(Metric::kCodecElements, {operation, name})
        .set_total(use.tiles * codec::kTileElements);
    cells_.counter(Metric::kCodecSeconds, {operation, name})
        .set_total(static_cast<std::uint64_t>(use.time.count_ns()));
  }
}

void MetricsFeed::clients(const local::TurnedAway& turned_away) {
  cells_.gauge(Metric::kClientsConnected).set(static_cast<double>(gateway_.client_count()));
  cells_.gauge(Metric::kClientRingBytes).set(static_cast<double>(gateway_.client_bytes_unread()));
  auto refused = gateway_.core().counters.clients_refused;
  refused.at(static_cast<std::size_t>(ClientRefusal::kLimit)) += turned_away.by_limit;
  refused.at(static_cast<std::size_t>(ClientRefusal::kVersion)) += turned_away.by_version;
  static constexpr std::array<std::string_view, kClientRefusals> kReasons = {
      "protocol", "limit", "version", "other"};
  for (std::size_t i = 0; i < kReasons.size(); ++i) {
    cells_.counter(Metric::kClientRefused, {kReasons.at(i)}).set_total(refused.at(i));
  }
  static constexpr std::array<std::string_view, kClientRequests> kRequests = {"topic",
                                                                              "subscription"};
  const auto& requests = gateway_.core().counters.client_requests_refused;
  for (std::size_t i = 0; i < kRequests.size(); ++i) {
    cells_.counter(Metric::kClientRequestRefused, {kRequests.at(i)}).set_total(requests.at(i));
  }
}

void MetricsFeed::process(Instant now) {
  const Core& core = gateway_.core();
  codec_uses("encode", core.coder.encoded());
  codec_uses("decode", core.coder.decoded());
  cells_.counter(Metric::kCodecRefused).set_total(core.coder.refused());
  cells_.counter(Metric::kLedgerRecoveries).set_total(core.counters.topics_recovered);
  for (const auto& [reason, count] : gateway_.links().refusals()) {
    cells_.counter(Metric::kCertificateRefused, {refusal_label(reason)}).set_total(count);
  }
  cells_.gauge(Metric::kUptimeSeconds).set((now - started_).to_seconds());
  const std::string worker = std::to_string(core.worker);
  cells_.counter(Metric::kWorkerTurns, {worker}).set_total(core.counters.turns);
  cells_.counter(Metric::kWorkerBusySeconds, {worker})
      .set_total(static_cast<std::uint64_t>(busy_.count_ns()));
}

}  // namespace godwit::gateway

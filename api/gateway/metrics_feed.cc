#include "api/gateway/metrics_feed.h"

#include <algorithm>
#include <array>
#include <string_view>

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

}  // namespace

void MetricsFeed::on_turn(Instant now, Duration busy, const local::TurnedAway& turned_away) {
  busy_ += busy;
  if (now < next_) {
    return;
  }
  next_ = now + kPeriod;
  links(now);
  endpoint();
  port_counts();
  topics();
  clients(turned_away);
  process(now);
}

void MetricsFeed::links(Instant now) {
  for (const auto& peer : gateway_.core().peers) {
    const std::string& name = peer->site().name;
    const transport::SessionStats stats =
        peer->session != nullptr ? peer->session->stats() : transport::SessionStats{};
    const bool up = peer->state == PeerState::kUp;
    cells_.gauge(Metric::kLinkUp, {name}).set(up ? 1 : 0);
    const LinkTotals totals = peer->totals();
    cells_.counter(Metric::kLinkSentBytes, {name}).set_total(totals.sent);
    cells_.counter(Metric::kLinkReceivedBytes, {name}).set_total(totals.received);
    cells_.counter(Metric::kLinkLostPackets, {name}).set_total(totals.packets_lost);
    cells_.counter(Metric::kLinkProbeTimeouts, {name}).set_total(totals.probe_timeouts);
    cells_.counter(Metric::kLinkBlackHoles, {name}).set_total(totals.black_holes);
    cells_.counter(Metric::kLinkKeyUpdates, {name}).set_total(totals.key_updates);
    cells_.gauge(Metric::kLinkPacketBytes, {name}).set(static_cast<double>(stats.packet_bytes));
    cells_.gauge(Metric::kLinkCongestionWindowBytes, {name})
        .set(static_cast<double>(stats.congestion_window));
    cells_.counter(Metric::kLinkTransfersSent, {name}).set_total(peer->counters.transfers_sent);
    cells_.counter(Metric::kLinkTransfersResent, {name}).set_total(peer->counters.transfers_resent);
    const PeerCounters& c = peer->counters;
    const std::uint64_t refused = c.transfers_corrupt + c.transfers_stray;
    cells_.counter(Metric::kLinkTransfersReceived, {name, "applied"})
        .set_total(c.transfers_received - c.transfers_duplicate - refused);
    cells_.counter(Metric::kLinkTransfersReceived, {name, "duplicate"})
        .set_total(c.transfers_duplicate);
    cells_.counter(Metric::kLinkTransfersReceived, {name, "refused"}).set_total(refused);
    if (up) {
      cells_.histogram(Metric::kLinkRttSeconds, {name}).observe(stats.rtt_smoothed.to_seconds());
    }
    cells_.gauge(Metric::kLinkRateBytes, {name}).set(up ? peer->rate().bytes_per_second() : 0);
    const bool capped = peer->link() != nullptr && !peer->link()->cap.is_unlimited();
    cells_.gauge(Metric::kLinkCapBytes, {name})
        .set(capped ? peer->link()->cap.bytes_per_second() : 0);
    cells_.gauge(Metric::kLinkInFlightBytes, {name}).set(static_cast<double>(stats.in_flight));
    cells_.counter(Metric::kLinkReconnects, {name})
        .set_total(c.handshakes > 0 ? c.handshakes - 1 : 0);
    for (const auto& [reason, count] : peer->closed_by_reason) {
      cells_.counter(Metric::kLinkClosed, {name, reason}).set_total(count);
    }
    for (const auto& [reason, count] : peer->topics_refused_here) {
      cells_.counter(Metric::kLinkTopicsRefused, {name, "here", reason}).set_total(count);
    }
    for (const auto& [reason, count] : peer->topics_refused_there) {
      cells_.counter(Metric::kLinkTopicsRefused, {name, "peer", reason}).set_total(count);
    }
    cells_.gauge(Metric::kQueueKeys, {name}).set(static_cast<double>(peer->queue.pending_keys()));
    cells_.gauge(Metric::kQueuePendingEnergy, {name}).set(peer->queue.pending_energy());
    cells_.gauge(Metric::kQueueOldestAgeSeconds, {name})
        .set(peer->queue.oldest_age(now).to_seconds());
    const auto& queue = peer->queue.stats();
    static constexpr std::array<std::string_view, scheduler::kReasonCount> kReasons = {
        "deadline", "age", "significance", "deepen"};
    for (std::size_t i = 0; i < kReasons.size(); ++i) {
      cells_.counter(Metric::kQueueDecisions, {name, kReasons.at(i)}).set_total(queue.decisions[i]);
    }
    cells_.counter(Metric::kQueueDeadlines, {name, "met"}).set_total(queue.deadlines_met);
    cells_.counter(Metric::kQueueDeadlines, {name, "expired"}).set_total(queue.deadlines_expired);
    cells_.counter(Metric::kQueueVisitBytes, {name}).set_total(queue.bytes);
  }
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

void MetricsFeed::port_counts() {
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
  cells_.gauge(Metric::kPortLinkUp, {}).set(port_->link_up() ? 1 : 0);
}

void MetricsFeed::topics() {
  const Core& core = gateway_.core();
  for (const auto& [id, topic] : core.topics) {
    const std::string& name = topic->spec().name;
    const ledger::Conservation sums = topic->ledger().conservation();
    cells_.counter(Metric::kTopicPublishes, {name}).set_total(topic->ledger().publishes());
    cells_.counter(Metric::kTopicElements, {name}).set_total(topic->ledger().elements_published());
    static constexpr std::array<std::string_view, kPublishRefusals> kRefusals = {
        "not_finite", "out_of_range", "shape", "no_memory", "other"};
    for (std::size_t i = 0; i < kRefusals.size(); ++i) {
      cells_.counter(Metric::kTopicRefused, {name, kRefusals.at(i)})
          .set_total(topic->refused.at(i));
    }
    cells_.counter(Metric::kTopicDuplicates, {name}).set_total(topic->duplicates);
    cells_.gauge(Metric::kTopicMemoryBytes, {name}).set(static_cast<double>(topic->memory_used()));
    cells_.gauge(Metric::kTopicMemoryBoundBytes, {name})
        .set(static_cast<double>(topic->memory_bound()));
    cells_.gauge(Metric::kConservationDefect, {name}).set(static_cast<double>(sums.defects));
    cells_.counter(Metric::kLedgerScrubs, {name}).set_total(sums.scrub_passes);
    cells_.gauge(Metric::kLedgerMass, {name, "published"}).set(sums.published);
    cells_.gauge(Metric::kLedgerMass, {name, "open"}).set(sums.open);
    cells_.gauge(Metric::kLedgerMass, {name, "frozen"}).set(sums.in_flight);
    cells_.gauge(Metric::kLedgerMass, {name, "receipted"}).set(sums.sent - sums.in_flight);
    cells_.gauge(Metric::kLedgerMass, {name, "applied"}).set(sums.applied);
    cells_.gauge(Metric::kLedgerMass, {name, "detached"}).set(sums.detached);
    for (const auto& site : core.config.sites) {
      cells_.gauge(Metric::kTopicClock, {name, site.name})
          .set(static_cast<double>(core.clocks.clock(id, site.id)));
    }
    for (const auto& [site, lanes] : topic->peers()) {
      const SiteConfig* known = core.config.find_site(site);
      if (known != nullptr) {
        const std::uint64_t last = topic->ledger().last_publish().value();
        cells_.gauge(Metric::kTopicCoverageLag, {name, known->name})
            .set(static_cast<double>(last - std::min(last, topic->covered_at(lanes))));
      }
    }
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
  cells_.counter(Metric::kWorkerTurns, {"0"}).set_total(core.counters.turns);
  cells_.counter(Metric::kWorkerBusySeconds, {"0"})
      .set_total(static_cast<std::uint64_t>(busy_.count_ns()));
}

}  // namespace godwit::gateway

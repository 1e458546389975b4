// The table itself; everything else about metrics is derived from it.
#include "monitoring/catalog.h"

#include <array>

#include "dataplane/base/assert.h"

namespace godwit::monitoring {

namespace {

using Names = std::string_view;
using enum Metric;
using enum Kind;
using enum Unit;
using enum Join;

// Upper bounds in seconds: from one site to the far side of the world, then trouble.
constexpr double kRttBuckets[] = {
    .0005, .001, .002, .005, .01, .02, .04, .06, .08, .1, .15, .2, .3, .5, 1, 2, 5};

// The values of fixed labels.
constexpr Names kLinkTransfersReceivedResult[] = {"applied", "duplicate", "dropped", "refused"};
constexpr Names kLinkClosedReason[] = {"local",
                                       "peer",
                                       "silent",
                                       "handshake_timeout",
                                       "certificate_expired",
                                       "certificate_not_yet_valid",
                                       "certificate_untrusted",
                                       "certificate_missing",
                                       "wrong_site",
                                       "unknown_site",
                                       "refused_by_peer",
                                       "tls",
                                       "protocol",
                                       "reset",
                                       "limit",
                                       "internal",
                                       "other"};
constexpr Names kLinkHeldBy[] = {"cap", "congestion"};
constexpr Names kLinkTopicsRefusedBy[] = {"here", "peer"};
constexpr Names kLinkTopicsRefusedReason[] = {"residency",
                                              "shape_mismatch",
                                              "seed_mismatch",
                                              "policy_mismatch",
                                              "no_memory",
                                              "unknown_topic",
                                              "incarnation_mismatch",
                                              "other"};
constexpr Names kEndpointDroppedReason[] = {"unknown_source", "unmatched", "late", "malformed"};
constexpr Names kEndpointHandshakesResult[] = {
    "accepted", "failed", "over_limit", "asked", "proof_refused"};
constexpr Names kPortDirection[] = {"sent", "received"};
constexpr Names kPortTroublesKind[] = {"send_busy",
                                       "send_error",
                                       "receive_error",
                                       "receive_starved",
                                       "receive_dropped",
                                       "neighbour_changed",
                                       "neighbour_given_up"};
constexpr Names kPortNeighbourTroublesKind[] = {"silent", "conflict"};
constexpr Names kPortRefusedReason[] = {"truncated",
                                        "looped",
                                        "not_ours",
                                        "wrong_vlan",
                                        "unknown_type",
                                        "bad_arp",
                                        "bad_ip",
                                        "ip_options",
                                        "ip_fragment",
                                        "bad_source",
                                        "wrong_host",
                                        "unknown_protocol",
                                        "bad_udp",
                                        "bad_checksum",
                                        "wrong_port",
                                        "bad_neighbour",
                                        "unheeded",
                                        "too_many",
                                        "conflict"};
constexpr Names kQueueDecisionsReason[] = {"deadline", "age", "significance", "deepen"};
constexpr Names kQueueDeadlinesOutcome[] = {"met", "expired"};
constexpr Names kCodecTilesOperation[] = {"encode", "decode"};
constexpr Names kCodecTilesCodec[] = {"raw", "bpc", "sparse-list", "row", "q8", "q4"};
constexpr Names kTopicRefusedReason[] = {
    "not_finite", "out_of_range", "shape", "no_memory", "other"};
constexpr Names kLedgerMassState[] = {
    "published", "open", "frozen", "receipted", "applied", "detached"};
constexpr Names kClientRequest[] = {"topic", "subscription"};
constexpr Names kClientRefusedReason[] = {"protocol", "limit", "version", "other"};
constexpr Names kCertificateRefusedReason[] = {
    "expired", "not_yet_valid", "untrusted", "missing", "wrong_site", "unknown_site", "other"};

// The labels of each family, in the order of the values at registration.
constexpr LabelInfo kPeerLabels[] = {{"peer", {}}};
constexpr LabelInfo kLinkTransfersReceivedLabels[] = {{"peer", {}},
                                                      {"result", kLinkTransfersReceivedResult}};
constexpr LabelInfo kLinkClosedLabels[] = {{"peer", {}}, {"reason", kLinkClosedReason}};
constexpr LabelInfo kLinkHeldLabels[] = {{"peer", {}}, {"by", kLinkHeldBy}};
constexpr LabelInfo kLinkTopicsRefusedLabels[] = {
    {"peer", {}}, {"by", kLinkTopicsRefusedBy}, {"reason", kLinkTopicsRefusedReason}};
constexpr LabelInfo kEndpointDroppedLabels[] = {{"reason", kEndpointDroppedReason}};
constexpr LabelInfo kEndpointHandshakesLabels[] = {{"result", kEndpointHandshakesResult}};
constexpr LabelInfo kPortDirectionLabels[] = {{"direction", kPortDirection}};
constexpr LabelInfo kPortTroublesLabels[] = {{"kind", kPortTroublesKind}};
constexpr LabelInfo kPortNeighbourTroublesLabels[] = {{"kind", kPortNeighbourTroublesKind}};
constexpr LabelInfo kPortRefusedLabels[] = {{"reason", kPortRefusedReason}};
constexpr LabelInfo kQueueDecisionsLabels[] = {{"peer", {}}, {"reason", kQueueDecisionsReason}};
constexpr LabelInfo kQueueDeadlinesLabels[] = {{"peer", {}}, {"outcome", kQueueDeadlinesOutcome}};
constexpr LabelInfo kCodecTilesLabels[] = {{"operation", kCodecTilesOperation},
                                           {"codec", kCodecTilesCodec}};
constexpr LabelInfo kTopicLabels[] = {{"topic", {}}};
constexpr LabelInfo kTopicRefusedLabels[] = {{"topic", {}}, {"reason", kTopicRefusedReason}};
constexpr LabelInfo kTopicOriginLabels[] = {{"topic", {}}, {"origin", {}}};
constexpr LabelInfo kTopicPeerLabels[] = {{"topic", {}}, {"peer", {}}};
constexpr LabelInfo kLedgerMassLabels[] = {{"topic", {}}, {"state", kLedgerMassState}};
constexpr LabelInfo kClientRequestRefusedLabels[] = {{"request", kClientRequest}};
constexpr LabelInfo kClientRefusedLabels[] = {{"reason", kClientRefusedReason}};
constexpr LabelInfo kVersionRevisionLabels[] = {{"version", {}}, {"revision", {}}};
constexpr LabelInfo kWorkerLabels[] = {{"worker", {}}};
constexpr LabelInfo kCertificateRefusedLabels[] = {{"reason", kCertificateRefusedReason}};

// A row: what it is on the first line, what to tell a person below.
// clang-format off
constexpr std::array<MetricInfo, kMetricCount> kCatalog = {{
    {kLinkUp, "godwit_link_up", kGauge, kNone, kMin, kPeerLabels, {},
     "1 while the link to the peer is established, every connection of it, else 0. When 0: see "
     "godwit_link_closed_total for the reason, then `godwit link`."},
    {kLinkSentBytes, "godwit_link_sent_bytes_total", kCounter, kBytes, kSum, kPeerLabels, {},
     "Layer-3 bytes sent to the peer, everything included: payload, control, headers, repeats."},
    {kLinkReceivedBytes, "godwit_link_received_bytes_total",
     kCounter, kBytes, kSum, kPeerLabels, {},
     "Layer-3 bytes received from the peer, everything included."},
    {kLinkTransfersSent, "godwit_link_transfers_sent_total", kCounter, kNone, kSum, kPeerLabels, {},
     "Transfers sent for the first time."},
    {kLinkTransfersResent, "godwit_link_transfers_resent_total",
     kCounter, kNone, kSum, kPeerLabels, {},
     "Transfers sent again, byte for byte, after a reconnect or restart. A steady rise means an "
     "unstable link."},
    {kLinkTransfersReceived, "godwit_link_transfers_received_total",
     kCounter, kNone, kSum, kLinkTransfersReceivedLabels, {},
     "Transfers received, by what became of them. Duplicates are harmless repeats; dropped ones "
     "found no storage and come again; refused ones failed a check."},
    {kLinkRttSeconds, "godwit_link_rtt_seconds",
     kHistogram, kSeconds, kSum, kPeerLabels, kRttBuckets,
     "Round-trip time to the peer, sampled at most ten times a second. A rise above the path's "
     "own delay means a queue outside Godwit: lower the cap."},
    {kLinkRateBytes, "godwit_link_rate_bytes_per_second",
     kGauge, kBytesPerSecond, kSum, kPeerLabels, {},
     "Rate that is planned with: 97 % of the cap, or what the path is found to carry if that is less "
     "or there is no cap. Of several workers each counts with at most its equal part of the cap."},
    {kLinkHeldSeconds, "godwit_link_held_seconds_total",
     kCounter, kSeconds, kSum, kLinkHeldLabels, {},
     "Time in which something waited to be sent, by what kept it: the cap, or congestion, which is "
     "the estimate of the path, the congestion window or the congestion controller's pacing. By "
     "congestion most of the time on a link with a cap: the path carries less than the cap."},
    {kLinkCapBytes, "godwit_link_cap_bytes_per_second",
     kGauge, kBytesPerSecond, kMax, kPeerLabels, {},
     "The operator's cap for the link; 0 when there is none."},
    {kLinkInFlightBytes, "godwit_link_in_flight_bytes", kGauge, kBytes, kSum, kPeerLabels, {},
     "Bytes sent and not yet acknowledged by the transport."},
    {kLinkReconnects, "godwit_link_reconnects_total", kCounter, kNone, kSum, kPeerLabels, {},
     "Times the link was established again after it had been up."},
    {kLinkPath, "godwit_link_path", kGauge, kNone, kMax, kPeerLabels, {},
     "The path that the link is on, from 1, the preferred one; 0 while it is down. 2 and more: a "
     "backup endpoint is in use, `godwit status` says why. Paths pair the endpoints of both sites."},
    {kLinkPathChanges, "godwit_link_path_changes_total",
     kCounter, kNone, kSum, kPeerLabels, {},
     "Times the link came up on another path than before, or moved to it. A steady rise means a "
     "preferred path that comes and goes."},
    {kLinkClosed, "godwit_link_closed_total", kCounter, kNone, kSum, kLinkClosedLabels, {},
     "Ends of connections and of attempts, by reason. The log line of the same moment has the "
     "details."},
    {kLinkTopicsRefused, "godwit_link_topics_refused_total",
     kCounter, kNone, kSum, kLinkTopicsRefusedLabels, {},
     "Topics that one end announced and the other did not take, by who refused and why. Nothing of "
     "them moves on the link: `godwit status` at either end names the topic and what to do. "
     "unknown_topic and incarnation_mismatch pass by themselves while an end starts."},
    {kLinkLostPackets, "godwit_link_lost_packets_total", kCounter, kNone, kSum, kPeerLabels, {},
     "Packets to the peer that the transport declared lost and repeated. More than 3 % of what is "
     "sent: the link cannot be filled."},
    {kLinkProbeTimeouts, "godwit_link_probe_timeouts_total",
     kCounter, kNone, kSum, kPeerLabels, {},
     "Times nothing was acknowledged for a probe timeout. A steady rise while the link is up means "
     "a path with interruptions."},
    {kLinkPacketBytes, "godwit_link_packet_bytes", kGauge, kBytes, kMin, kPeerLabels, {},
     "UDP payload of a full packet, as discovered; 0 while there is no session. At 1200 for "
     "minutes: the path carries no more, or drops what it cannot carry."},
    {kLinkBlackHoles, "godwit_link_black_holes_total", kCounter, kNone, kSum, kPeerLabels, {},
     "Times the path stopped carrying full packets and smaller ones were sent from then on."},
    {kLinkCongestionWindowBytes, "godwit_link_congestion_window_bytes",
     kGauge, kBytes, kSum, kPeerLabels, {},
     "Bytes that the congestion controller lets be unacknowledged. In flight at this value: it is "
     "the limit, not the cap."},
    {kLinkKeyUpdates, "godwit_link_key_updates_total", kCounter, kNone, kSum, kPeerLabels, {},
     "Changes of the packets' keys within sessions, by either end."},
    {kEndpointDropped, "godwit_endpoint_dropped_packets_total",
     kCounter, kNone, kSum, kEndpointDroppedLabels, {},
     "Packets that belong to no session. From unknown sources at a high rate: a scan or a flood; "
     "filter it before the gateway. Late ones answer dials that were given up: set the link's rtt."},
    {kEndpointHandshakes, "godwit_endpoint_handshakes_total",
     kCounter, kNone, kSum, kEndpointHandshakesLabels, {},
     "Handshakes that others began, by what became of them; failed ones were accepted before. Many "
     "over the limit or asked for proof of their address: somebody forges the addresses of peers."},
    {kEndpointAnswersWithheld, "godwit_endpoint_answers_withheld_total",
     kCounter, kNone, kSum, {}, {},
     "Answers without a session that were not given because there were too many."},
    {kPortPackets, "godwit_port_packets_total", kCounter, kNone, kSum, kPortDirectionLabels, {},
     "UDP datagrams that the gateway's port sent and received."},
    {kPortFrames, "godwit_port_frames_total", kCounter, kNone, kSum, kPortDirectionLabels, {},
     "Ethernet frames of the DPDK device, those for finding neighbours included; 0 where the kernel "
     "makes them."},
    {kPortTroubles, "godwit_port_troubles_total", kCounter, kNone, kSum, kPortTroublesLabels, {},
     "What a port could not do: send_busy is tried again; send and receive are lost packets. "
     "receive_starved (no buffer was free) or receive_dropped (by the kernel or a card, its queue "
     "being full, or between workers) rising: the gateway is slower than what comes in. Of a DPDK "
     "device also how often a neighbour said that it has another MAC (neighbour_changed: it moved, or somebody forges it; the log names it) and did not "
     "answer (neighbour_given_up); each worker counts for itself."},
    {kPortRefused, "godwit_port_refused_total", kCounter, kNone, kSum, kPortRefusedLabels, {},
     "Frames that the DPDK device received and the gateway refused, by reason; 0 where the kernel "
     "refuses them. Broadcasts of other hosts are not_ours or wrong_host; conflict: somebody else "
     "uses the gateway's address."},
    {kPortLinkUp, "godwit_port_link_up", kGauge, kNone, kMax, {}, {},
     "1 while the DPDK device has a link, else 0; always 1 on sockets, whose link is the kernel's. "
     "When 0: see to the cable or the interface."},
    {kPortLinkDowns, "godwit_port_link_downs_total", kCounter, kNone, kMax, {}, {},
     "Times that the DPDK device lost its link; 0 on sockets, whose link is the kernel's. Rising "
     "while godwit_port_link_up is 1: it flaps; see to the cable or the switch."},
    {kPortNeighbourTroubles, "godwit_port_neighbour_troubles",
     kGauge, kNone, kSum, kPortNeighbourTroublesLabels, {},
     "Neighbours of the DPDK device that are wanted and do not answer (silent), and own addresses "
     "that another host uses, too (conflict). When not 0: `godwit link` names them."},
    {kQueueKeys, "godwit_queue_keys", kGauge, kNone, kSum, kPeerLabels, {},
     "Tiles with something pending for the peer. Bounded by the topics' sizes; it does not grow "
     "with an outage beyond that."},
    {kQueuePendingEnergy, "godwit_queue_pending_energy", kGauge, kNone, kSum, kPeerLabels, {},
     "Sum of squares of what is pending for the peer, in squared quanta. Rising for minutes: the "
     "link is too slow for the updates' significance."},
    {kQueueOldestAgeSeconds, "godwit_queue_oldest_age_seconds",
     kGauge, kSeconds, kMax, kPeerLabels, {},
     "How long the oldest pending tile has waited since its last visit. Above the age cap (2 s): "
     "the link is overloaded or a lane is blocked."},
    {kQueueDecisions, "godwit_queue_decisions_total",
     kCounter, kNone, kSum, kQueueDecisionsLabels, {},
     "Visits by why the tile was chosen. Many by age: raise the cap of the link or the filter's "
     "threshold."},
    {kQueueDeadlines, "godwit_queue_deadlines_total",
     kCounter, kNone, kSum, kQueueDeadlinesLabels, {},
     "Deadlines of tiles, met or expired. What expires stays pending; it is not dropped."},
    {kQueueVisitBytes, "godwit_queue_visit_bytes_total", kCounter, kBytes, kSum, kPeerLabels, {},
     "Coded bytes of all visits; divided by the decisions it is the depth of a visit."},
    {kCodecTiles, "godwit_codec_tiles_total", kCounter, kNone, kSum, kCodecTilesLabels, {},
     "Tiles encoded and decoded."},
    {kCodecBytes, "godwit_codec_bytes_total", kCounter, kBytes, kSum, kCodecTilesLabels, {},
     "Coded bytes made and read."},
    {kCodecElements, "godwit_codec_elements_total", kCounter, kNone, kSum, kCodecTilesLabels, {},
     "Elements of the tiles encoded and decoded, 32768 each, a topic's last one too; times 4 bytes it is "
     "what fp32 would have taken."},
    {kCodecSeconds, "godwit_codec_seconds_total", kCounter, kSeconds, kSum, kCodecTilesLabels, {},
     "Processor time spent coding. Near 1 s per s and worker: the encoder limits the link."},
    {kCodecRefused, "godwit_codec_refused_total", kCounter, kNone, kSum, {}, {},
     "Coded tiles of peers that broke their format. Not 0: a fault or an attack; the connection "
     "was closed and nothing of the transfer applied."},
    {kTopicPublishes, "godwit_topic_publishes_total", kCounter, kNone, kSum, kTopicLabels, {},
     "Publishes of this site's clients that were accepted since the topic's state began; a restart "
     "of the gateway does not begin anew."},
    {kTopicElements, "godwit_topic_elements_total", kCounter, kNone, kSum, kTopicLabels, {},
     "Elements of those publishes."},
    {kTopicRefused, "godwit_topic_refused_total", kCounter, kNone, kSum, kTopicRefusedLabels, {},
     "Publishes refused before merging: a value is not finite, or would take the sum out of range; "
     "the elements do not fit the topic's shape; [self] memory holds no further publisher. The "
     "client got the index and the value."},
    {kTopicDuplicates, "godwit_topic_duplicates_total", kCounter, kNone, kSum, kTopicLabels, {},
     "Publishes answered `duplicate`: a repeat after a restart that was merged before."},
    {kTopicClock, "godwit_topic_clock", kGauge, kNone, kMin, kTopicOriginLabels, {},
     "Released clock of each site as seen here, of the shard furthest behind. Lines that part: the slower site or the link "
     "from it holds readers back."},
    {kTopicCoverageLag, "godwit_topic_coverage_lag_publishes",
     kGauge, kNone, kMax, kTopicPeerLabels, {},
     "Accepted publishes of this site that the peer has not covered yet."},
    {kTopicResidualEnergy, "godwit_topic_residual_energy",
     kGauge, kNone, kSum, kTopicPeerLabels, {},
     "Sum of squares of what this site's updates left unsent to the peer (error feedback), in squared "
     "quanta. Rising for minutes: more comes than the budget lets through."},
    {kTopicResidualAgeSeconds, "godwit_topic_residual_age_seconds",
     kGauge, kSeconds, kMax, kTopicPeerLabels, {},
     "How long ago that was merged, the mean over its energy; of the worker where it is most. Many "
     "iterations' worth: an outer momentum would apply stale updates (bench/README.md)."},
    {kTopicResidualDecay, "godwit_topic_residual_decay_per_second",
     kGauge, kNone, kMin, kTopicPeerLabels, {},
     "Share of that energy that left within a second, over about ten seconds; of the slowest worker. "
     "Near 0 while the energy is not: nothing moves; see `godwit explain`."},
    {kTopicMemoryBytes, "godwit_topic_memory_bytes", kGauge, kBytes, kSum, kTopicLabels, {},
     "Memory that the topic's sums, frozen transfers and the work on them take now; the rings of its "
     "clients are beside it."},
    {kTopicMemoryBoundBytes, "godwit_topic_memory_bound_bytes",
     kGauge, kBytes, kSum, kTopicLabels, {},
     "What the topic's memory cannot exceed, whatever the outage: with a lane to every peer, and its "
     "subscribers and publishers, at least one of each. It rises with every further one, which is "
     "refused when [self] memory does not hold the bounds of all topics."},
    {kConservationDefect, "godwit_conservation_defect", kGauge, kNone, kSum, kTopicLabels, {},
     "Equations of the ledger that do not hold: published = sent + open, sent = applied + in "
     "flight + detached. Anything but 0 is a fault of Godwit: keep the state and report it."},
    {kLedgerMass, "godwit_ledger_mass", kGauge, kNone, kSum, kLedgerMassLabels, {},
     "Sum of magnitudes by state, in quanta. For orders of magnitude: magnitudes of parts do not "
     "add up to that of their sum; what must balance is checked exactly by the ledger."},
    {kLedgerScrubs, "godwit_ledger_scrubs_total", kCounter, kNone, kSum, kTopicLabels, {},
     "Complete recomputations of the sums' checksums from memory. Standing still for minutes: the "
     "worker finds no idle turn; see godwit_worker_busy_seconds_total."},
    {kLedgerRecoveries, "godwit_ledger_recoveries_total", kCounter, kNone, kSum, {}, {},
     "Topics whose state this process picked up from an earlier one."},
    {kClientsConnected, "godwit_clients_connected", kGauge, kNone, kSum, {}, {},
     "Connections of clients over the local channel: one of each client to each worker."},
    {kClientRingBytes, "godwit_client_ring_bytes", kGauge, kBytes, kSum, {}, {},
     "Bytes delivered into clients' rings that they have not read yet, all clients together. "
     "Staying high: a subscriber is slower than its topics change."},
    {kClientRefused, "godwit_client_refused_total", kCounter, kNone, kSum, kClientRefusedLabels, {},
     "Clients turned away or cut off, by reason."},
    {kClientRequestRefused, "godwit_client_request_refused_total", kCounter, kNone, kSum,
     kClientRequestRefusedLabels, {},
     "Topics and subscriptions that clients asked for and were refused, by shard; who is refused for "
     "want of room asks again each second. `godwit status` names them."},
    {kBuildInfo, "godwit_build_info", kGauge, kNone, kMax, kVersionRevisionLabels, {},
     "Always 1; its labels name the running version."},
    {kUptimeSeconds, "godwit_uptime_seconds", kGauge, kSeconds, kMax, {}, {},
     "Time since the process started."},
    {kWorkerTurns, "godwit_worker_turns_total", kCounter, kNone, kSum, kWorkerLabels, {},
     "Turns of each worker's loop."},
    {kWorkerBusySeconds, "godwit_worker_busy_seconds_total",
     kCounter, kSeconds, kSum, kWorkerLabels, {},
     "Time each worker did not wait. Near 1 s per s: the worker is the limit, not the link."},
    {kSeriesRefused, "godwit_series_refused_total", kCounter, kNone, kSum, {}, {},
     "Series not exported because a metric reached its bound. Not 0: too many topics or peers "
     "for one gateway's metrics."},
    {kCertificateExpirySeconds, "godwit_certificate_expiry_timestamp_seconds",
     kGauge, kTimestampSeconds, kMin, {}, {},
     "When this gateway's certificate or the authority that issued it expires, the earlier of the "
     "two; seconds since 1970. Renew it two weeks before."},
    {kCertificateRefused, "godwit_certificate_refused_total",
     kCounter, kNone, kSum, kCertificateRefusedLabels, {},
     "Handshakes refused because of the peer's certificate. The log names the peer and what it "
     "showed."},
}};
// clang-format on

constexpr bool rows_in_order() {
  std::size_t row = 0;
  for (const MetricInfo& metric : kCatalog) {
    if (static_cast<std::size_t>(metric.metric) != row++ || metric.labels.size() > kLabelsMax) {
      return false;
    }
  }
  return true;
}
static_assert(rows_in_order(), "a metric's value is its row, and it has at most kLabelsMax labels");

}  // namespace

std::span<const MetricInfo> catalog() {
  return kCatalog;
}

const MetricInfo& info(Metric metric) {
  GODWIT_ASSERT(metric < Metric::kCount);
  return kCatalog[static_cast<std::size_t>(metric)];
}

double export_scale(const MetricInfo& metric) {
  return metric.kind == Kind::kCounter && metric.unit == Unit::kSeconds ? 1e-9 : 1;
}

}  // namespace godwit::monitoring

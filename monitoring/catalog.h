// Every metric of a gateway, once, as data: name, kind, unit, labels, help.
//
// Nothing else names a metric: cells are registered by `Metric`, the collector reads this table,
// dashboards and alerts are checked against it. A label is either *fixed* (its values are listed
// here, every combination is exported from the start as 0) or *open* (a peer, a topic: its values
// appear when they are registered, bounded by kSeriesMax per metric). No label ever holds a key,
// a client or an update. The collector adds the label `site` to every sample.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace godwit::monitoring {

enum class Kind : std::uint8_t {
  kCounter,
  kGauge,
  kHistogram
};

// The unit of the exported value. Counters of seconds are counted in whole nanoseconds in their
// cells and divided on export, so that adding stays exact.
enum class Unit : std::uint8_t {
  kNone,
  kBytes,
  kSeconds,
  kBytesPerSecond,
  kRatio,
  kTimestampSeconds
};

// How values of one series from several workers become one.
enum class Join : std::uint8_t {
  kSum,
  kMax,
  kMin
};

// The order is that of the table; names of families are grouped by their part.
enum class Metric : std::uint16_t {
  // link
  kLinkUp,
  kLinkSentBytes,
  kLinkReceivedBytes,
  kLinkTransfersSent,
  kLinkTransfersResent,
  kLinkTransfersReceived,
  kLinkRttSeconds,
  kLinkRateBytes,
  kLinkHeldSeconds,
  kLinkCapBytes,
  kLinkInFlightBytes,
  kLinkReconnects,
  kLinkPath,
  kLinkPathChanges,
  kLinkClosed,
  kLinkTopicsRefused,
  kLinkLostPackets,
  kLinkProbeTimeouts,
  kLinkPacketBytes,
  kLinkBlackHoles,
  kLinkCongestionWindowBytes,
  kLinkKeyUpdates,
  // endpoint
  kEndpointDropped,
  kEndpointHandshakes,
  kEndpointAnswersWithheld,
  // port
  kPortPackets,
  kPortFrames,
  kPortTroubles,
  kPortRefused,
  kPortLinkUp,
  kPortLinkDowns,
  kPortNeighbourTroubles,
  // queue
  kQueueKeys,
  kQueuePendingEnergy,
  kQueueOldestAgeSeconds,
  kQueueDecisions,
  kQueueDeadlines,
  kQueueVisitBytes,
  // codec
  kCodecTiles,
  kCodecBytes,
  kCodecElements,
  kCodecSeconds,
  kCodecRefused,
  // topic
  kTopicPublishes,
  kTopicElements,
  kTopicRefused,
  kTopicDuplicates,
  kTopicClock,
  kTopicCoverageLag,
  kTopicResidualEnergy,
  kTopicResidualAgeSeconds,
  kTopicResidualDecay,
  kTopicMemoryBytes,
  kTopicMemoryBoundBytes,
  // ledger
  kConservationDefect,
  kLedgerMass,
  kLedgerScrubs,
  kLedgerRecoveries,
  // client
  kClientsConnected,
  kClientRingBytes,
  kClientRefused,
  kClientRequestRefused,
  // process
  kBuildInfo,
  kUptimeSeconds,
  kWorkerTurns,
  kWorkerBusySeconds,
  kSeriesRefused,
  // certificate
  kCertificateExpirySeconds,
  kCertificateRefused,
  kCount,
};
inline constexpr std::size_t kMetricCount = static_cast<std::size_t>(Metric::kCount);

// An open label has no values here.
struct LabelInfo {
  std::string_view name;
  std::span<const std::string_view> values;
  [[nodiscard]] constexpr bool open() const { return values.empty(); }
};

struct MetricInfo {
  Metric metric;
  std::string_view name;  // With the prefix godwit_, its unit and, for counters, _total.
  Kind kind;
  Unit unit;
  Join join;
  std::span<const LabelInfo> labels;
  std::span<const double> buckets;  // Upper bounds of a histogram, rising; empty otherwise.
  std::string_view help;            // What it is, and what to do when it looks wrong.
};

inline constexpr std::size_t kLabelsMax = 4;  // Per metric; the table is checked at compile time.
inline constexpr std::size_t kSeriesMax = 4096;  // Per metric and worker; beyond, see Cells.

[[nodiscard]] std::span<const MetricInfo> catalog();  // kMetricCount entries, in order.
[[nodiscard]] const MetricInfo& info(Metric metric);

// What a cell's value is multiplied by on export: 1e-9 for counters of seconds, else 1.
[[nodiscard]] double export_scale(const MetricInfo& metric);

}  // namespace godwit::monitoring

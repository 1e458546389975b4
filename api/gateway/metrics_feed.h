// Copies the gateway's own counts into the metric cells, a few times a second.
//
// The engines keep plain counters; only this file knows both them and the catalogue.
//
// Thread: the worker (the scraper reads the cells from its own).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "api/gateway/gateway.h"
#include "api/local/server.h"
#include "dataplane/port/port.h"
#include "monitoring/cells.h"

namespace godwit::gateway {

class MetricsFeed {
 public:
  static constexpr Duration kPeriod = Duration::ms(250);  // chosen: scrapes come every 1 s or more

  MetricsFeed(Gateway& gateway, monitoring::Cells& cells, Instant started)
      : gateway_(gateway), cells_(cells), started_(started) {}

  // Copies when a period has passed since the last time. `turned_away`: by the clients' door.
  void on_turn(Instant now, Duration busy, const local::TurnedAway& turned_away);
  // The port whose counts are shown; it outlives this.
  void set_port(port::Port& port) { port_ = &port; }
  // When the own certificate ends, seconds since 1970.
  void set_certificate_end(std::int64_t unix_seconds) const {
    cells_.gauge(monitoring::Metric::kCertificateExpirySeconds)
        .set(static_cast<double>(unix_seconds));
  }

 private:
  void links(Instant now);
  // Of one link; at least one.
  using Connections = std::span<const std::unique_ptr<Peer>>;
  void link(Connections connections);
  void queue(Instant now, Connections connections);
  void endpoint();
  void port_counts(Instant now);
  void topics(Instant now);
  // Shards of one topic.
  using Shard = std::map<TopicShard, std::unique_ptr<Topic>>::const_iterator;
  void topic(Instant now, const std::string& name, Shard first, Shard end);
  void progress(
      Instant now, const std::string& name, const SiteConfig& site, Shard first, Shard end);
  void clients(const local::TurnedAway& turned_away);
  void process(Instant now);
  void codec_uses(std::string_view operation, const Coder::Uses& uses);

  Gateway& gateway_;
  port::Port* port_ = nullptr;
  monitoring::Cells& cells_;
  Instant started_;
  Instant next_ = Instant::from_ns(0);
  Duration busy_ = Duration::zero();
};

}  // namespace godwit::gateway

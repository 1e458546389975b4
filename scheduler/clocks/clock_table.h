// The clock of every (topic shard, site), released only when the data it promises has been applied
// here.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "dataplane/base/ids.h"
#include "dataplane/base/topic_shard.h"

namespace godwit::scheduler {

// A site that ticks clock c when its publishes are numbered up to b says: whoever has covered b
// has seen everything of iteration c. The message may overtake the data; so it waits here:
//
//   on_tick(topic, site, c=7, b=120) ──▶ pending {7 @ 120} ──on_coverage(…, 120)──▶ clock = 7
//
// Clocks never go back. When more than kPendingTicks wait, the newest two merge: a clock is then
// released later than it could be, never earlier.
// Thread: one worker. Memory: about 1.2 KiB per (topic shard, site), allocated by declare. Time:
// O(log n).
class ClockTable {
 public:
  static constexpr std::size_t kPendingTicks = 64;  // Chosen: iterations a lane may lag behind.
  static constexpr std::size_t kSitesMax = 256;     // Per topic; chosen, far above any deployment.

  // The sites whose clocks count for a topic. Sites that are no longer listed are forgotten;
  // those that stay keep their clocks. Sites beyond kSitesMax are an assertion (configuration
  // checks).
  void declare(TopicShard topic, std::span<const SiteId> sites);
  void remove(TopicShard topic);

  // Both return true when the released clock moved. Unknown topics and sites are ignored (false).
  bool on_tick(TopicShard topic, SiteId site, std::uint64_t clock, std::uint64_t publish_number);
  bool on_coverage(TopicShard topic, SiteId site, std::uint64_t covered_number);
  // The site began a new incarnation, so its publish numbers start again: pending ticks are
  // dropped, its released clock stays.
  void on_restart(TopicShard topic, SiteId site);

  [[nodiscard]] std::uint64_t clock(TopicShard topic, SiteId site) const;   // 0 before the first.
  [[nodiscard]] std::uint64_t ticked(TopicShard topic, SiteId site) const;  // Newest heard of.
  [[nodiscard]] std::uint64_t clock_min(TopicShard topic) const;  // Over its sites; 0 without any.
  [[nodiscard]] std::size_t site_count(TopicShard topic) const;
  // Replaces `out` by the topic's sites with clock < clock_min, in the order of their ids.
  void missing(TopicShard topic, std::uint64_t clock_min, std::vector<SiteId>& out) const;

 private:
  struct Tick {
    std::uint64_t clock;
    std::uint64_t number;
  };
  struct SiteClock {
    SiteId site{SiteId(0)};
    std::uint64_t released = 0;
    std::uint64_t covered = 0;
    std::uint64_t ticked = 0;
    std::size_t first = 0;  // Ring of pending ticks, clocks and numbers both rising.
    std::size_t count = 0;
    std::array<Tick, kPendingTicks> pending{};
  };
  static bool release(SiteClock& entry);
  SiteClock* find(TopicShard topic, SiteId site);
  [[nodiscard]] const SiteClock* find(TopicShard topic, SiteId site) const;

  std::map<TopicShard, std::vector<SiteClock>> topics_;  // Each vector sorted by site.
};

}  // namespace godwit::scheduler

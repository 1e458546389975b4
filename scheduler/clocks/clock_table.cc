// Ticks wait in a small ring until their data is covered.
#include "scheduler/clocks/clock_table.h"

#include <algorithm>
#include <utility>

#include "dataplane/base/assert.h"

namespace godwit::scheduler {

void ClockTable::declare(TopicShard topic, std::span<const SiteId> sites) {
  GODWIT_ASSERT(sites.size() <= kSitesMax);
  std::vector<SiteClock>& entries = topics_[topic];
  std::vector<SiteClock> kept;
  kept.reserve(sites.size());
  for (const SiteId site : sites) {
    const SiteClock* known = find(topic, site);
    kept.push_back(known != nullptr ? *known : SiteClock{});
    kept.back().site = site;
  }
  std::sort(kept.begin(), kept.end(), [](const SiteClock& a, const SiteClock& b) {
    return a.site < b.site;
  });
  const auto twice =
      std::unique(kept.begin(), kept.end(), [](const SiteClock& a, const SiteClock& b) {
        return a.site == b.site;
      });
  kept.erase(twice, kept.end());
  entries = std::move(kept);
}

void ClockTable::remove(TopicShard topic) {
  topics_.erase(topic);
}

bool ClockTable::release(SiteClock& entry) {
  const std::uint64_t before = entry.released;
  while (entry.count > 0 && entry.pending[entry.first].number <= entry.covered) {
    entry.released = std::max(entry.released, entry.pending[entry.first].clock);
    entry.first = (entry.first + 1) % kPendingTicks;
    --entry.count;
  }
  return entry.released != before;
}

bool ClockTable::on_tick(TopicShard topic,
                         SiteId site,
                         std::uint64_t clock,
                         std::uint64_t publish_number) {
  SiteClock* entry = find(topic, site);
  if (entry == nullptr || clock <= entry->released) {
    return false;
  }
  if (entry->count > 0) {
    Tick& newest = entry->pending[(entry->first + entry->count - 1) % kPendingTicks];
    if (clock < newest.clock) {
      return false;  // A repeated message; the newer tick says more.
    }
    // A clock that is heard again, or whose ring is full, joins the newest tick.
    if (clock == newest.clock || entry->count == kPendingTicks) {
      newest.clock = clock;
      newest.number = std::max(newest.number, publish_number);
      entry->ticked = std::max(entry->ticked, clock);
      return release(*entry);
    }
    publish_number = std::max(publish_number, newest.number);
  }
  entry->pending[(entry->first + entry->count) % kPendingTicks] = {clock, publish_number};
  ++entry->count;
  entry->ticked = std::max(entry->ticked, clock);
  return release(*entry);
}

bool ClockTable::on_coverage(TopicShard topic, SiteId site, std::uint64_t covered_number) {
  SiteClock* entry = find(topic, site);
  if (entry == nullptr || covered_number <= entry->covered) {
    return false;
  }
  entry->covered = covered_number;
  return release(*entry);
}

void ClockTable::on_restart(TopicShard topic, SiteId site) {
  SiteClock* entry = find(topic, site);
  if (entry != nullptr) {
    entry->covered = 0;
    entry->count = 0;
    entry->first = 0;
    entry->ticked = entry->released;
  }
}

ClockTable::SiteClock* ClockTable::find(TopicShard topic, SiteId site) {
  return const_cast<SiteClock*>(std::as_const(*this).find(topic, site));
}

const ClockTable::SiteClock* ClockTable::find(TopicShard topic, SiteId site) const {
  const auto found = topics_.find(topic);
  if (found == topics_.end()) {
    return nullptr;
  }
  const auto at = std::lower_bound(
      found->second.begin(), found->second.end(), site, [](const SiteClock& a, SiteId b) {
        return a.site < b;
      });
  return at != found->second.end() && at->site == site ? &*at : nullptr;
}

std::uint64_t ClockTable::clock(TopicShard topic, SiteId site) const {
  const SiteClock* entry = find(topic, site);
  return entry != nullptr ? entry->released : 0;
}

std::uint64_t ClockTable::ticked(TopicShard topic, SiteId site) const {
  const SiteClock* entry = find(topic, site);
  return entry != nullptr ? entry->ticked : 0;
}

std::uint64_t ClockTable::clock_min(TopicShard topic) const {
  const auto found = topics_.find(topic);
  if (found == topics_.end() || found->second.empty()) {
    return 0;
  }
  std::uint64_t least = found->second.front().released;
  for (const SiteClock& entry : found->second) {
    least = std::min(least, entry.released);
  }
  return least;
}

std::size_t ClockTable::site_count(TopicShard topic) const {
  const auto found = topics_.find(topic);
  return found != topics_.end() ? found->second.size() : 0;
}

void ClockTable::missing(TopicShard topic,
                         std::uint64_t clock_min,
                         std::vector<SiteId>& out) const {
  out.clear();
  const auto found = topics_.find(topic);
  if (found == topics_.end()) {
    return;
  }
  for (const SiteClock& entry : found->second) {
    if (entry.released < clock_min) {
      out.push_back(entry.site);
    }
  }
}

}  // namespace godwit::scheduler

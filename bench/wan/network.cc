#include "bench/wan/network.h"

#include <algorithm>
#include <utility>

#include "dataplane/base/assert.h"

namespace godwit::wan {

Network::Network(Plan plan, std::uint64_t seed) : plan_(std::move(plan)), seed_(seed) {
  build();
}

void Network::build() {
  const std::size_t sites = site_count();
  GODWIT_ASSERT(sites <= kSitesMax && plan_.links.size() == sites * sites);
  GODWIT_ASSERT(plan_.uplinks.size() == sites && plan_.downlinks.size() == sites);
  pool_ = FramePool();
  links_.clear();
  uplinks_.clear();
  downlinks_.clear();
  for (std::size_t i = 0; i < sites * sites; ++i) {
    links_.emplace_back(plan_.links[i], seed_ * (kSitesMax * kSitesMax) + i);
  }
  for (std::size_t i = 0; i < sites; ++i) {
    const auto& up = plan_.uplinks[i];
    const auto& down = plan_.downlinks[i];
    uplinks_.push_back(up ? std::optional(Serialiser(*up)) : std::nullopt);
    downlinks_.push_back(down ? std::optional(Downlink{Serialiser(*down), {}}) : std::nullopt);
  }
  scheduled_.assign(sites * sites + sites, Instant::never());
  events_ = {};
}

Outcome Network::offer(Instant now,
                       SiteIndex from,
                       SiteIndex to,
                       std::span<const std::byte> frame) {
  GODWIT_ASSERT(from != to && frame.size() >= kEthernetHeaderBytes);
  GODWIT_ASSERT(frame.size() <= kFrameBytesMax);
  const auto size = static_cast<std::uint32_t>(frame.size() - kEthernetHeaderBytes);
  const auto source = static_cast<std::uint32_t>(index(from) * site_count() + index(to));
  Link& link = links_[source];
  link.count_in(size);
  if (link.is_cut()) {
    link.drop(Outcome::kDroppedCut, size);
    return Outcome::kDroppedCut;
  }
  const auto slot = pool_.take();
  if (!slot) {
    link.drop(Outcome::kDroppedQueue, size);
    return Outcome::kDroppedQueue;
  }
  auto& uplink = uplinks_[index(from)];
  const auto reaches_link = uplink ? uplink->offer(now, Bytes(size)) : std::optional(now);
  Outcome outcome = Outcome::kDroppedQueue;
  if (reaches_link) {
    outcome = link.queue(*reaches_link, *slot, size);
  } else {
    link.drop(Outcome::kDroppedQueue, size);
  }
  if (outcome != Outcome::kHeld) {
    pool_.give_back(*slot);
    return outcome;
  }
  std::copy(frame.begin(), frame.end(), pool_.bytes(*slot).begin());
  schedule(source);
  return outcome;
}

Instant Network::due_of(std::uint32_t source) const {
  if (source < links_.size()) {
    return links_[source].next_due();
  }
  const auto& downlink = downlinks_[source - links_.size()];
  return !downlink || downlink->waiting.empty() ? Instant::never()
                                                : downlink->waiting.front().parcel.due;
}

// Makes the heap tell the truth about one source; entries that no longer do are skipped when they
// come up.
void Network::schedule(std::uint32_t source) {
  const Instant due = due_of(source);
  if (due == scheduled_[source]) {
    return;
  }
  scheduled_[source] = due;
  if (due != Instant::never()) {
    events_.emplace(due, source);
  }
}

Instant Network::next_wakeup() const {
  return events_.empty() ? Instant::never() : events_.top().first;
}

std::optional<Delivery> Network::next_delivery(Instant now) {
  while (!events_.empty() && events_.top().first <= now) {
    const auto [due, source] = events_.top();
    events_.pop();
    if (scheduled_[source] != due) {
      continue;
    }
    scheduled_[source] = Instant::never();
    if (source >= links_.size()) {
      return take_from_downlink(now, source - links_.size());
    }
    if (auto delivery = take_from_link(now, source)) {
      return delivery;
    }
  }
  return std::nullopt;
}

// Nothing is delivered when the packet joins a downlink or finds its queue full.
std::optional<Delivery> Network::take_from_link(Instant now, std::uint32_t source) {
  Parcel parcel = links_[source].pop();
  schedule(source);
  const std::size_t to = source % site_count();
  auto& downlink = downlinks_[to];
  if (!downlink) {
    return deliver(now, source, parcel);
  }
  const auto departs = downlink->line.offer(parcel.due, Bytes(parcel.size));
  if (!departs) {
    links_[source].drop_held(Outcome::kDroppedQueue, parcel.size);
    pool_.give_back(parcel.frame);
    return std::nullopt;
  }
  parcel.due = *departs;
  downlink->waiting.push_back(Waiting{source, parcel});
  schedule(static_cast<std::uint32_t>(links_.size() + to));
  return std::nullopt;
}

Delivery Network::take_from_downlink(Instant now, std::size_t site) {
  Downlink& downlink = *downlinks_[site];
  const Waiting next = downlink.waiting.front();
  downlink.waiting.pop_front();
  schedule(static_cast<std::uint32_t>(links_.size() + site));
  return deliver(now, next.link, next.parcel);
}

Delivery Network::deliver(Instant now, std::uint32_t source, const Parcel& parcel) {
  links_[source].delivered(parcel.size, now - parcel.due);
  pool_.give_back(parcel.frame);
  const auto to = static_cast<SiteIndex>(source % site_count());
  return Delivery{to, pool_.bytes(parcel.frame).first(parcel.size + kEthernetHeaderBytes)};
}

Duration Network::delay_min() const {
  Duration least = Duration::max();
  for (std::size_t i = 0; i < links_.size(); ++i) {
    const bool diagonal = i / site_count() == i % site_count();
    least = diagonal ? least : std::min(least, links_[i].settings().delay);
  }
  return least;
}

void Network::cut(std::size_t from, std::size_t to) {
  const auto source = static_cast<std::uint32_t>(from * site_count() + to);
  std::vector<std::uint32_t> released;
  links_[source].cut(released);
  for (const std::uint32_t frame : released) {
    pool_.give_back(frame);
  }
  schedule(source);
}

void Network::change(Instant now, std::size_t from, std::size_t to, const LinkSettings& settings) {
  at(from, to).change(now, settings);
  schedule(static_cast<std::uint32_t>(from * site_count() + to));
}

void Network::reset_counters() {
  for (Link& link : links_) {
    link.reset_counters();
  }
}

void Network::reconfigure(const Plan& plan) {
  GODWIT_ASSERT(plan.sites.size() == plan_.sites.size());
  std::vector<std::string> names = plan_.sites;
  plan_ = plan;
  plan_.sites = std::move(names);
  build();
}

}  // namespace godwit::wan

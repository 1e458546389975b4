// The whole WAN without I/O: links between all pairs of sites, and the lines that a site's pairs
// share.
//
//   offer(from, to) ─▶ [uplink of from] ─▶ link from→to ─▶ [downlink of to] ─▶ next_delivery
//
// Every packet of a site passes its uplink (if it has one) in the order of offering, then its own
// link, and joins the others at the receiver's downlink when it is due there.
//
// Thread: one owner. Memory: frames live in a FramePool of this object.
// Time: `now` never goes backwards; a late call gives the same due times as a punctual one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <queue>
#include <span>
#include <utility>
#include <vector>

#include "bench/wan/frame_pool.h"
#include "bench/wan/link.h"
#include "bench/wan/plan.h"
#include "dataplane/base/units.h"

namespace godwit::wan {

// The bytes of an Ethernet header, which rates and counters leave out.
inline constexpr std::size_t kEthernetHeaderBytes = 14;

struct Delivery {
  SiteIndex to{};
  std::span<const std::byte> frame;  // valid until the next call of `offer`
};

class Network {
 public:
  // Each link draws its losses from its own generator, seeded from `seed` and its position.
  Network(Plan plan, std::uint64_t seed);

  const Plan& plan() const { return plan_; }
  std::size_t site_count() const { return plan_.sites.size(); }
  const Link& link(std::size_t from, std::size_t to) const {
    return links_[from * site_count() + to];
  }

  // An Ethernet frame leaves `from` for another site `to`. Longer than kFrameBytesMax or shorter
  // than its header is an assertion.
  Outcome offer(Instant now, SiteIndex from, SiteIndex to, std::span<const std::byte> frame);

  // The next frame due at or before `now`, in order of its due time.
  std::optional<Delivery> next_delivery(Instant now);

  // When something is due next; Instant::never() when the WAN is empty.
  Instant next_wakeup() const;

  // The least delay of a link.
  Duration delay_min() const;

  void cut(std::size_t from, std::size_t to);
  void heal(std::size_t from, std::size_t to) { at(from, to).heal(); }
  void change(Instant now, std::size_t from, std::size_t to, const LinkSettings& settings);
  void reset_counters();

  // Other lines between the same sites: what is on its way is thrown away, cut links are healed,
  // counters start at zero. The plan must have as many sites; their names stay.
  void reconfigure(const Plan& plan);

 private:
  // Where a packet waits at a shared downlink, and whose it is.
  struct Waiting {
    std::uint32_t link = 0;
    Parcel parcel;
  };
  struct Downlink {
    Serialiser line;
    std::deque<Waiting> waiting;
  };
  // Source s < site_count² is a link, the rest are downlinks. An entry of the heap counts only
  // while it equals scheduled_[source].
  using Event = std::pair<Instant, std::uint32_t>;

  Link& at(std::size_t from, std::size_t to) { return links_[from * site_count() + to]; }
  Instant due_of(std::uint32_t source) const;
  void schedule(std::uint32_t source);
  std::optional<Delivery> take_from_link(Instant now, std::uint32_t source);
  Delivery take_from_downlink(Instant now, std::size_t site);
  Delivery deliver(Instant now, std::uint32_t source, const Parcel& parcel);
  void build();

  Plan plan_;
  std::uint64_t seed_;
  FramePool pool_;
  std::vector<Link> links_;
  std::vector<std::optional<Serialiser>> uplinks_;
  std::vector<std::optional<Downlink>> downlinks_;
  std::vector<Instant> scheduled_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
};

}  // namespace godwit::wan

// What a link has promised to deliver by when, and whether one promise more can be kept.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "dataplane/base/units.h"

namespace godwit::scheduler {

// Promises that can all be kept at a rate: for every deadline d,
//
//     sum of what is left of those due by d  ≤  rate · (d − now)
//
// which is necessary and sufficient when the earliest is served first (EDF; Liu and Layland 1973,
// processor demand of Baruah et al. 1990), a quantum and rounding to bytes aside. The rate is the
// caller's lowest estimate of what the link gives to them (DESIGN §5: 0.6 of the planning rate).
//
// A promise is never revoked: when the rate falls some may be broken, and what comes is promised
// behind all that is left of them. Times must not go backwards; an earlier `now` counts as the
// latest.
//
// Thread: one worker. Memory: 64 B a promise, allocated by the constructor. Time: O(log n) but for
// set_rate, which is O(n).
class Commitments {
 public:
  using Id = std::uint32_t;

  // At most `most` at a time.
  Commitments(Instant now, BitRate rate, std::size_t most);

  void set_rate(Instant now, BitRate rate);
  [[nodiscard]] BitRate rate() const { return rate_; }

  // Promises `bytes` (at least 1) by `deadline`; nullopt when that or an earlier promise could then
  // not be kept, or all places are taken.
  std::optional<Id> commit(Instant now, Bytes bytes, Instant deadline);

  // What could be promised instead.
  struct Quote {
    Bytes most;        // By the deadline asked for; 0 is nothing.
    Instant earliest;  // For the bytes asked for; never() when the rate is 0.
  };
  [[nodiscard]] Quote quote(Instant now, Bytes bytes, Instant deadline) const;

  struct Due {
    Id id = 0;
    Bytes left;
    Instant deadline;
  };
  // The earliest; nullopt when nothing is promised.
  [[nodiscard]] std::optional<Due> next() const;
  // So much of it is on the way; with nothing left it is gone. Unknown ids are ignored.
  void on_sent(Id id, Bytes bytes);
  // Nobody wants it any more. Unknown ids are ignored.
  void release(Id id);
  // Takes out one that was not complete by its deadline, the earliest; nullopt when there is none.
  std::optional<Due> take_broken(Instant now);

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] Bytes left() const;

 private:
  using Place = std::uint32_t;
  static constexpr Place kNowhere = UINT32_MAX;

  // A treap by deadline, then by age: heights are O(log n) for any order of arrival.
  struct Node {
    Instant deadline;
    std::int64_t left = 0;   // Bytes.
    std::int64_t sum = 0;    // Of `left` in this subtree.
    std::int64_t slack = 0;  // The least of capacity(deadline) − bytes due by it, in this subtree.
    std::uint64_t order = 0;
    Place before = kNowhere;
    Place after = kNowhere;
    std::uint32_t priority = 0;
    bool is_used = false;
  };
  struct Pair {
    Place before;
    Place after;
  };

  void advance(Instant now) { now_ = now > now_ ? now : now_; }
  // Bytes that the rate carries from the origin until then, and has at least had time for by now.
  [[nodiscard]] std::int64_t capacity(Instant until) const;
  [[nodiscard]] std::int64_t elapsed(Instant now) const;
  [[nodiscard]] std::int64_t room(Instant now, Instant deadline) const;
  [[nodiscard]] std::int64_t sum_of(Place place) const;
  [[nodiscard]] std::int64_t slack_of(Place place) const;
  [[nodiscard]] bool is_before(const Node& a, const Node& b) const;
  void update(Place place);
  void update_all(Place place);
  Pair split(Place place, const Node& at);
  Place join(Place before, Place after);
  void erase(Place place);
  void reduce(Place at, const Node& target, std::int64_t bytes);
  [[nodiscard]] Due due(Place place) const;

  BitRate rate_;
  Instant origin_;  // Of capacities.
  Instant now_;
  std::vector<Node> nodes_;
  std::vector<Place> free_;
  Place root_ = kNowhere;
  std::size_t size_ = 0;
  std::uint64_t order_ = 0;
};

}  // namespace godwit::scheduler

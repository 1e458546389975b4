// Which tile a link sends next, and how many bytes it may take: one queue per peer site.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "dataplane/base/units.h"
#include "scheduler/policy/depth_planner.h"
#include "scheduler/policy/significance_index.h"
#include "scheduler/policy/sweep_demand.h"
#include "scheduler/queue/bucket_queue.h"
#include "scheduler/queue/deadline_heap.h"
#include "scheduler/queue/key.h"
#include "scheduler/queue/key_table.h"
#include "scheduler/queue/residual.h"
#include "scheduler/queue/slot_list.h"

namespace godwit::scheduler {

// What one merge brought to one tile.
struct KeyUpdate {
  double energy = 0;           // Sum of squares that the merge added; unit is the caller's.
  bool is_whole = false;       // It was measured: all that is pending, not what a merge added.
  std::uint32_t elements = 0;  // Elements of the tile, which bound its coded size.
  Class traffic_class = Class::kNormal;  // A key keeps the most urgent class until it is sent.
  Instant deadline = Instant::never();   // The earlier one is kept until the visit is complete.
  std::uint32_t tenant = 0;              // Kept for shares between tenants; all are equal today.
};

// The link as the caller sees it at the moment of the decision.
struct LinkView {
  BitRate rate;   // What the link can take: min(cap, estimate).
  Bytes quantum;  // The most bytes that one choice may take (room in the transfer being built).
  Duration delay = Duration::zero();  // One way; what is sent now arrives that much later.
  Class least = Class::kBulk;         // The least urgent class that may be chosen now.
};

// Why a key was chosen; the order is that of the metric's label values.
enum class Reason : std::uint8_t {
  kDeadline,      // Its latest start is within reach; earliest deadline first.
  kAge,           // It waited longer than the age cap.
  kSignificance,  // Most significance per byte among keys that changed since their last visit.
  kDeepen,        // Nothing new is pending in its class; what coarser visits left is refined:
                  // the second part of a budget at once, more than that after one interval, and
                  // then all that is left, for as long as nothing new comes.
};
inline constexpr std::size_t kReasonCount = 4;

struct Choice {
  Key key;
  Bytes budget;  // In [1, quantum]; the encoder may use less.
  Reason reason = Reason::kDeadline;
  // The earliest of what the visit takes, also when it has passed; never() is none.
  Instant deadline = Instant::never();
};

struct LaneOptions {
  double weight = 1;                 // Worth of one unit of energy of this lane, > 0.
  double tolerance_per_element = 0;  // A key leaves when energy_left <= this times its elements.
};

// Usage: on_merge for every tile a publish touched; while the link has room: next → encode and
// freeze → on_sent. next changes nothing a caller can see: asked again it gives the same choice,
// until on_sent or on_merge. Times must not go backwards; an earlier `now` counts as the latest.
//
// Order: class strictly (urgent, normal, bulk); inside a class keys whose deadline is near, else
// the largest index (significance_index.h), first among changed keys, then among visited ones.
// Every fourth visit at most may go to the oldest key beyond the age cap, whatever its class.
//
// Thread: one worker. Memory: about 140 B per key touched since its lane was added; nothing is
// allocated once every key has been seen. Time: O(1) per merge and decision, O(log n) with
// deadlines.
class LinkQueue {
 public:
  struct Options {
    Duration age_cap = Duration::ms(2000);  // Chosen: a stale tile is at most one slow sweep old.
    DepthPlanner::Options depth;
  };
  LinkQueue() : LinkQueue(Options{}) {}
  explicit LinkQueue(const Options& options);

  // Sets weight and tolerance of a lane; a lane first seen by on_merge has the defaults.
  void configure_lane(std::uint32_t lane, const LaneOptions& options);
  // Forgets the lane and all its keys.
  void remove_lane(std::uint32_t lane);
  // A blocked lane (its window is full) is never chosen, but goes on merging.
  void set_blocked(Instant now, std::uint32_t lane, bool blocked);
  // Somebody waits until everything of a draining lane is sent: visits are as deep as the quantum
  // allows and what they leave is pending again at once.
  void set_draining(Instant now, std::uint32_t lane, bool draining);

  // Energies add up, but for a measured one; the earlier deadline and the more urgent class are
  // kept.
  void on_merge(Instant now, Key key, const KeyUpdate& update);
  // The key was encoded and frozen: `energy_left` is exact, `bytes` what was coded. bytes = 0 with
  // energy_left = 0 says that there was nothing to send. Unknown keys are ignored.
  void on_sent(Instant now, Key key, double energy_left, Bytes bytes);
  // Encoding one tile took this long; the planner does not go shallower than this can follow.
  void on_encoded(Duration spent) { planner_.on_encoded(spent); }

  std::optional<Choice> next(Instant now, const LinkView& link);
  // When next() may give a key without a new event; never() when only an event can.
  [[nodiscard]] Instant next_wakeup() const;

  struct Stats {
    std::uint64_t decisions[kReasonCount] = {};  // Visits (on_sent) by the reason of their choice.
    std::uint64_t merges = 0;
    std::uint64_t deadlines_met = 0;      // Visits completed so that they arrive by their deadline.
    std::uint64_t deadlines_expired = 0;  // Deadlines that passed; the change itself stays pending.
    std::uint64_t bytes = 0;              // Coded bytes of all visits.
  };
  [[nodiscard]] const Stats& stats() const { return stats_; }
  [[nodiscard]] std::size_t pending_keys() const { return pending_keys_; }
  [[nodiscard]] double pending_energy() const;  // Sum over pending keys; exact when drained.
  [[nodiscard]] Duration oldest_age(Instant now) const;  // Zero when nothing is pending.
  [[nodiscard]] std::optional<double> pending_energy(Key key) const;  // Of one key, for `explain`.
  [[nodiscard]] Residual residual(Instant now, std::uint32_t lane) const;  // Nothing if unknown.

 private:
  enum class Place : std::uint8_t {
    kNone,
    kFresh,
    kDeepen,
    kHeld,
    kParked
  };
  struct KeyState {
    Key key;
    std::uint32_t lane_index = 0;
    std::uint32_t elements = 0;
    std::uint32_t tenant = 0;
    std::uint32_t epoch = 0;  // Of the lane's sweep demand, at the last merge.
    std::uint32_t bucket = 0;
    std::uint8_t hold = 0;
    Place place = Place::kNone;
    Class traffic_class = Class::kBulk;
    bool merged = false;  // At least once, so that last_merge means something.
    bool pending = false;
    bool fresh = false;       // Changed since its last complete visit.
    bool unfinished = false;  // A visit goes on: its second part, or what the quantum cut off.
    bool resting = false;     // Nothing was merged for an interval after its last visit.
    bool aging = false;       // In the age list of age_class.
    Class age_class = Class::kBulk;
    bool idle_visit = false;  // Its last visit made no bytes.
    double energy = 0;
    double born = 0;  // When its energy was merged, the mean over it: see ResidualTracker.
    MergeStatistics statistics;
    Instant last_merge;
    Instant waiting_since;
    Instant held_until;
    Instant deadline = Instant::never();  // The earliest that has not passed.
    Instant missed = Instant::never();    // The earliest that passed while it was pending.
    double coded_bytes = 0;               // Average of its visits; 0 before the first.
    std::uint64_t visit_bytes = 0;        // Sent since the last merge.
  };
  struct Lane {
    std::uint32_t id = 0;
    bool used = false;
    bool blocked = false;
    bool draining = false;
    LaneOptions options;
    SweepDemand demand;
    ResidualTracker residual;
    std::uint64_t pending = 0;
    Instant blocked_since;
    SlotList keys;    // All keys of the lane (lane_links_).
    SlotList parked;  // Those found while it was blocked (rank_links_).
  };
  struct LastChoice {
    Slot slot = kNoSlot;
    Reason reason = Reason::kSignificance;
    Bytes plan;   // Bytes since the last merge with which this visit is complete.
    Bytes whole;  // The key's budget, first and second part.
  };
  static constexpr std::size_t kHoldCount = 9;  // 10 ms · 2^k; the last covers kIntervalMax.
  static constexpr std::uint32_t kAgeTurn = 4;  // Chosen: starving keys get 1/4 of the visits.

  void advance(Instant now) { now_ = now > now_ ? now : now_; }
  Slot add(Key key);
  std::uint32_t lane_index(std::uint32_t lane);
  void unrank(Slot slot);  // From its place and from the deadlines.
  void unage(Slot slot);
  void place(Slot slot);  // Where a pending key belongs now.
  void park(Slot slot);   // It was met at a head although its lane is blocked.
  void rank_into(Slot slot, Place where);
  void settle(Slot slot);  // Nothing of it is pending any more.
  // `by_merge`: what is more was merged now; else what is less has left.
  void set_energy(KeyState& state, double energy, bool by_merge);
  void miss_deadline(KeyState& state, Instant deadline);
  void finish_deadline(KeyState& state);
  [[nodiscard]] std::uint32_t rank(const KeyState& state) const;
  void release_held();
  void refresh_demand();
  std::optional<Slot> choose(Reason& reason, const LinkView& link);
  std::optional<Slot> starving(Class least);
  std::optional<Slot> near_deadline(std::size_t traffic_class, const LinkView& link);
  std::optional<Slot> top(const BucketQueue& queue);
  [[nodiscard]] Bytes plan(const KeyState& state, const LinkView& link) const;

  Options options_;
  DepthPlanner planner_;
  Instant now_ = Instant::from_ns(0);
  KeyTable table_;
  std::vector<KeyState> states_;
  std::vector<Slot> free_slots_;
  std::vector<Lane> lanes_;
  std::vector<std::uint32_t> free_lanes_;
  KeyTable lane_ids_;     // {lane, 0} to the index in lanes_.
  SlotLinks rank_links_;  // Bucket, hold list or parked list: exactly one of them.
  SlotLinks age_links_;
  SlotLinks lane_links_;
  std::vector<BucketQueue> fresh_;
  std::vector<BucketQueue> deepen_;
  std::vector<DeadlineHeap> deadlines_;
  SlotList held_[kHoldCount];
  SlotList ages_[kClassCount];  // By the class that a key had when it was put there; oldest first.
  LastChoice last_;
  Duration delay_ = Duration::zero();  // Of the link, as next() was told last.
  std::uint32_t since_age_turn_ = kAgeTurn;
  double demand_ = 0;  // Visits per second of all lanes, as of demand_at_.
  Instant demand_at_ = Instant::from_ns(0);
  std::size_t demand_keys_ = 0;
  double visit_bytes_typical_;  // What a key without history is expected to take.
  std::size_t pending_keys_ = 0;
  double energy_sum_ = 0;
  Stats stats_;
};

}  // namespace godwit::scheduler

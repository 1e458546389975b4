// The choice: deadlines within reach, then significance, with a turn for the starving.
#include <algorithm>

#include "scheduler/queue/link_queue.h"

namespace godwit::scheduler {

namespace {

// Deadlines are reckoned at 0.6 of the rate, as commitments are (DESIGN §5), plus one transfer.
constexpr std::int64_t kReachNumerator = 5;
constexpr std::int64_t kReachDenominator = 3;
constexpr Duration kReachMargin = Duration::ms(10);
constexpr Duration kReachMax = Duration::seconds(3600);
constexpr Bytes kRestMin = Bytes(256);                // Chosen: as the planner's least visit.
constexpr Duration kDemandPeriod = Duration::ms(10);  // Chosen: how old the demand may be.

}  // namespace

void LinkQueue::release_held() {
  for (SlotList& list : held_) {
    while (!list.empty() && states_[list.first()].held_until <= now_) {
      const Slot slot = list.first();
      list.remove(rank_links_, slot);
      states_[slot].idle_visit = false;
      states_[slot].resting = true;
      states_[slot].visit_bytes = 0;  // The next visit is a new one.
      rank_into(slot, Place::kDeepen);
    }
  }
}

void LinkQueue::park(Slot slot) {
  unrank(slot);
  place(slot);
}

std::optional<Slot> LinkQueue::top(const BucketQueue& queue) {
  for (Slot slot = queue.top(); slot != kNoSlot; slot = queue.top()) {
    if (!lanes_[states_[slot].lane_index].blocked) {
      return slot;
    }
    park(slot);
  }
  return std::nullopt;
}

std::optional<Slot> LinkQueue::starving(Class least) {
  std::optional<Slot> oldest;
  for (std::size_t traffic_class = 0; traffic_class <= static_cast<std::size_t>(least);
       ++traffic_class) {
    const SlotList& ages = ages_[traffic_class];
    while (!ages.empty() && lanes_[states_[ages.first()].lane_index].blocked) {
      park(ages.first());
    }
    const auto since = [this](Slot slot) { return states_[slot].waiting_since; };
    if (!ages.empty() && (!oldest || since(ages.first()) < since(*oldest))) {
      oldest = ages.first();
    }
  }
  const bool is_starving = oldest && now_ - states_[*oldest].waiting_since >= options_.age_cap;
  return is_starving ? oldest : std::nullopt;
}

// All keys of the class that have a deadline are counted in front of the earliest one, so the
// start is at most earlier than the latest start that keeps every deadline, never later.
std::optional<Slot> LinkQueue::near_deadline(std::size_t traffic_class, const LinkView& link) {
  DeadlineHeap& heap = deadlines_[traffic_class];
  while (!heap.empty()) {
    const Slot slot = heap.top();
    KeyState& state = states_[slot];
    if (lanes_[state.lane_index].blocked) {
      park(slot);
      continue;
    }
    if (state.deadline < now_) {
      heap.remove(slot);
      miss_deadline(state, state.deadline);
      state.deadline = Instant::never();
      continue;
    }
    const Bytes ahead(plan(state, link).count() * heap.size());
    const Duration sending = std::min(kReachMax, link.rate.time_for(ahead));
    const Duration reach = sending * kReachNumerator / kReachDenominator + kReachMargin;
    return now_ + reach + link.delay >= state.deadline ? std::optional(slot) : std::nullopt;
  }
  return std::nullopt;
}

std::optional<Slot> LinkQueue::choose(Reason& reason, const LinkView& link) {
  if (since_age_turn_ >= kAgeTurn) {
    if (const auto slot = starving(link.least)) {
      reason = Reason::kAge;
      return slot;
    }
  }
  for (std::size_t traffic_class = 0; traffic_class <= static_cast<std::size_t>(link.least);
       ++traffic_class) {
    if (const auto slot = near_deadline(traffic_class, link)) {
      reason = Reason::kDeadline;
      return slot;
    }
    if (const auto slot = top(fresh_[traffic_class])) {
      reason = Reason::kSignificance;
      return slot;
    }
    if (const auto slot = top(deepen_[traffic_class])) {
      reason = Reason::kDeepen;
      return slot;
    }
  }
  return std::nullopt;
}

std::optional<Choice> LinkQueue::next(Instant now, const LinkView& link) {
  advance(now);
  delay_ = link.delay;
  if (link.quantum == Bytes(0)) {
    return std::nullopt;
  }
  release_held();
  refresh_demand();
  Reason reason = Reason::kSignificance;
  const auto slot = choose(reason, link);
  if (!slot) {
    return std::nullopt;
  }
  const KeyState& state = states_[*slot];
  const Bytes whole = plan(state, link);
  // What has a deadline is not spread over two visits: the second could come too late.
  const bool in_parts =
      state.fresh && state.deadline == Instant::never() && !lanes_[state.lane_index].draining;
  const Bytes planned = in_parts ? planner_.first_part(link.rate, demand_, whole) : whole;
  // A visit that the quantum cut goes on where it stopped, a second part where the first did.
  const bool goes_on = state.fresh || state.unfinished;
  const Bytes rest = std::max(planned - Bytes(state.visit_bytes), kRestMin);
  last_ = {*slot, reason, planned, whole};
  return Choice{.key = state.key,
                .budget = std::min(goes_on ? rest : planned, link.quantum),
                .reason = reason,
                .deadline = std::min(state.deadline, state.missed)};
}

Bytes LinkQueue::plan(const KeyState& state, const LinkView& link) const {
  if (lanes_[state.lane_index].draining) {
    return DepthPlanner::raw_size(state.elements);
  }
  // What has a deadline is wanted by then, not an update later.
  const bool changing =
      !state.resting && state.statistics.knows_interval() && state.deadline == Instant::never();
  return planner_.plan(link.rate, demand_, state.elements, changing);
}

void LinkQueue::refresh_demand() {
  const bool grown = pending_keys_ > demand_keys_ + demand_keys_ / 8;
  if (now_ - demand_at_ < kDemandPeriod && !grown) {
    return;
  }
  demand_ = 0;
  for (const Lane& lane : lanes_) {
    if (lane.used && !lane.blocked) {
      demand_ += lane.demand.visits_per_second(now_, lane.pending);
    }
  }
  demand_at_ = now_;
  demand_keys_ = pending_keys_;
}

Instant LinkQueue::next_wakeup() const {
  Instant earliest = Instant::never();
  for (const SlotList& list : held_) {
    if (!list.empty()) {
      earliest = std::min(earliest, states_[list.first()].held_until);
    }
  }
  return earliest;
}

double LinkQueue::pending_energy() const {
  return std::max(0.0, energy_sum_);
}

std::optional<double> LinkQueue::pending_energy(Key key) const {
  const Slot slot = table_.find(key);
  return slot != kNoSlot && states_[slot].pending ? std::optional(states_[slot].energy)
                                                  : std::nullopt;
}

Residual LinkQueue::residual(Instant now, std::uint32_t lane) const {
  const Slot index = lane_ids_.find({lane, 0});
  return index == kNoSlot ? Residual{} : lanes_[index].residual.at(now);
}

Duration LinkQueue::oldest_age(Instant now) const {
  Instant oldest = now;
  for (const SlotList& ages : ages_) {
    oldest = ages.empty() ? oldest : std::min(oldest, states_[ages.first()].waiting_since);
  }
  for (const Lane& lane : lanes_) {
    if (lane.used && lane.blocked && lane.pending > 0) {
      oldest = std::min(oldest, lane.blocked_since);
    }
  }
  return std::max(Duration::zero(), now - oldest);
}

}  // namespace godwit::scheduler

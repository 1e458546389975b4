// Merges, visits and the order of choice of one link.
#include "scheduler/queue/link_queue.h"

#include <algorithm>
#include <cmath>

#include "dataplane/base/assert.h"

namespace godwit::scheduler {

namespace {

constexpr double kEnergyMax = 0x1p240;       // Above 2^15 elements of (2^62)²; keeps sums finite.
constexpr double kCodedBytesGain = 1.0 / 4;  // Chosen: a tile's size follows its last few visits.
constexpr double kSecondPassCost = 1.1;      // Measured: another pass costs 10 % more bytes.
constexpr double kVisitBytesInitial = 4096;  // Chosen: 1 bit per element of a full tile.
constexpr Duration kHoldMin = Duration::ms(10);  // The least update interval there is.
// A visit within 1/8 of its budget is complete: an encoder stops at the end of a segment.
constexpr std::uint64_t kCompleteNumerator = 7;
constexpr std::uint64_t kCompleteDenominator = 8;

double clean(double energy) {
  return energy > 0 ? std::min(energy, kEnergyMax) : 0;  // NaN counts as nothing.
}

}  // namespace

LinkQueue::LinkQueue(const Options& options)
    : options_(options),
      planner_(options.depth),
      fresh_(kClassCount),
      deepen_(kClassCount),
      deadlines_(kClassCount),
      visit_bytes_typical_(kVisitBytesInitial) {
  GODWIT_ASSERT(options.age_cap > Duration::zero());
}

void LinkQueue::on_merge(Instant now, Key key, const KeyUpdate& update) {
  advance(now);
  const double energy = clean(update.energy);
  Slot slot = table_.find(key);
  if (energy <= 0 && (slot == kNoSlot || !states_[slot].pending)) {
    return;  // Nothing changed, nothing is pending.
  }
  if (slot == kNoSlot) {
    slot = add(key);
  }
  KeyState& state = states_[slot];
  Lane& lane = lanes_[state.lane_index];
  ++stats_.merges;
  unrank(slot);

  const Duration gap = state.merged ? now_ - state.last_merge : Duration::zero();
  const bool new_update = gap >= SweepDemand::kSameUpdate;
  state.epoch = lane.demand.on_merge(now_, gap, state.epoch);
  state.statistics.on_merge(energy, new_update ? gap.to_seconds() : 0);
  if (new_update || !state.merged) {
    state.last_merge = now_;
    state.merged = true;
  }
  if (!state.pending) {
    state.pending = true;
    state.waiting_since = now_;
    state.traffic_class = update.traffic_class;
    ++pending_keys_;
    ++lane.pending;
  }
  state.traffic_class = std::min(state.traffic_class, update.traffic_class);
  state.elements = update.elements;
  state.tenant = update.tenant;
  const double pending = update.is_whole ? energy : clean(state.energy + energy);
  set_energy(state, pending, pending >= state.energy);
  state.fresh = true;
  state.unfinished = false;
  state.resting = false;
  state.visit_bytes = 0;
  if (update.deadline < now_) {
    miss_deadline(state, update.deadline);
  } else {
    state.deadline = std::min(state.deadline, update.deadline);
  }
  place(slot);
}

void LinkQueue::on_sent(Instant now, Key key, double energy_left, Bytes bytes) {
  advance(now);
  const Slot slot = table_.find(key);
  if (slot == kNoSlot || !states_[slot].pending) {
    return;
  }
  KeyState& state = states_[slot];
  const bool chosen = last_.slot == slot;
  const Reason reason = chosen ? last_.reason : Reason::kSignificance;
  const Bytes planned = chosen ? last_.plan : Bytes(0);
  last_.slot = kNoSlot;
  ++stats_.decisions[static_cast<std::size_t>(reason)];
  stats_.bytes += bytes.count();
  since_age_turn_ = reason == Reason::kAge ? 1 : std::min(since_age_turn_ + 1, kAgeTurn);

  unrank(slot);
  unage(slot);
  const double left = clean(energy_left);
  set_energy(state, left, false);
  state.visit_bytes += bytes.count();
  if (bytes.count() > 0) {
    const auto coded = static_cast<double>(bytes.count());
    state.coded_bytes +=
        state.coded_bytes > 0 ? kCodedBytesGain * (coded - state.coded_bytes) : coded;
    visit_bytes_typical_ += kCodedBytesGain * (coded - visit_bytes_typical_);
  }
  const LaneOptions& lane_options = lanes_[state.lane_index].options;
  if (left <= lane_options.tolerance_per_element * state.elements) {
    settle(slot);
    return;
  }
  const auto complete = [&state](Bytes budget) {
    return state.visit_bytes >= budget.count() / kCompleteDenominator * kCompleteNumerator;
  };
  // An encoder that made nothing of its budget is not asked again at once either.
  if (bytes.count() == 0 || complete(planned)) {
    finish_deadline(state);
    state.unfinished = state.fresh && chosen && bytes.count() > 0 && !complete(last_.whole);
    state.fresh = false;
    state.idle_visit = bytes.count() == 0;
  } else {
    state.unfinished = !state.fresh;
  }
  state.waiting_since = now_;
  place(slot);
}

// The change itself stays pending, by its significance.
void LinkQueue::miss_deadline(KeyState& state, Instant deadline) {
  state.missed = std::min(state.missed, deadline);
  ++stats_.deadlines_expired;
}

void LinkQueue::finish_deadline(KeyState& state) {
  if (state.deadline != Instant::never()) {
    const bool in_time = now_ + delay_ <= state.deadline;
    (in_time ? stats_.deadlines_met : stats_.deadlines_expired) += 1;
  }
  state.deadline = Instant::never();
  state.missed = Instant::never();
}

void LinkQueue::settle(Slot slot) {
  KeyState& state = states_[slot];
  finish_deadline(state);
  state.pending = false;
  state.fresh = false;
  state.unfinished = false;
  set_energy(state, 0, false);
  Lane& lane = lanes_[state.lane_index];
  if (--lane.pending == 0) {
    lane.residual.on_empty();
  }
  if (--pending_keys_ == 0) {
    energy_sum_ = 0;  // Rounding of the running sum ends here.
  }
}

void LinkQueue::set_energy(KeyState& state, double energy, bool by_merge) {
  ResidualTracker& residual = lanes_[state.lane_index].residual;
  const double more = energy - state.energy;
  if (by_merge) {
    residual.on_merge(now_, state.energy, more, state.born);
  } else {
    residual.on_left(now_, -more, state.born);
  }
  energy_sum_ += more;
  state.energy = energy;
}

void LinkQueue::unrank(Slot slot) {
  KeyState& state = states_[slot];
  const auto traffic_class = static_cast<std::size_t>(state.traffic_class);
  switch (state.place) {
    case Place::kNone:
      break;
    case Place::kFresh:
      fresh_[traffic_class].remove(rank_links_, slot, state.bucket);
      break;
    case Place::kDeepen:
      deepen_[traffic_class].remove(rank_links_, slot, state.bucket);
      break;
    case Place::kHeld:
      held_[state.hold].remove(rank_links_, slot);
      break;
    case Place::kParked:
      lanes_[state.lane_index].parked.remove(rank_links_, slot);
      break;
  }
  state.place = Place::kNone;
  deadlines_[traffic_class].remove(slot);
}

void LinkQueue::unage(Slot slot) {
  if (states_[slot].aging) {
    ages_[static_cast<std::size_t>(states_[slot].age_class)].remove(age_links_, slot);
    states_[slot].aging = false;
  }
}

void LinkQueue::place(Slot slot) {
  KeyState& state = states_[slot];
  Lane& lane = lanes_[state.lane_index];
  if (lane.blocked) {
    unage(slot);
    state.place = Place::kParked;
    lane.parked.push_back(rank_links_, slot);
    return;
  }
  // waiting_since never decreases from one insertion to the next, so the lists stay sorted.
  if (!state.aging) {
    state.aging = true;
    state.age_class = state.traffic_class;
    ages_[static_cast<std::size_t>(state.age_class)].push_back(age_links_, slot);
  }
  const auto traffic_class = static_cast<std::size_t>(state.traffic_class);
  if (state.fresh) {
    if (state.deadline != Instant::never()) {
      deadlines_[traffic_class].set(slot, state.deadline);
    }
    rank_into(slot, Place::kFresh);
    return;
  }
  if (state.unfinished) {
    rank_into(slot, Place::kDeepen);
    return;
  }
  if ((lane.draining || state.resting) && !state.idle_visit) {
    state.visit_bytes = 0;  // The next visit is a new one.
    rank_into(slot, Place::kDeepen);
    return;
  }
  // Held for one update interval, rounded up to a power of two of the least one: a merge that
  // comes meanwhile makes the key fresh, and the bits of a deeper visit would have been wasted. One
  // for which none has come in that time rests, and is then sent to its end as the link allows.
  state.hold = 0;
  Duration hold = kHoldMin;
  while (hold < lane.demand.interval() && state.hold + 1U < kHoldCount) {
    hold = hold * 2;
    ++state.hold;
  }
  state.held_until = now_ + hold;
  state.place = Place::kHeld;
  held_[state.hold].push_back(rank_links_, slot);
}

void LinkQueue::rank_into(Slot slot, Place where) {
  KeyState& state = states_[slot];
  const auto traffic_class = static_cast<std::size_t>(state.traffic_class);
  state.bucket = rank(state);
  state.place = where;
  (where == Place::kFresh ? fresh_ : deepen_)[traffic_class].push(rank_links_, slot, state.bucket);
}

std::uint32_t LinkQueue::rank(const KeyState& state) const {
  const Lane& lane = lanes_[state.lane_index];
  double bytes = state.coded_bytes > 0 ? state.coded_bytes : visit_bytes_typical_;
  if (!state.fresh || state.visit_bytes > 0) {
    bytes *= kSecondPassCost;
  }
  const double interval = state.statistics.knows_interval() ? state.statistics.interval_seconds()
                                                            : lane.demand.interval().to_seconds();
  const double merge_energy = state.statistics.merge_energy();
  return BucketQueue::bucket_of(
      significance_index({.weight = lane.options.weight,
                          .energy = state.energy,
                          .merge_energy = merge_energy > 0 ? merge_energy : state.energy,
                          .interval_seconds = interval,
                          .bytes = std::max(1.0, bytes)}));
}

Slot LinkQueue::add(Key key) {
  const std::uint32_t lane = lane_index(key.lane);
  Slot slot = kNoSlot;
  if (free_slots_.empty()) {
    slot = static_cast<Slot>(states_.size());
    states_.emplace_back();
    rank_links_.resize(states_.size());
    age_links_.resize(states_.size());
    lane_links_.resize(states_.size());
    for (DeadlineHeap& heap : deadlines_) {
      heap.resize(states_.size());
    }
  } else {
    slot = free_slots_.back();
    free_slots_.pop_back();
    states_[slot] = {};
  }
  states_[slot].key = key;
  states_[slot].lane_index = lane;
  lanes_[lane].keys.push_back(lane_links_, slot);
  table_.insert(key, slot);
  return slot;
}

std::uint32_t LinkQueue::lane_index(std::uint32_t lane) {
  const Key name{lane, 0};
  const Slot known = lane_ids_.find(name);
  if (known != kNoSlot) {
    return known;
  }
  std::uint32_t index = 0;
  if (free_lanes_.empty()) {
    index = static_cast<std::uint32_t>(lanes_.size());
    lanes_.emplace_back();
  } else {
    index = free_lanes_.back();
    free_lanes_.pop_back();
    lanes_[index] = {};
  }
  lanes_[index].used = true;
  lane_ids_.insert(name, index);
  return index;
}

void LinkQueue::configure_lane(std::uint32_t lane, const LaneOptions& options) {
  GODWIT_ASSERT(options.weight > 0 && options.tolerance_per_element >= 0);
  lanes_[lane_index(lane)].options = options;
}

void LinkQueue::remove_lane(std::uint32_t lane) {
  const Key name{lane, 0};
  const std::uint32_t index = lane_ids_.find(name);
  if (index == kNoSlot) {
    return;
  }
  Lane& gone = lanes_[index];
  while (!gone.keys.empty()) {
    const Slot slot = gone.keys.first();
    unrank(slot);
    unage(slot);
    if (states_[slot].pending) {
      states_[slot].deadline = Instant::never();  // Neither met nor expired: nobody waits.
      settle(slot);
    }
    gone.keys.remove(lane_links_, slot);
    table_.erase(states_[slot].key);
    free_slots_.push_back(slot);
    if (last_.slot == slot) {
      last_.slot = kNoSlot;
    }
  }
  gone.used = false;
  lane_ids_.erase(name);
  free_lanes_.push_back(index);
}

void LinkQueue::set_blocked(Instant now, std::uint32_t lane, bool blocked) {
  advance(now);
  Lane& changed = lanes_[lane_index(lane)];
  if (changed.blocked == blocked) {
    return;
  }
  changed.blocked = blocked;
  changed.blocked_since = now_;
  // Blocking parks each key when it is next met; so a short block costs almost nothing.
  while (!blocked && !changed.parked.empty()) {
    const Slot slot = changed.parked.first();
    unrank(slot);
    states_[slot].waiting_since = now_;  // The age cap counts from when it could be chosen.
    place(slot);
  }
}

void LinkQueue::set_draining(Instant now, std::uint32_t lane, bool draining) {
  advance(now);
  Lane& changed = lanes_[lane_index(lane)];
  if (changed.draining == draining) {
    return;
  }
  changed.draining = draining;
  for (Slot slot = changed.keys.first(); draining && slot != kNoSlot;
       slot = SlotList::after(lane_links_, slot)) {
    if (states_[slot].place == Place::kHeld) {
      unrank(slot);
      place(slot);
    }
  }
}

}  // namespace godwit::scheduler

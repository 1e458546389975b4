#include "scheduler/deadline/commitments.h"

#include <algorithm>

#include "dataplane/base/assert.h"
#include "scheduler/deadline/signed_bytes.h"

namespace godwit::scheduler {
namespace {

// Equal arrivals make equal trees (Steele, Lea and Flood 2014: SplitMix64).
std::uint32_t priority_of(std::uint64_t order) {
  std::uint64_t mixed = (order + 1) * 0x9e3779b97f4a7c15U;
  mixed = (mixed ^ mixed >> 30U) * 0xbf58476d1ce4e5b9U;
  mixed = (mixed ^ mixed >> 27U) * 0x94d049bb133111ebU;
  return static_cast<std::uint32_t>(mixed >> 32U);
}

}  // namespace

Commitments::Commitments(Instant now, BitRate rate, std::size_t most)
    : rate_(rate), origin_(now), now_(now), nodes_(most) {
  GODWIT_ASSERT(most < kNowhere);
  free_.reserve(most);
  for (std::size_t place = most; place-- > 0;) {
    free_.push_back(static_cast<Place>(place));
  }
}

void Commitments::set_rate(Instant now, BitRate rate) {
  advance(now);
  rate_ = rate;
  origin_ = now_;
  update_all(root_);
}

std::int64_t Commitments::capacity(Instant until) const {
  return until <= origin_ ? 0 : signed_bytes(rate_.bytes_in(until - origin_));
}

// Rounded up, as capacities are rounded down: no promise rests on a byte that is not there.
std::int64_t Commitments::elapsed(Instant now) const {
  const std::int64_t whole = capacity(now);
  return whole + (whole < kSignedBytesMax && now > origin_ && rate_ > BitRate() ? 1 : 0);
}

std::int64_t Commitments::sum_of(Place place) const {
  return place == kNowhere ? 0 : nodes_[place].sum;
}

std::int64_t Commitments::slack_of(Place place) const {
  return place == kNowhere ? kSignedBytesMax : nodes_[place].slack;
}

bool Commitments::is_before(const Node& a, const Node& b) const {
  return a.deadline != b.deadline ? a.deadline < b.deadline : a.order < b.order;
}

void Commitments::update(Place place) {
  Node& node = nodes_[place];
  const std::int64_t through = sum_of(node.before) + node.left;
  node.sum = through + sum_of(node.after);
  node.slack = std::min(
      {slack_of(node.before), capacity(node.deadline) - through, slack_of(node.after) - through});
}

void Commitments::update_all(Place place) {
  if (place != kNowhere) {
    update_all(nodes_[place].before);
    update_all(nodes_[place].after);
    update(place);
  }
}

// What is before `at` and what is not.
Commitments::Pair Commitments::split(Place place, const Node& at) {
  if (place == kNowhere) {
    return {kNowhere, kNowhere};
  }
  Node& node = nodes_[place];
  if (is_before(node, at)) {
    const auto [before, after] = split(node.after, at);
    node.after = before;
    update(place);
    return {place, after};
  }
  const auto [before, after] = split(node.before, at);
  node.before = after;
  update(place);
  return {before, place};
}

Commitments::Place Commitments::join(Place before, Place after) {
  if (before == kNowhere || after == kNowhere) {
    return before == kNowhere ? after : before;
  }
  if (nodes_[before].priority > nodes_[after].priority) {
    nodes_[before].after = join(nodes_[before].after, after);
    update(before);
    return before;
  }
  nodes_[after].before = join(before, nodes_[after].before);
  update(after);
  return after;
}

// The most that may be promised by `deadline`: what those due by it leave of its own capacity, and
// what those due later can spare.
std::int64_t Commitments::room(Instant now, Instant deadline) const {
  std::int64_t due_by = 0;
  std::int64_t slack = kSignedBytesMax;
  for (Place place = root_; place != kNowhere;) {
    const Node& node = nodes_[place];
    const std::int64_t through = due_by + sum_of(node.before) + node.left;
    if (node.deadline > deadline) {
      slack = std::min({slack, capacity(node.deadline) - through, slack_of(node.after) - through});
      place = node.before;
    } else {
      due_by = through;
      place = node.after;
    }
  }
  return std::min(slack, capacity(deadline) - due_by) - elapsed(now);
}

std::optional<Commitments::Id> Commitments::commit(Instant now, Bytes bytes, Instant deadline) {
  GODWIT_ASSERT(bytes.count() > 0);
  advance(now);
  if (free_.empty() || signed_bytes(bytes) > room(now_, deadline)) {
    return std::nullopt;
  }
  const Place place = free_.back();
  free_.pop_back();
  nodes_[place] = {.deadline = deadline,
                   .left = signed_bytes(bytes),
                   .order = order_,
                   .priority = priority_of(order_),
                   .is_used = true};
  ++order_;
  ++size_;
  update(place);
  const auto [before, after] = split(root_, nodes_[place]);
  root_ = join(join(before, place), after);
  return place;
}

Commitments::Quote Commitments::quote(Instant now, Bytes bytes, Instant deadline) const {
  const Instant at = std::max(now, now_);
  Quote quote{unsigned_bytes(room(at, deadline)), Instant::never()};
  if (rate_ == BitRate()) {
    return quote;
  }
  // Behind the last one that cannot spare so much; those after it can, so the room that is there
  // first is in front of them.
  const std::int64_t needed = std::min(kSignedBytesMax, signed_bytes(bytes) + elapsed(at));
  std::int64_t due_by = 0;
  for (Place place = root_; place != kNowhere;) {
    const Node& node = nodes_[place];
    const std::int64_t through = due_by + sum_of(node.before) + node.left;
    if (slack_of(node.after) - through < needed) {
      due_by = through;
      place = node.after;
    } else if (capacity(node.deadline) - through < needed) {
      due_by = through;
      break;
    } else {
      place = node.before;
    }
  }
  quote.earliest = std::max(at, origin_ + rate_.time_for(unsigned_bytes(needed + due_by)));
  return quote;
}

Commitments::Due Commitments::due(Place place) const {
  const Node& node = nodes_[place];
  return {place, unsigned_bytes(node.left), node.deadline};
}

std::optional<Commitments::Due> Commitments::next() const {
  if (root_ == kNowhere) {
    return std::nullopt;
  }
  Place place = root_;
  while (nodes_[place].before != kNowhere) {
    place = nodes_[place].before;
  }
  return due(place);
}

void Commitments::reduce(Place at, const Node& target, std::int64_t bytes) {
  Node& node = nodes_[at];
  if (&node == &target) {
    node.left -= bytes;
  } else {
    reduce(is_before(target, node) ? node.before : node.after, target, bytes);
  }
  update(at);
}

void Commitments::on_sent(Id id, Bytes bytes) {
  if (id >= nodes_.size() || !nodes_[id].is_used) {
    return;
  }
  if (signed_bytes(bytes) >= nodes_[id].left) {
    erase(id);
  } else {
    reduce(root_, nodes_[id], signed_bytes(bytes));
  }
}

void Commitments::release(Id id) {
  if (id < nodes_.size() && nodes_[id].is_used) {
    erase(id);
  }
}

void Commitments::erase(Place place) {
  Node behind = nodes_[place];
  const auto [before, rest] = split(root_, nodes_[place]);
  ++behind.order;
  const auto [alone, after] = split(rest, behind);
  GODWIT_ASSERT(alone == place);
  root_ = join(before, after);
  nodes_[place].is_used = false;
  free_.push_back(place);
  --size_;
}

std::optional<Commitments::Due> Commitments::take_broken(Instant now) {
  advance(now);
  const auto first = next();
  if (!first || first->deadline > now_) {
    return std::nullopt;
  }
  erase(first->id);
  return first;
}

Bytes Commitments::left() const {
  return unsigned_bytes(sum_of(root_));
}

}  // namespace godwit::scheduler

#include "bench/wan/link.h"

#include <algorithm>

#include "dataplane/base/assert.h"

namespace godwit::wan {

namespace {

Line line_of(const LinkSettings& settings) {
  return Line{settings.rate, settings.queue};
}

}  // namespace

Bytes default_queue(BitRate rate, Duration one_way) {
  if (rate.is_unlimited()) {
    return kHeldBytesMax;
  }
  return std::clamp(rate.bytes_in(one_way * 2), kQueueBytesMin, kHeldBytesMax);
}

Link::Link(const LinkSettings& settings, std::uint64_t seed)
    : settings_(settings), random_(seed), line_(line_of(settings)) {}

void Link::count_in(std::uint32_t size) {
  ++counters_.packets_in;
  counters_.bytes_in += size;
}

void Link::drop(Outcome reason, std::uint32_t size) {
  switch (reason) {
    case Outcome::kDroppedQueue:
      ++counters_.drops_queue;
      break;
    case Outcome::kDroppedLoss:
      ++counters_.drops_loss;
      break;
    case Outcome::kDroppedCut:
      ++counters_.drops_cut;
      break;
    case Outcome::kHeld:
      GODWIT_ASSERT(false, "a held packet is not a drop");
  }
  counters_.bytes_dropped += size;
}

Outcome Link::queue(Instant at, std::uint32_t frame, std::uint32_t size) {
  const bool full = counters_.bytes_held + size > kHeldBytesMax.count();
  const auto departs = full ? std::nullopt : line_.offer(at, Bytes(size));
  if (!departs) {
    drop(Outcome::kDroppedQueue, size);
    return Outcome::kDroppedQueue;
  }
  counters_.queueing.record(*departs - at - settings_.rate.time_for(Bytes(size)));
  if (settings_.loss > 0 && random_.chance(settings_.loss)) {
    drop(Outcome::kDroppedLoss, size);
    return Outcome::kDroppedLoss;
  }
  due_last_ = std::max(due_last_, *departs + settings_.delay);
  parcels_.push_back(Parcel{frame, size, at, *departs, due_last_});
  ++counters_.packets_held;
  counters_.bytes_held += size;
  return Outcome::kHeld;
}

Parcel Link::pop() {
  GODWIT_ASSERT(!parcels_.empty());
  const Parcel parcel = parcels_.front();
  parcels_.pop_front();
  return parcel;
}

void Link::delivered(std::uint32_t size, Duration lateness) {
  GODWIT_ASSERT(counters_.packets_held > 0 && counters_.bytes_held >= size);
  --counters_.packets_held;
  counters_.bytes_held -= size;
  ++counters_.packets;
  counters_.bytes += size;
  counters_.lateness.record(lateness);
}

void Link::drop_held(Outcome reason, std::uint32_t size) {
  GODWIT_ASSERT(counters_.packets_held > 0 && counters_.bytes_held >= size);
  --counters_.packets_held;
  counters_.bytes_held -= size;
  drop(reason, size);
}

void Link::cut(std::vector<std::uint32_t>& released) {
  cut_ = true;
  for (const Parcel& parcel : parcels_) {
    released.push_back(parcel.frame);
    drop_held(Outcome::kDroppedCut, parcel.size);
  }
  parcels_.clear();
  due_last_ = Instant();
  line_ = Serialiser(line_of(settings_));
}

void Link::change(Instant now, const LinkSettings& settings) {
  const BitRate rate_before = settings_.rate;
  settings_ = settings;
  replan(now, rate_before);
}

// A packet on the line has `rate_before · (departs − now)` bytes to go; one behind it has all of
// its own. Lost packets are not in the list: their share of the queue is forgotten here.
void Link::replan(Instant now, BitRate rate_before) {
  Instant free_at = now;
  Instant due = Instant();
  for (Parcel& parcel : parcels_) {
    if (parcel.departs > now) {
      const Bytes left = std::min(rate_before.bytes_in(parcel.departs - now), Bytes(parcel.size));
      parcel.departs = std::max(parcel.entered, free_at) + settings_.rate.time_for(left);
      parcel.due = parcel.departs + settings_.delay;
    }
    parcel.due = std::max(parcel.due, due);
    due = parcel.due;
    free_at = std::max(free_at, parcel.departs);
  }
  due_last_ = due;
  line_.change(line_of(settings_), free_at);
}

void Link::reset_counters() {
  LinkCounters fresh;
  fresh.packets_held = fresh.packets_in = counters_.packets_held;
  fresh.bytes_held = fresh.bytes_in = counters_.bytes_held;
  counters_ = fresh;
}

}  // namespace godwit::wan

// Waiters in a plain vector: few, short-lived, reported in the order they came.
#include "scheduler/clocks/staleness.h"

#include <algorithm>

namespace godwit::scheduler {

StalenessWaits::StalenessWaits(const ClockTable& clocks, std::size_t waits_max)
    : clocks_(clocks), waits_max_(waits_max) {
  waits_.reserve(waits_max);
}

std::optional<StalenessWaits::WaitId> StalenessWaits::add_wait(Instant now,
                                                               TopicShard topic,
                                                               std::uint64_t clock_min,
                                                               Instant deadline) {
  if (waits_.size() >= waits_max_) {
    return std::nullopt;
  }
  const bool reached = holds(topic, clock_min);
  waits_.push_back({next_id_, topic, clock_min, std::max(now, deadline), reached});
  reached_ += reached ? 1U : 0U;
  earliest_ = std::min(earliest_, waits_.back().deadline);
  return next_id_++;
}

bool StalenessWaits::holds(TopicShard topic, std::uint64_t clock_min) const {
  // Nobody else to wait for holds too.
  return clocks_.site_count(topic) == 0 || clocks_.clock_min(topic) >= clock_min;
}

bool StalenessWaits::cancel(WaitId id) {
  const auto at =
      std::find_if(waits_.begin(), waits_.end(), [id](const Wait& wait) { return wait.id == id; });
  if (at == waits_.end()) {
    return false;
  }
  remove(static_cast<std::size_t>(at - waits_.begin()));
  return true;
}

void StalenessWaits::remove(std::size_t index) {
  reached_ -= waits_[index].reached ? 1U : 0U;
  waits_.erase(waits_.begin() + static_cast<std::ptrdiff_t>(index));
  earliest_ = Instant::never();
  for (const Wait& wait : waits_) {
    earliest_ = std::min(earliest_, wait.deadline);
  }
}

void StalenessWaits::on_progress(TopicShard topic) {
  const bool alone = clocks_.site_count(topic) == 0;
  const std::uint64_t least = clocks_.clock_min(topic);
  for (Wait& wait : waits_) {
    if (wait.topic == topic && !wait.reached && (alone || least >= wait.clock_min)) {
      wait.reached = true;
      ++reached_;
    }
  }
}

bool StalenessWaits::poll_done(Instant now, Done& out) {
  if (reached_ == 0 && now < earliest_) {
    return false;
  }
  for (std::size_t i = 0; i < waits_.size(); ++i) {
    const Wait& wait = waits_[i];
    if (!wait.reached && now < wait.deadline) {
      continue;
    }
    out.id = wait.id;
    out.missing.clear();
    out.outcome = WaitOutcome::kOk;
    if (!wait.reached) {
      out.outcome = WaitOutcome::kPartial;
      clocks_.missing(wait.topic, wait.clock_min, out.missing);
    }
    remove(i);
    return true;
  }
  return false;
}

Instant StalenessWaits::next_wakeup() const {
  return reached_ > 0 ? Instant::from_ns(0) : earliest_;
}

}  // namespace godwit::scheduler

#include "api/gateway/deadlines.h"

#include <algorithm>

namespace godwit::gateway {
namespace {

// A publisher has one publish on its way at a time, and may commit the next before the end of the
// turn in which it was merged.
constexpr std::size_t kMergingMax = 2 * ledger::kInboxesMax;

}  // namespace

Deadlines::Deadlines(Instant start, Duration deadline, std::uint32_t tile_count)
    : start_(start), deadline_(deadline), tiles_(tile_count, Instant::never()) {
  merging_.reserve(kMergingMax);
}

Instant Deadlines::due(Instant now, Duration own) const {
  const auto after = [now](Duration deadline) {
    return deadline > Duration::zero() ? now + deadline : Instant::never();
  };
  return std::min(after(own), after(deadline_));
}

void Deadlines::restart(Duration deadline) {
  deadline_ = deadline;
  merging_.clear();
  std::fill(tiles_.begin(), tiles_.end(), Instant::never());
}

void Deadlines::on_recovered(ledger::PublishNumber merging) {
  const auto last = static_cast<std::uint32_t>(tiles_.size() - 1);
  on_commit({.number = merging, .first_tile = 0, .last_tile = last, .due = recovered()});
}

void Deadlines::on_commit(const Publish& publish) {
  merging_.push_back(publish);
}

Instant Deadlines::on_merged(Instant now, const ledger::TileActivity& activity) {
  Instant earliest = Instant::never();
  for (Publish& publish : merging_) {
    if (publish.number <= activity.last && publish.first_tile <= activity.tile &&
        activity.tile <= publish.last_tile) {
      earliest = std::min(earliest, publish.due);
      publish.told_tile = std::max(publish.told_tile, activity.tile);
    }
  }
  Instant& tile = tiles_.at(activity.tile);
  tile = tile < now ? earliest : std::min(tile, earliest);
  return earliest;
}

void Deadlines::end_round(ledger::PublishNumber merged) {
  std::erase_if(merging_, [&](const Publish& publish) { return publish.number <= merged; });
  for (Publish& publish : merging_) {
    publish.first_tile = std::max(publish.first_tile, publish.told_tile);
  }
}

}  // namespace godwit::gateway

#include "scheduler/deadline/deadline_plan.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "scheduler/deadline/signed_bytes.h"

namespace godwit::scheduler {
namespace {

constexpr Duration kPlanLasts = Duration::ms(50);
constexpr std::uint64_t kRateDivisor = 20;

}  // namespace

DeadlinePlan::Slack::Slack(std::size_t most)
    : nodes_(2 * std::bit_ceil(std::max<std::size_t>(1, most))) {}

void DeadlinePlan::Slack::begin(std::size_t count) {
  leaves_ = std::bit_ceil(std::max<std::size_t>(1, count));
  std::fill_n(nodes_.begin(), 2 * leaves_, Node{0, kSignedBytesMax});
}

void DeadlinePlan::Slack::set(std::size_t rank, std::int64_t capacity) {
  nodes_[leaves_ + rank].least = capacity;
}

void DeadlinePlan::Slack::join(std::size_t node) {
  const Node& before = nodes_[2 * node];
  const Node& after = nodes_[2 * node + 1];
  nodes_[node] = {before.taken + after.taken, std::min(before.least, after.least - before.taken)};
}

void DeadlinePlan::Slack::build() {
  for (std::size_t node = leaves_; node-- > 1;) {
    join(node);
  }
}

std::uint64_t DeadlinePlan::Slack::take(std::size_t rank, std::uint64_t wanted) {
  // The least of what is at the leaf or behind it, less what is taken in front of that.
  std::int64_t least = nodes_[leaves_ + rank].least;
  for (std::size_t node = leaves_ + rank; node > 1; node /= 2) {
    const Node& other = nodes_[node ^ 1U];
    if (node % 2 == 0) {
      least = std::min(least, other.least - nodes_[node].taken);
    } else {
      least -= other.taken;
    }
  }
  const std::int64_t amount =
      std::min(signed_bytes(Bytes(wanted)), std::max<std::int64_t>(0, least));
  if (amount > 0) {
    std::size_t node = leaves_ + rank;
    nodes_[node].taken += amount;
    nodes_[node].least -= amount;
    for (node /= 2; node > 0; node /= 2) {
      join(node);
    }
  }
  return static_cast<std::uint64_t>(amount);
}

DeadlinePlan::DeadlinePlan(std::size_t rounds_most) : rounds_(rounds_most), slack_(rounds_most) {
  free_.reserve(rounds_most);
  by_deadline_.reserve(rounds_most);
  offers_.reserve(rounds_most * kLayersMax);
  for (std::size_t id = rounds_most; id-- > 0;) {
    free_.push_back(static_cast<Id>(id));
  }
}

std::optional<DeadlinePlan::Id> DeadlinePlan::add(Instant deadline,
                                                  double weight,
                                                  std::span<const Layer> layers) {
  if (free_.empty()) {
    return std::nullopt;
  }
  const Id id = free_.back();
  free_.pop_back();
  Round& round = rounds_[id];
  round = Round();
  round.deadline = deadline;
  round.is_used = true;
  // Neighbours are pooled until none is worth more than the one before (Ayer et al. 1955).
  for (const Layer& layer : layers.first(std::min(layers.size(), kLayersMax))) {
    if (layer.bytes.count() == 0) {
      continue;
    }
    const double worth = weight * layer.value / static_cast<double>(layer.bytes.count());
    Piece piece{layer.bytes.count(), std::isfinite(worth) ? std::max(worth, 0.0) : 0};
    while (round.count > 0 && round.pieces[round.count - 1].worth < piece.worth) {
      const Piece& before = round.pieces[--round.count];
      const double value = before.worth * static_cast<double>(before.bytes) +
                           piece.worth * static_cast<double>(piece.bytes);
      piece.bytes += before.bytes;
      piece.worth = value / static_cast<double>(piece.bytes);
    }
    round.pieces[round.count++] = piece;
  }
  const auto later = [this](Instant at, Id other) { return at < rounds_[other].deadline; };
  by_deadline_.insert(std::upper_bound(by_deadline_.begin(), by_deadline_.end(), deadline, later),
                      id);
  has_changed_ = true;
  return id;
}

void DeadlinePlan::remove(Id id) {
  if (id >= rounds_.size() || !rounds_[id].is_used) {
    return;
  }
  rounds_[id].is_used = false;
  by_deadline_.erase(std::find(by_deadline_.begin(), by_deadline_.end(), id));
  free_.push_back(id);
  has_changed_ = true;
}

void DeadlinePlan::on_sent(Id id, Bytes bytes) {
  if (id >= rounds_.size() || !rounds_[id].is_used) {
    return;
  }
  Round& round = rounds_[id];
  std::uint64_t sent = bytes.count();
  round.granted -= std::min(round.granted, sent);
  while (sent > 0 && round.first < round.count) {
    Piece& piece = round.pieces[round.first];
    const std::uint64_t part = std::min(sent, piece.bytes);
    piece.bytes -= part;
    sent -= part;
    round.first += piece.bytes == 0 ? 1U : 0U;
  }
}

bool DeadlinePlan::is_due(Instant now, BitRate rate) const {
  const std::uint64_t is = rate.bits_per_second();
  const std::uint64_t was = planned_for_.bits_per_second();
  return has_changed_ || now - planned_at_ >= kPlanLasts ||
         std::max(is, was) - std::min(is, was) > was / kRateDivisor;
}

void DeadlinePlan::plan(Instant now, BitRate rate, Bytes reserved) {
  has_changed_ = false;
  planned_at_ = now;
  planned_for_ = rate;
  offers_.clear();
  slack_.begin(by_deadline_.size());
  for (std::size_t rank = 0; rank < by_deadline_.size(); ++rank) {
    Round& round = rounds_[by_deadline_[rank]];
    round.granted = 0;
    const Duration time = std::max(Duration::zero(), round.deadline - now);
    slack_.set(rank, signed_bytes(rate.bytes_in(time) - reserved));
    for (std::size_t piece = round.first; piece < round.count && time > Duration::zero(); ++piece) {
      offers_.push_back({round.pieces[piece].worth,
                         static_cast<std::uint32_t>(rank),
                         static_cast<std::uint32_t>(piece)});
    }
  }
  slack_.build();
  // Of equal worth the earlier deadline first, and pieces in their order.
  std::sort(offers_.begin(), offers_.end(), [](const Offer& a, const Offer& b) {
    return a.worth != b.worth ? a.worth > b.worth
           : a.rank != b.rank ? a.rank < b.rank
                              : a.piece < b.piece;
  });
  for (const Offer& offer : offers_) {
    Round& round = rounds_[by_deadline_[offer.rank]];
    round.granted += slack_.take(offer.rank, round.pieces[offer.piece].bytes);
  }
}

std::optional<DeadlinePlan::Grant> DeadlinePlan::next(Instant now) const {
  for (const Id id : by_deadline_) {
    const Round& round = rounds_[id];
    if (round.deadline > now && round.granted > 0) {
      return Grant{id, Bytes(round.granted), round.deadline};
    }
  }
  return std::nullopt;
}

}  // namespace godwit::scheduler

// The receiving half of Spread: subscriptions and clocks over all shards of a topic.
#include <algorithm>
#include <set>
#include <utility>

#include "api/client/spread.h"

namespace godwit::client {

// ---- subscribing ------------------------------------------------------------------------------

Result<void> Spread::subscribe(std::uint32_t index, Subscription kind, bool keep_sum) {
  for (const Place& place : topics_[index].places) {
    if (auto subscribed = core_at(place).subscribe(place.handle, kind, keep_sum); !subscribed) {
      return subscribed;
    }
  }
  join_behind_first(index);
  return {};
}

void Spread::join_behind_first(std::uint32_t index) {
  const auto& places = topics_[index].places;
  for (const Place& place : std::span(places).subspan(1)) {
    core_at(place).wait_for_first(place.handle);
    joining_.insert(index);
  }
}

void Spread::admit_joining() {
  std::erase_if(joining_, [&](std::uint32_t index) {
    const auto& places = topics_[index].places;
    const Place& first = places.front();
    const bool has_place = core_at(first).has_place(first.handle);
    for (const Place& place : std::span(places).subspan(1)) {
      if (has_place) {
        core_at(place).admit(place.handle);
      } else if (core_at(first).lacks_place(first.handle)) {
        core_at(place).go_without_place(place.handle);
      }
    }
    return has_place;
  });
}

bool Spread::lacks_place(std::uint32_t index) const {
  const auto& places = topics_[index].places;
  return std::any_of(places.begin(), places.end(), [&](const Place& place) {
    return core_at(place).lacks_place(place.handle);
  });
}

bool Spread::has_pending(std::uint32_t index) const {
  const auto& places = topics_[index].places;
  return std::any_of(places.begin(), places.end(), [&](const Place& place) {
    return core_at(place).has_pending(place.handle);
  });
}

// Blocks are numbered within the topic and lie in one tile, so those of different shards differ.
SumBlocks Spread::take_pending(std::uint32_t index, bool& restarted) {
  restarted = false;
  for (const Place& place : topics_[index].places) {
    restarted = core_at(place).take_restart(place.handle) || restarted;
  }
  if (restarted) {
    ask_again(index);
    return {};
  }
  SumBlocks blocks;
  for (const Place& place : topics_[index].places) {
    SumBlocks part = core_at(place).take_pending(place.handle);
    blocks.merge(part);
  }
  return blocks;
}

void Spread::recycle(std::uint32_t index, SumBlocks blocks) {
  const Topic& topic = topics_[index];
  std::vector<SumBlocks> parts(topic.places.size());
  while (!blocks.empty()) {
    auto block = blocks.extract(blocks.begin());
    SumBlocks& part = parts[topic.sharding.shard_of(block.key() * kBlockElements)];
    part.insert(part.end(), std::move(block));
  }
  for (std::size_t shard = 0; shard < parts.size(); ++shard) {
    const Place& place = topic.places[shard];
    core_at(place).recycle(place.handle, std::move(parts[shard]));
  }
}

bool Spread::copy_sum(std::uint32_t index, std::uint64_t first, std::span<std::int64_t> out) const {
  const Topic& topic = topics_[index];
  const Place& any = topic.places.front();
  if (core_at(any).sum(any.handle) == nullptr) {
    return false;
  }
  while (!out.empty()) {
    const std::uint64_t in_tile = kShardTileElements - first % kShardTileElements;
    const auto part = out.first(std::min<std::uint64_t>(out.size(), in_tile));
    const Place& place = topic.places[topic.sharding.shard_of(first)];
    core_at(place).sum(place.handle)->copy(first, part);
    first += part.size();
    out = out.subspan(part.size());
  }
  return true;
}

// ---- clocks -----------------------------------------------------------------------------------

std::uint64_t Spread::start_wait(std::uint32_t index, std::uint64_t clock, Instant deadline) {
  const std::uint64_t request = next_request_++;
  Wait& wait = waits_[request];
  wait = {.topic = index, .clock = clock, .deadline = deadline};
  for (const Place& place : topics_[index].places) {
    wait.shards.push_back({.request = core_at(place).start_wait(place.handle, clock, deadline)});
  }
  return request;
}

std::optional<ClockOutcome> Spread::take_wait(std::uint64_t request) {
  const auto found = waits_.find(request);
  if (found == waits_.end()) {
    return std::nullopt;
  }
  Wait& wait = found->second;
  bool waits = false;
  for (std::size_t shard = 0; shard < wait.shards.size(); ++shard) {
    ShardWait& asked = wait.shards[shard];
    if (!asked.outcome) {
      asked.outcome = core_at(topics_[wait.topic].places[shard]).take_wait(asked.request);
    }
    waits = waits || !asked.outcome;
  }
  if (waits) {
    return std::nullopt;
  }
  std::set<std::string> missing;
  for (const ShardWait& asked : wait.shards) {
    missing.insert(asked.outcome->missing.begin(), asked.outcome->missing.end());
  }
  waits_.erase(found);
  return ClockOutcome{
      .kind = missing.empty() ? ClockOutcome::Kind::kOk : ClockOutcome::Kind::kPartial,
      .missing = {missing.begin(), missing.end()}};
}

void Spread::ask_again(std::uint32_t index) {
  for (auto& [request, wait] : waits_) {
    for (std::size_t shard = 0; wait.topic == index && shard < wait.shards.size(); ++shard) {
      const Place& place = topics_[index].places[shard];
      core_at(place).cancel_wait(wait.shards[shard].request);
      wait.shards[shard] = {.request =
                                core_at(place).start_wait(place.handle, wait.clock, wait.deadline)};
    }
  }
}

void Spread::cancel_wait(std::uint64_t request) {
  const auto found = waits_.find(request);
  if (found == waits_.end()) {
    return;
  }
  const Wait& wait = found->second;
  for (std::size_t shard = 0; shard < wait.shards.size(); ++shard) {
    core_at(topics_[wait.topic].places[shard]).cancel_wait(wait.shards[shard].request);
  }
  waits_.erase(found);
}

}  // namespace godwit::client

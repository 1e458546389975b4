// The publishing half of Spread: one publish becomes one of each shard that it touches, and what
// becomes of those is put together again.
#include <algorithm>
#include <utility>

#include "api/client/shard_runs.h"
#include "api/client/spread.h"
#include "api/local/value_range.h"

namespace godwit::client {

Result<void> Spread::check_step(std::uint32_t index, std::optional<std::uint64_t> step) const {
  const Topic& topic = topics_[index];
  if (step == std::uint64_t{0}) {
    return fail(
        Code::kInvalid,
        "topic {}: a publish gives step 0; steps begin at 1: count from there, or give none",
        topic.options.name);
  }
  if (step && *step <= topic.last_step) {
    return fail(
        Code::kInvalid,
        "topic {}: a publish gives step {} after step {}; give each publish a step above the "
        "last one, and publish from several threads in that order",
        topic.options.name,
        *step,
        topic.last_step);
  }
  return {};
}

Split Spread::split(std::uint32_t index, const Publish& whole) const {
  const Topic& topic = topics_[index];
  const std::uint64_t end = whole.first + whole.count;
  Split split{.first = whole.first,
              .sharding = topic.sharding,
              .fraction_bits = topic.options.fraction_bits,
              .magnitude_max = local::magnitude_max_of(sites().size())};
  for (std::uint32_t shard = 0; shard < topic.sharding.shards; ++shard) {
    const std::uint64_t first = topic.sharding.elements_below(shard, whole.first);
    const std::uint64_t count = topic.sharding.elements_below(shard, end) - first;
    if (count == 0) {
      continue;
    }
    Publish part = whole;
    part.first = first;
    part.count = count;
    split.cost += count * part.width() + kPublishOverhead;
    split.parts.push_back({shard, std::move(part)});
  }
  return split;
}

bool Spread::has_room(std::uint32_t index, const Split& split) {
  Topic& topic = topics_[index];
  forget_old(topic);
  return topic.book.size() < kPublishesMax &&
         std::all_of(split.parts.begin(), split.parts.end(), [&](const Split::Part& part) {
           const Place& place = topic.places[part.shard];
           return core_at(place).has_room(place.handle, split.cost);
         });
}

void Spread::reserve(std::uint32_t index, Split& split) {
  room_.take(split.cost);
  for (Split::Part& part : split.parts) {
    const Place& place = topics_[index].places[part.shard];
    part.publish.values = core_at(place).take_buffer(place.handle);
  }
}

void Spread::fill(std::span<const std::byte> values, Split& split) {
  const Sharding& sharding = split.sharding;
  for (Split::Part& part : split.parts) {
    Publish& publish = part.publish;
    const std::size_t width = publish.width();
    publish.values.clear();
    publish.values.reserve(publish.count * width);
    for_each_run(sharding,
                 part.shard,
                 publish.first,
                 publish.count,
                 [&](std::uint64_t element, std::uint64_t, std::uint64_t count) {
                   const auto run = values.subspan((element - split.first) * width, count * width);
                   publish.values.insert(publish.values.end(), run.begin(), run.end());
                 });
    if (sharding.shards == 1) {
      continue;
    }
    const auto refuse = [&](std::size_t wrong, double value) {
      split.refusal =
          fmt::format("element {}: {}",
                      sharding.to_global(part.shard, publish.first + wrong),
                      local::out_of_range(value, split.fraction_bits, split.magnitude_max));
    };
    const void* const place = publish.values.data();
    if (publish.fixed) {
      const std::span quanta(static_cast<const std::int64_t*>(place), publish.count);
      if (const auto wrong = local::find_out_of_range(quanta, split.magnitude_max)) {
        refuse(*wrong, local::units(quanta[*wrong], split.fraction_bits));
      }
      continue;
    }
    const std::span floats(static_cast<const float*>(place), publish.count);
    if (const auto wrong =
            local::find_out_of_range(floats, split.fraction_bits, split.magnitude_max)) {
      refuse(*wrong, static_cast<double>(floats[*wrong]));
    }
  }
}

Result<std::uint64_t> Spread::publish(std::uint32_t index, Split split) {
  Topic& topic = topics_[index];
  const std::optional<std::uint64_t> step = split.parts.front().publish.step;
  if (auto rises = check_step(index, step); !rises) {
    room_.give_back(split.cost);
    return Failure(rises.error());
  }
  topic.last_step = step.value_or(topic.last_step);
  ++publishes_;
  if (!split.refusal.empty()) {
    room_.give_back(split.cost);
    ++gone_.publishes_refused;
    return topic.book.add({.refusal = std::move(split.refusal)});
  }
  if (topic.sharding.shards == 1) {
    const Place& place = topic.places.front();
    return core_at(place).publish(place.handle, std::move(split.parts.front().publish));
  }
  BookedPublish booked;
  for (auto& [shard, part] : split.parts) {
    const Place& place = topic.places[shard];
    booked.shards.push_back({shard, core_at(place).publish(place.handle, std::move(part))});
  }
  return topic.book.add(std::move(booked));
}

// The oldest publishes that are finished, as an Outbox does; what is unsafe stays.
void Spread::forget_old(Topic& topic) {
  topic.book.keep(kFinishedRemembered, [&](const BookedPublish& oldest) {
    return std::none_of(oldest.shards.begin(), oldest.shards.end(), [&](const ShardPublish& part) {
      const Place& place = topic.places[part.shard];
      return core_at(place).publish_state(place.handle, part.number) == PublishState::kUnsafe;
    });
  });
}

void Spread::tick(std::uint32_t index, std::uint64_t clock) {
  for (const Place& place : topics_[index].places) {
    core_at(place).tick(place.handle, clock);
  }
}

std::uint64_t Spread::last_clock(std::uint32_t index) const {
  const Place& place = topics_[index].places.front();
  return core_at(place).last_clock(place.handle);
}

std::optional<Outcome> Spread::outcome(std::uint32_t index,
                                       std::uint64_t number,
                                       Level level,
                                       std::string_view site) {
  const Topic& topic = topics_[index];
  const Place& first = topic.places.front();
  if (topic.sharding.shards == 1) {
    return core_at(first).outcome(first.handle, number, level, site);
  }
  const BookedPublish* const publish = topic.book.find(number);
  if (publish == nullptr) {
    return Outcome::kExpired;
  }
  if (!publish->refusal.empty()) {
    return Outcome::kRefused;
  }
  const auto outcome = combined(topic, *publish, level, site);
  if (level != Level::kApplied || !site.empty() || outcome != Outcome::kReached) {
    return outcome;
  }
  // Each part is at some site; the publish is applied where all of them are.
  for (const std::string& holder : core_at(first).holders(first.handle)) {
    if (holder != this->site() && combined(topic, *publish, level, holder) == Outcome::kReached) {
      return Outcome::kReached;
    }
  }
  return std::nullopt;
}

std::optional<Outcome> Spread::combined(const Topic& topic,
                                        const BookedPublish& publish,
                                        Level level,
                                        std::string_view site) {
  bool waits = false;
  bool is_unknown = false;
  bool is_expired = false;
  bool is_duplicate = true;
  for (const ShardPublish& part : publish.shards) {
    const Place& place = topic.places[part.shard];
    const auto outcome = core_at(place).outcome(place.handle, part.number, level, site);
    if (outcome == Outcome::kRefused) {
      return outcome;
    }
    waits = waits || !outcome;
    is_unknown = is_unknown || outcome == Outcome::kUnknown;
    is_expired = is_expired || outcome == Outcome::kExpired;
    is_duplicate = is_duplicate && outcome == Outcome::kDuplicate;
  }
  if (waits) {
    return std::nullopt;
  }
  return is_unknown     ? Outcome::kUnknown
         : is_expired   ? Outcome::kExpired
         : is_duplicate ? Outcome::kDuplicate
                        : Outcome::kReached;
}

std::string Spread::detail(std::uint32_t index, std::uint64_t number) const {
  const Topic& topic = topics_[index];
  if (topic.sharding.shards == 1) {
    const Place& place = topic.places.front();
    return core_at(place).detail(place.handle, number);
  }
  const BookedPublish* const publish = topic.book.find(number);
  if (publish == nullptr) {
    return {};
  }
  std::string text = publish->refusal;
  std::size_t merged = 0;
  for (const ShardPublish& part : publish->shards) {
    const Place& place = topic.places[part.shard];
    const std::string detail = core_at(place).detail(place.handle, part.number);
    if (!detail.empty()) {
      text += fmt::format("{}shard {}: {}", text.empty() ? "" : "; ", part.shard, detail);
    }
    const PublishState state = core_at(place).publish_state(place.handle, part.number);
    merged += state == PublishState::kSafe ? 1U : 0U;
  }
  if (!text.empty() && merged > 0) {
    text += fmt::format("; merged in {} of {} shards", merged, publish->shards.size());
  }
  return text;
}

std::size_t Spread::unsafe_count() const {
  std::size_t count = 0;
  for (const auto& core : cores_) {
    count += core->unsafe_count();
  }
  return count;
}

}  // namespace godwit::client

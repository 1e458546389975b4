#include "api/client/spread.h"

#include <algorithm>
#include <utility>

#include "dataplane/base/assert.h"

namespace godwit::client {
namespace {

void add_counts(ClientStats& to, const ClientStats& from) {
  to.connections += from.connections;
  to.publishes_safe += from.publishes_safe;
  to.publishes_resent += from.publishes_resent;
  to.publishes_refused += from.publishes_refused;
  to.publishes_duplicate += from.publishes_duplicate;
  to.transfers_applied += from.transfers_applied;
  to.transfers_skipped += from.transfers_skipped;
}

}  // namespace

Spread::Spread(CoreOptions options)
    : options_(std::move(options)), room_(options_.unsafe_bytes_max) {
  cores_.push_back(std::make_unique<Core>(options_, room_));
  parts_.resize(1);
}

// ---- the connections --------------------------------------------------------------------------

void Spread::on_connected(Instant now, std::uint32_t worker, local::Channel& channel) {
  cores_[worker]->on_connected(now, channel);
}

void Spread::on_disconnected(Instant now, std::uint32_t worker, std::string_view reason) {
  cores_[worker]->on_disconnected(now, reason);
  heed_error(*cores_[worker]);
  if (is_moving() && std::none_of(cores_.begin(), cores_.end(), [](const auto& core) {
        return core->is_connected();
      })) {
    move_parts();
  }
}

void Spread::on_dial_failed(Instant now, std::uint32_t worker, std::string_view reason) {
  cores_[worker]->on_dial_failed(now, reason);
  heed_error(*cores_[worker]);
}

Instant Spread::next_dial(std::uint32_t worker) const {
  return is_moving() ? Instant::never() : cores_[worker]->next_dial();
}

std::string Spread::failure(Instant now, std::uint32_t worker) const {
  return cores_[worker]->failure(now);
}

void Spread::heed_error(Core& core) {
  if (std::string error = core.take_error(); !error.empty()) {
    last_error_ = std::move(error);
  }
}

void Spread::heed_welcome(Core& core) {
  const auto said = core.take_said_workers();
  if (!said) {
    return;
  }
  gateway_knows_shards_ = *said != 0;
  const std::uint32_t before = std::exchange(workers_said_, std::max(1U, *said));
  if (before == 0) {
    resize_cores();  // nothing is declared yet
  } else if (before != workers_said_) {
    for (const auto& one : cores_) {
      one->give_up("the gateway has another number of workers now");
    }
  }
}

void Spread::resize_cores() {
  for (std::size_t worker = workers_said_; worker < cores_.size(); ++worker) {
    add_counts(gone_, cores_[worker]->stats());
  }
  const auto kept = std::min<std::size_t>(cores_.size(), workers_said_);
  cores_.resize(workers_said_);
  parts_.resize(workers_said_);
  for (std::size_t worker = kept; worker < workers_said_; ++worker) {
    CoreOptions options = options_;
    options.worker = static_cast<std::uint32_t>(worker);
    options.seed += worker;
    cores_[worker] = std::make_unique<Core>(std::move(options), room_);
  }
  for (const auto& core : cores_) {
    core->expect_workers(workers_said_);
  }
  turn_ = 0;
}

// Every part goes to the Core of its new worker; waits for clocks are asked again there.
void Spread::move_parts() {
  for (auto& [request, wait] : waits_) {
    for (std::size_t shard = 0; shard < wait.shards.size(); ++shard) {
      Core& core = core_at(topics_[wait.topic].places[shard]);
      ShardWait& asked = wait.shards[shard];
      if (!asked.outcome) {
        asked.outcome = core.take_wait(asked.request);
      }
      core.cancel_wait(asked.request);
    }
  }
  std::vector<std::vector<std::unique_ptr<TopicPart>>> taken;
  for (const auto& core : cores_) {
    taken.push_back(core->take_parts());
  }
  resize_cores();
  parts_.assign(cores_.size(), {});
  for (std::uint32_t index = 0; index < topics_.size(); ++index) {
    Topic& topic = topics_[index];
    for (std::uint32_t shard = 0; shard < topic.places.size(); ++shard) {
      const Place old = topic.places[shard];
      const std::uint32_t worker = worker_of_shard(topic, shard);
      put(index, shard, {worker, cores_[worker]->adopt(std::move(taken[old.worker][old.handle]))});
    }
  }
  for (auto& [request, wait] : waits_) {
    for (std::size_t shard = 0; shard < wait.shards.size(); ++shard) {
      const Place& place = topics_[wait.topic].places[shard];
      if (!wait.shards[shard].outcome) {
        wait.shards[shard].request =
            core_at(place).start_wait(place.handle, wait.clock, wait.deadline);
      }
    }
  }
}

std::uint32_t Spread::worker_of_shard(const Topic& topic, std::uint32_t shard) const {
  return worker_of(TopicId::of(topic.options.name), shard, workers());
}

void Spread::put(std::uint32_t topic, std::uint32_t shard, Place place) {
  topics_[topic].places[shard] = place;
  auto& parts = parts_[place.worker];
  parts.resize(std::max<std::size_t>(parts.size(), place.handle + 1));
  parts[place.handle] = {topic, shard};
}

// ---- the turn ---------------------------------------------------------------------------------

std::optional<Event> Spread::receive(Instant now) {
  if (handed_out_) {
    if (const auto* const restart = std::get_if<Restart>(&*handed_out_)) {
      restart_told(restart->topic);
    }
    handed_out_.reset();
    cores_[turn_]->pump(now);
  }
  for (std::size_t idle = 0; idle < cores_.size();) {
    const auto event = cores_[turn_]->receive(now);
    heed_welcome(*cores_[turn_]);
    heed_error(*cores_[turn_]);
    if (event) {
      if (const auto given = ours(*event)) {
        handed_out_ = given;
        return given;
      }
      continue;
    }
    turn_ = turn_ + 1 < cores_.size() ? turn_ + 1 : 0;
    ++idle;
  }
  return std::nullopt;
}

// An event of the Core whose turn it is, in topics of the application. When one shard starts again
// from zero the application can only return to the seed as a whole: all others start again, too.
// Who polls is told so by take_pending().
std::optional<Event> Spread::ours(const Event& event) {
  if (const auto* const delivery = std::get_if<Delivery>(&event)) {
    Delivery given = *delivery;
    given.topic = parts_[turn_][delivery->topic].topic;
    return given;
  }
  const PartOf part = parts_[turn_][std::get<Restart>(event).topic];
  for (const Place& place : topics_[part.topic].places) {
    core_at(place).restart(place.handle);
  }
  join_behind_first(part.topic);
  ask_again(part.topic);
  const Place& any = topics_[part.topic].places.front();
  return core_at(any).subscription(any.handle) == Subscription::kCallback
             ? std::optional<Event>(Restart{part.topic})
             : std::nullopt;
}

void Spread::restart_told(std::uint32_t index) {
  for (const Place& place : topics_[index].places) {
    core_at(place).restart_told(place.handle);
  }
}

void Spread::pump(Instant now) {
  open_held();
  admit_joining();
  for (const auto& core : cores_) {
    core->pump(now);
  }
}

// ---- topics -----------------------------------------------------------------------------------

Result<std::uint32_t> Spread::declare(const TopicOptions& wanted) {
  GODWIT_ASSERT(workers_said_ != 0, "the gateway has said Welcome");
  TopicOptions options = wanted;
  if (options.shards == 0) {
    options.shards = gateway_knows_shards_ ? Sharding::default_shards(options.element_count) : 1;
  }
  const auto declaration = check_declaration(options);
  if (!declaration) {
    return Failure(declaration.error());
  }
  if (options.shards > 1 && !gateway_knows_shards_) {
    return fail(Code::kUnsupported,
                "topic {}: the gateway does not know shards; update it or declare one shard",
                options.name);
  }
  std::uint32_t index = 0;
  std::size_t parts = 0;
  auto place = static_cast<std::uint32_t>(topics_.size());
  for (; index < topics_.size(); ++index) {
    const Topic& topic = topics_[index];
    parts += topic.places.size();
    if (topic.options.name != options.name) {
      continue;
    }
    if (has_open_part(topic)) {
      if (auto same = check_same({topic.options, topic.sharding, topic.seed_hash}, *declaration);
          !same) {
        return Failure(same.error());
      }
      open_again(index);
      return index;
    }
    if (topic.sharding.shards == options.shards) {
      place = index;  // another attempt in the same place
    }
  }
  if (place == topics_.size()) {
    if (parts + options.shards > local::kTopicsPerClientMax) {
      return fail(Code::kFull,
                  "a client declares at most {} topics, or shards of topics",
                  local::kTopicsPerClientMax);
    }
    topics_.emplace_back();
  }
  Topic& topic = topics_[place];
  topic.options = options;
  topic.options.seed = {};
  topic.sharding = declaration->sharding;
  topic.seed_hash = declaration->seed_hash;
  topic.last_step = 0;  // after a failure steps may come again, as after a restart
  topic.places.resize(options.shards);
  for (std::uint32_t shard = 0; shard < options.shards; ++shard) {
    const std::uint32_t worker = worker_of_shard(topic, shard);
    const auto handle = cores_[worker]->declare(*declaration, shard, shard > 0);
    GODWIT_ASSERT(handle.has_value(), "all that a Core refuses is refused above");
    put(place, shard, {worker, *handle});
  }
  held_.insert(place);
  return place;
}

void Spread::open_held() {
  std::erase_if(held_, [&](std::uint32_t index) {
    const auto& places = topics_[index].places;
    const auto state = [&](const Place& at) { return core_at(at).topic_state(at.handle); };
    if (state(places.front()) == TopicState::kOpening) {
      return false;
    }
    for (const Place& place : places) {
      if (state(places.front()) == TopicState::kOpen && state(place) == TopicState::kHeld) {
        core_at(place).open_again(place.handle);
      }
    }
    return true;
  });
}

// Whatever part of the topic was refused.
void Spread::open_again(std::uint32_t index) {
  Topic& topic = topics_[index];
  for (const Place& place : topic.places) {
    if (core_at(place).is_failed(place.handle)) {
      core_at(place).open_again(place.handle);
      topic.last_step = 0;
    }
  }
}

bool Spread::has_open_part(const Topic& topic) const {
  return std::any_of(topic.places.begin(), topic.places.end(), [&](const Place& place) {
    const TopicState state = core_at(place).topic_state(place.handle);
    return state == TopicState::kOpening || state == TopicState::kOpen;
  });
}

TopicState Spread::topic_state(std::uint32_t index) const {
  const auto any = [&](TopicState state) {
    const auto& places = topics_[index].places;
    return std::any_of(places.begin(), places.end(), [&](const Place& place) {
      return core_at(place).topic_state(place.handle) == state;
    });
  };
  if (any(TopicState::kOpening)) {
    return TopicState::kOpening;  // not all have answered
  }
  if (any(TopicState::kFailed)) {
    return TopicState::kFailed;
  }
  return any(TopicState::kHeld) ? TopicState::kOpening : TopicState::kOpen;
}

Error Spread::topic_error(std::uint32_t index) const {
  const Topic& topic = topics_[index];
  const auto failed = std::find_if(topic.places.begin(), topic.places.end(), [&](const Place& at) {
    return core_at(at).is_failed(at.handle);
  });
  Error error = core_at(*failed).topic_error(failed->handle);
  if (topic.places.size() > 1) {
    error.message = fmt::format("shard {}: {}", failed - topic.places.begin(), error.message);
  }
  return error;
}

std::uint64_t Spread::memory_bound(std::uint32_t index) const {
  std::uint64_t bytes = 0;
  for (const Place& place : topics_[index].places) {
    bytes += core_at(place).memory_bound(place.handle);
  }
  return bytes;
}

// ---- reports ----------------------------------------------------------------------------------

bool Spread::is_ready() const {
  return std::all_of(
      cores_.begin(), cores_.end(), [](const auto& core) { return core->is_ready(); });
}

void Spread::leave(Instant now) {
  for (const auto& core : cores_) {
    core->leave(now);
  }
}

ClientStats Spread::stats() const {
  ClientStats stats = gone_;
  for (const auto& core : cores_) {
    add_counts(stats, core->stats());
  }
  stats.connected = is_ready();
  stats.publishes = publishes_;
  stats.unsafe_bytes = room_.used();
  stats.last_error = last_error_;
  return stats;
}

}  // namespace godwit::client

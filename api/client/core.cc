#include "api/client/core.h"

#include <algorithm>
#include <utility>

#include "dataplane/base/assert.h"

namespace godwit::client {
namespace {

// A gateway that accepts and does not answer Hello is left. Chosen: far above a busy worker's turn.
constexpr Duration kWelcomeDeadline = Duration::seconds(5);

}  // namespace

Core::Core(CoreOptions options)
    : options_(std::move(options)),
      own_room_(std::make_unique<Room>(options_.unsafe_bytes_max)),
      room_(*own_room_),
      random_(options_.seed),
      backoff_(kRedialMin) {}

Core::Core(CoreOptions options, Room& room)
    : options_(std::move(options)), room_(room), random_(options_.seed), backoff_(kRedialMin) {}

void Core::on_connected(Instant now, local::Channel& channel) {
  GODWIT_ASSERT(channel_ == nullptr);
  channel_ = &channel;
  hello_sent_ = false;
  ready_ = false;
  failure_.clear();
  connected_at_ = now;
  welcome_due_ = now + kWelcomeDeadline;
  ++stats_.connections;
  for (auto& topic : topics_) {
    topic->begin_connection();
    stats_.publishes_resent += topic->outbox.rewind();
  }
  for (auto& [request, wait] : waits_) {
    wait.sent = false;
  }
  pump(now);
}

void Core::on_disconnected(Instant now, std::string_view reason) {
  finish_delivery();
  channel_ = nullptr;
  ready_ = false;
  welcome_due_ = Instant::never();
  note_error(reason);
  failure_.clear();
  if (now - connected_at_ >= kRedialMax) {
    backoff_ = kRedialMin;  // it worked for a while; one that fails at once is asked less often
  }
  schedule_dial(now);
}

void Core::on_dial_failed(Instant now, std::string_view reason) {
  note_error(reason);
  schedule_dial(now);
}

void Core::note_error(std::string_view what) {
  stats_.last_error = what;
  new_error_ = what;
}

void Core::schedule_dial(Instant now) {
  const auto bound = static_cast<std::uint64_t>(backoff_.count_ns());
  next_dial_ = now + Duration::ns(static_cast<std::int64_t>(random_.below(bound)));
  backoff_ = std::min(backoff_ * 2, kRedialMax);
}

std::string Core::failure(Instant now) const {
  if (channel_ == nullptr) {
    return {};
  }
  if (channel_->broken()) {
    return std::string(channel_->broken_reason());
  }
  if (failure_.empty() && !ready_ && now >= welcome_due_) {
    return "the gateway did not answer Hello";
  }
  return failure_;
}

Instant Core::next_wakeup() const {
  if (channel_ != nullptr && !failure_.empty()) {
    return connected_at_;  // at once
  }
  Instant next = channel_ != nullptr && !ready_ ? welcome_due_ : Instant::never();
  for (const auto& topic : topics_) {
    for (const Instant again : {topic->declare_after, topic->subscribe_after}) {
      if (channel_ != nullptr && again != Instant()) {
        next = std::min(next, again);
      }
    }
  }
  return next;
}

// ---- topics -----------------------------------------------------------------------------------

Result<std::uint32_t> Core::declare(const TopicOptions& options) {
  GODWIT_ASSERT(options.shards <= 1);
  const auto declaration = check_declaration(options);
  return declaration ? declare(*declaration, 0) : Failure(declaration.error());
}

Result<std::uint32_t> Core::declare(const Declaration& declaration,
                                    std::uint32_t shard,
                                    bool held) {
  const TopicOptions& options = declaration.options;
  std::uint32_t index = 0;
  for (; index < topics_.size(); ++index) {
    TopicPart& topic = *topics_[index];
    if (topic.options.name != options.name || topic.shard != shard) {
      continue;
    }
    if (topic.state != TopicState::kFailed && topic.state != TopicState::kHeld) {
      if (auto same = check_same({topic.options, topic.sharding, topic.seed_hash}, declaration);
          !same) {
        return Failure(same.error());
      }
      return index;
    }
    if (topic.sharding.shards == declaration.sharding.shards) {
      topic.declare_again(declaration);
      topic.state = held ? TopicState::kHeld : TopicState::kOpening;
      ask_again(index);
      return index;
    }
  }
  if (index == local::kTopicsPerClientMax) {
    return fail(Code::kFull,
                "a client declares at most {} topics, or shards of topics",
                local::kTopicsPerClientMax);
  }
  auto topic = std::make_unique<TopicPart>(declaration, shard);
  topic->incarnation = options_.incarnation;
  topic->state = held ? TopicState::kHeld : TopicState::kOpening;
  topics_.push_back(std::move(topic));
  return index;
}

void Core::open_again(std::uint32_t topic) {
  topics_[topic]->open_again();
  ask_again(topic);
}

// The gateway has passed over what it was asked of a topic that it had refused.
void Core::ask_again(std::uint32_t topic) {
  for (auto& [request, wait] : waits_) {
    wait.sent = wait.sent && wait.topic != topic;
  }
}

std::vector<std::unique_ptr<TopicPart>> Core::take_parts() {
  GODWIT_ASSERT(channel_ == nullptr && waits_.empty());
  next_topic_ = 0;
  return std::exchange(topics_, {});
}

std::uint32_t Core::adopt(std::unique_ptr<TopicPart> part) {
  GODWIT_ASSERT(channel_ == nullptr);
  topics_.push_back(std::move(part));
  return static_cast<std::uint32_t>(topics_.size() - 1);
}

// ---- publishing -------------------------------------------------------------------------------

bool Core::has_room(std::uint32_t topic, std::size_t cost) const {
  return room_.has(cost) && !topics_[topic]->outbox.is_full();
}

std::uint64_t Core::publish(std::uint32_t topic, Publish publish) {
  ++stats_.publishes;
  TopicPart& target = *topics_[topic];
  const std::uint64_t number = target.outbox.add(std::move(publish));
  if (target.state == TopicState::kFailed) {
    room_.give_back(target.outbox.refuse_all(target.error.message));
  }
  return number;
}

std::optional<Outcome> Core::outcome(std::uint32_t index,
                                     std::uint64_t number,
                                     Level level,
                                     std::string_view site) {
  TopicPart& topic = *topics_[index];
  switch (topic.outbox.state(number)) {
    case PublishState::kForgotten:
      return Outcome::kExpired;
    case PublishState::kDuplicate:
      return Outcome::kDuplicate;
    case PublishState::kRefused:
      return Outcome::kRefused;
    case PublishState::kUnknown:
      return Outcome::kUnknown;
    case PublishState::kUnsafe:
      topic.watch = topic.watch || level > Level::kSafe;
      return level == Level::kAccepted ? std::optional(Outcome::kReached) : std::nullopt;
    case PublishState::kSafe:
      break;
  }
  if (level <= Level::kSafe) {
    return Outcome::kReached;
  }
  topic.watch = true;
  const Outbox::Accepted accepted = topic.outbox.accepted(number);
  const auto reached = [&](const std::string& name) {
    return covered_at(topic, accepted, SiteId::of(name));
  };
  bool all = !topic.sites.empty();
  bool any = false;
  for (const std::string& name : topic.sites) {
    if (name != site_) {
      all = all && reached(name);
      any = any || reached(name);
    }
  }
  const bool applied = site.empty() ? any : site == site_ || reached(std::string(site));
  const bool done = level == Level::kApplied ? applied : all;
  return done ? std::optional(Outcome::kReached) : std::nullopt;
}

// Coverage counts the publishes of one life of the topic; those of an earlier life say nothing.
bool Core::covered_at(const TopicPart& topic, Outbox::Accepted accepted, SiteId site) const {
  const auto found = topic.covered.find(site);
  return found != topic.covered.end() && accepted.life == topic.life &&
         found->second >= accepted.number;
}

std::string Core::detail(std::uint32_t topic, std::uint64_t number) const {
  return topics_[topic]->outbox.detail(number);
}

std::size_t Core::unsafe_count() const {
  std::size_t count = 0;
  for (const auto& topic : topics_) {
    count += topic->outbox.unsafe_count();
  }
  return count;
}

// ---- subscribing ------------------------------------------------------------------------------

Result<void> Core::subscribe(std::uint32_t index, Subscription kind, bool keep_sum) {
  TopicPart& topic = *topics_[index];
  if (topic.subscription != Subscription::kNone) {
    return fail(Code::kDuplicate, "topic {} is already subscribed", topic.options.name);
  }
  topic.subscription = kind;
  topic.begin_behind_publishes();
  if (keep_sum) {
    topic.sum = std::make_unique<BlockSums>();
  }
  return {};
}

void Core::restart(std::uint32_t index) {
  GODWIT_ASSERT(!delivered_ || delivered_->topic != index, "what was handed out is finished");
  TopicPart& topic = *topics_[index];
  topic.give_up_subscription();
  topic.restart_untold = true;
  if (topic.subscription == Subscription::kPolled) {
    topic.restarted = true;
    restart_told(index);  // a poll may be long in coming, and waits for clocks are before it
  }
}

void Core::restart_told(std::uint32_t index) {
  TopicPart& topic = *topics_[index];
  if (std::exchange(topic.restart_untold, false)) {
    topic.begin_behind_publishes();
    topic.next_incarnation();
  }
}

bool Core::has_pending(std::uint32_t topic) const {
  return !topics_[topic]->pending.empty() || topics_[topic]->restarted;
}

bool Core::take_restart(std::uint32_t topic) {
  TopicPart& part = *topics_[topic];
  if (part.restarted && part.outbox.last_number() != part.begins_after) {
    restart(topic);
  }
  return std::exchange(part.restarted, false);
}

void Core::recycle(std::uint32_t topic, SumBlocks blocks) {
  topics_[topic]->pending.recycle(std::move(blocks));
}

const BlockSums* Core::sum(std::uint32_t topic) const {
  return topics_[topic]->sum.get();
}

// ---- clocks -----------------------------------------------------------------------------------

std::uint64_t Core::start_wait(std::uint32_t topic, std::uint64_t clock, Instant deadline) {
  const std::uint64_t request = next_request_++;
  waits_[request] = {.topic = topic, .min_clock = clock, .deadline = deadline};
  return request;
}

std::optional<ClockOutcome> Core::take_wait(std::uint64_t request) {
  const auto found = waits_.find(request);
  if (found == waits_.end() || !found->second.outcome) {
    return std::nullopt;
  }
  auto outcome = std::move(found->second.outcome);
  waits_.erase(found);
  return outcome;
}

ClientStats Core::stats() const {
  ClientStats stats = stats_;
  stats.connected = ready_;
  stats.unsafe_bytes = room_.used();
  return stats;
}

}  // namespace godwit::client

#include "api/client/core.h"

#include <algorithm>
#include <utility>

#include "api/local/seed.h"
#include "dataplane/base/assert.h"
#include "dataplane/base/checksum.h"

namespace godwit::client {
namespace {

// A gateway that accepts and does not answer Hello is left. Chosen: far above a busy worker's turn.
constexpr Duration kWelcomeDeadline = Duration::seconds(5);

}  // namespace

Core::Core(CoreOptions options)
    : options_(std::move(options)), random_(options_.seed), backoff_(kRedialMin) {}

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
    topic->declare_sent = false;
    topic->subscribe_sent = false;
    topic->watch_sent = false;
    topic->lanes_open = false;
    topic->seed_at.reset();
    topic->receipts_owed = 0;
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
  stats_.last_error = reason;
  failure_.clear();
  if (now - connected_at_ >= kRedialMax) {
    backoff_ = kRedialMin;  // it worked for a while; one that fails at once is asked less often
  }
  schedule_dial(now);
}

void Core::on_dial_failed(Instant now, std::string_view reason) {
  stats_.last_error = reason;
  schedule_dial(now);
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
  return channel_ != nullptr && !ready_ ? welcome_due_ : Instant::never();
}

// ---- topics -----------------------------------------------------------------------------------

Result<std::uint32_t> Core::declare(const TopicOptions& options) {
  if (options.name.empty() || !local::is_name(options.name) || !local::is_name(options.tenant) ||
      !local::is_name(options.service_class)) {
    return fail(Code::kInvalid,
                "names of topics, tenants and classes are 1 to 255 printable ASCII bytes");
  }
  if (options.element_count < 1 || options.element_count > local::kElementsMax) {
    return fail(Code::kInvalid, "topic {}: element_count must be in [1, 2^40]", options.name);
  }
  if (options.fraction_bits > local::kFractionBitsMax || !(options.tolerance >= 0.0) ||
      !(options.tolerance <= 1e300) || !(options.significance.threshold >= 0.0) ||
      !(options.significance.threshold <= 1e300)) {
    return fail(Code::kInvalid,
                "topic {}: fraction_bits must be in [0, 62], tolerance and threshold in [0, inf)",
                options.name);
  }
  if (!options.seed.empty() && options.seed.size() != options.element_count) {
    return fail(Code::kInvalid, "topic {}: the seed must have element_count values", options.name);
  }
  if (auto good = local::check_seed(0, options.seed, options.fraction_bits); !good) {
    return fail(Code::kInvalid, "topic {}: {}", options.name, good.error().message);
  }
  if (options.update_deadline < Duration::zero() ||
      options.update_deadline > local::kLongestDeadline) {
    return fail(Code::kInvalid,
                "topic {}: update_deadline is {} s; it must be 0 (none) or up to {} s",
                options.name,
                options.update_deadline.to_seconds(),
                local::kLongestDeadline.to_seconds());
  }
  if (options.allowed_sites.size() > local::kSitesMax ||
      !std::all_of(options.allowed_sites.begin(),
                   options.allowed_sites.end(),
                   [](const auto& site) { return !site.empty() && local::is_name(site); })) {
    return fail(Code::kInvalid, "topic {}: allowed_sites are at most 64 site names", options.name);
  }
  std::size_t index = 0;
  for (; index < topics_.size(); ++index) {
    const Topic& topic = *topics_[index];
    if (topic.options.name != options.name) {
      continue;
    }
    if (topic.state == TopicState::kFailed) {
      break;  // another attempt in the same place
    }
    if (topic.options.element_count != options.element_count ||
        topic.options.fraction_bits != options.fraction_bits) {
      return fail(Code::kInvalid, "topic {} is declared with another shape", options.name);
    }
    return static_cast<std::uint32_t>(index);
  }
  if (index == local::kTopicsPerClientMax) {
    return fail(Code::kFull, "a client declares at most {} topics", local::kTopicsPerClientMax);
  }
  auto topic = std::make_unique<Topic>();
  topic->options = options;
  topic->seed.assign(options.seed.begin(), options.seed.end());
  topic->options.seed = {};
  if (!topic->seed.empty()) {
    const auto bytes = std::as_bytes(std::span(topic->seed));
    topic->seed_hash = (std::uint64_t{crc32c(bytes)} << 32U) | (bytes.size() & 0xffffffffU);
  }
  if (index == topics_.size()) {
    topics_.push_back(std::move(topic));
  } else {
    topic->outbox = std::move(topics_[index]->outbox);  // its tickets stay answerable
    topic->replaces = topics_[index]->replaces;
    topics_[index] = std::move(topic);
  }
  return static_cast<std::uint32_t>(index);
}

// ---- publishing -------------------------------------------------------------------------------

bool Core::has_room(std::uint32_t topic, std::size_t cost) const {
  return unsafe_bytes_ + cost <= options_.unsafe_bytes_max && !topics_[topic]->outbox.is_full();
}

std::uint64_t Core::publish(std::uint32_t topic, Publish publish) {
  ++stats_.publishes;
  Topic& target = *topics_[topic];
  const std::uint64_t number = target.outbox.add(std::move(publish));
  if (target.state == TopicState::kFailed) {
    unsafe_bytes_ -= target.outbox.refuse_all(target.error.message);
  }
  return number;
}

std::optional<Outcome> Core::outcome(std::uint32_t index,
                                     std::uint64_t number,
                                     Level level,
                                     std::string_view site) {
  Topic& topic = *topics_[index];
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
bool Core::covered_at(const Topic& topic, Outbox::Accepted accepted, SiteId site) const {
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
  Topic& topic = *topics_[index];
  if (topic.subscription != Subscription::kNone) {
    return fail(Code::kDuplicate, "topic {} is already subscribed", topic.options.name);
  }
  topic.subscription = kind;
  if (keep_sum) {
    topic.sum = std::make_unique<BlockSums>();
  }
  return {};
}

bool Core::has_pending(std::uint32_t topic) const {
  return !topics_[topic]->pending.empty() || topics_[topic]->restarted;
}

SumBlocks Core::take_pending(std::uint32_t topic, bool& restarted) {
  restarted = std::exchange(topics_[topic]->restarted, false);
  return topics_[topic]->pending.take();
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
  stats.unsafe_bytes = unsafe_bytes_;
  return stats;
}

}  // namespace godwit::client

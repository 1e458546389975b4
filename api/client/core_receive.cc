// The receiving half of Core: what each of the gateway's records changes.
#include <algorithm>
#include <utility>

#include "api/client/core.h"
#include "api/client/shard_runs.h"

namespace godwit::client {
namespace {

// After which a gateway without room for a topic or a subscription is asked again. Chosen: as
// storage at the gateway.
constexpr Duration kAskAgain = Duration::seconds(1);

}  // namespace

void Core::give_up(std::string reason) {
  if (channel_ != nullptr && failure_.empty()) {
    failure_ = std::move(reason);
  }
}

TopicPart* Core::topic_of(local::TopicHandle handle) {
  const auto index = static_cast<std::uint32_t>(handle);
  if (index >= topics_.size()) {
    give_up("the gateway named a topic that was not declared");
    return nullptr;
  }
  return topics_[index].get();
}

std::optional<Event> Core::receive(Instant now) {
  finish_delivery();
  // A pump now and then, so that a long run of records does not hold back its receipts.
  constexpr int kRecordsPerPump = 64;
  for (int records = 1; channel_ != nullptr && failure_.empty(); ++records) {
    const auto view = channel_->receive();
    if (!view) {
      return std::nullopt;
    }
    if (auto event = on_record(now, *view)) {
      return event;
    }
    if (records % kRecordsPerPump == 0) {
      pump(now);
    }
  }
  return std::nullopt;
}

std::optional<Event> Core::on_record(Instant now, const local::RecordView& view) {
  auto decoded = local::decode_gateway_record(view);
  if (!decoded) {
    give_up(decoded.error().message);
    return std::nullopt;
  }
  std::optional<Event> event;
  const bool first = !ready_;
  if (first && !std::holds_alternative<local::Welcome>(*decoded) &&
      !std::holds_alternative<local::ErrorRecord>(*decoded)) {
    give_up("the gateway spoke before Welcome");
    return std::nullopt;
  }
  std::visit(
      [&](const auto& record) {
        using Record = std::decay_t<decltype(record)>;
        if constexpr (std::is_same_v<Record, local::Welcome>) {
          on_welcome(record);
        } else if constexpr (std::is_same_v<Record, local::Declared>) {
          on_declared(now, record);
        } else if constexpr (std::is_same_v<Record, local::Covered>) {
          on_covered(record);
        } else if constexpr (std::is_same_v<Record, local::Subscribed>) {
          on_subscribed(now, record, event);
        } else if constexpr (std::is_same_v<Record, local::Transfer>) {
          event = on_transfer(record);
        } else if constexpr (std::is_same_v<Record, local::ClockReached>) {
          on_clock_reached(record);
        } else if constexpr (std::is_same_v<Record, local::ErrorRecord>) {
          give_up(record.text.empty() ? "the gateway closed" : record.text);
        } else {
          on_answer(record);
        }
      },
      *decoded);
  if (first && ready_) {
    pump(now);
  }
  return event;
}

void Core::on_welcome(const local::Welcome& record) {
  if (record.version < local::kVersionMin || record.version > local::kVersionMax) {
    give_up("the gateway speaks an unknown version of the local channel");
    return;
  }
  said_workers_ = record.workers;
  const std::uint32_t workers = std::max(1U, record.workers);
  if (record.worker != options_.worker || (options_.workers != 0 && options_.workers != workers)) {
    give_up(fmt::format("worker {} of {} answers where worker {} of {} was expected",
                        record.worker,
                        workers,
                        options_.worker,
                        options_.workers));
    return;
  }
  for (const auto& topic : topics_) {
    if (topic->sharding.shards > 1 && record.workers == 0) {
      give_up(fmt::format("topic {} has {} shards, and the gateway knows none",
                          topic->options.name,
                          topic->sharding.shards));
      return;
    }
  }
  site_ = record.site;
  sites_ = record.sites;
  ready_ = true;
}

void Core::on_declared(Instant now, const local::Declared& record) {
  TopicPart* const topic = topic_of(record.handle);
  if (topic == nullptr) {
    return;
  }
  if (record.code == Code::kFull && topic->has_opened) {
    // Room comes back; what is not safe is kept until then.
    open_again(static_cast<std::uint32_t>(record.handle));
    topic->declare_after = now + kAskAgain;
    note_error(record.error);
    return;
  }
  if (record.code != Code::kOk || !record.error.empty()) {
    topic->state = TopicState::kFailed;
    topic->error = {record.code == Code::kOk ? Code::kRefused : record.code, record.error};
    room_.give_back(topic->outbox.refuse_all(record.error));
    return;
  }
  topic->state = TopicState::kOpen;
  topic->has_opened = true;
  topic->memory_bound = record.memory_bound;
  topic->sites = record.sites;
  if (topic->outbox.last_sent() == 0) {
    topic->replaces = record.publisher_before;
  }
  const bool is_new_life = topic->life != record.incarnation;
  if (is_new_life || !topic->unanswered_told) {
    topic->publishers_forgotten = record.publishers_forgotten;
  }
  if (is_new_life) {
    topic->life = record.incarnation;
    topic->covered.clear();
    topic->outbox.begin_life();
  }
  if (record.seed_wanted && !topic->seed.empty()) {
    topic->seed_at = 0;
  }
}

void Core::on_answer(const local::Safe& record) {
  if (TopicPart* const topic = topic_of(record.topic)) {
    const std::size_t freed = topic->outbox.on_safe(record.number, record.accepted, topic->life);
    room_.give_back(freed);
    stats_.publishes_safe += freed != 0 ? 1 : 0;
  }
}

void Core::on_answer(const local::Duplicate& record) {
  if (TopicPart* const topic = topic_of(record.topic)) {
    const std::size_t freed = topic->outbox.on_duplicate(record.number);
    room_.give_back(freed);
    stats_.publishes_duplicate += freed != 0 ? 1 : 0;
  }
}

void Core::on_answer(const local::Refused& record) {
  if (TopicPart* const topic = topic_of(record.topic)) {
    std::string detail = record.text;
    if (record.element != local::kNoElement) {
      detail = fmt::format(
          "element {}: {}", topic->sharding.to_global(topic->shard, record.element), record.text);
    }
    const std::size_t freed = record.code == Code::kNotFound
                                  ? topic->outbox.on_unknown(record.number, std::move(detail))
                                  : topic->outbox.on_refused(record.number, std::move(detail));
    room_.give_back(freed);
    stats_.publishes_refused += freed != 0 ? 1 : 0;
  }
}

void Core::on_covered(const local::Covered& record) {
  if (TopicPart* const topic = topic_of(record.topic)) {
    if (topic->covered.size() < local::kSitesMax || topic->covered.contains(record.site)) {
      std::uint64_t& covered = topic->covered[record.site];
      covered = std::max(covered, record.accepted);
    }
  }
}

void Core::on_clock_reached(const local::ClockReached& record) {
  const auto found = waits_.find(record.request);
  if (found == waits_.end()) {
    return;
  }
  if (!topics_[found->second.topic]->may_receive()) {
    found->second.sent = false;  // its changes come again, and so must the answer behind them
  } else {
    found->second.outcome = ClockOutcome{
        .kind = record.missing.empty() ? ClockOutcome::Kind::kOk : ClockOutcome::Kind::kPartial,
        .missing = record.missing};
  }
}

void Core::on_subscribed(Instant now,
                         const local::Subscribed& record,
                         std::optional<Event>& event) {
  TopicPart* const topic = topic_of(record.topic);
  if (topic == nullptr || topic->subscribes_pending == 0) {
    give_up("the gateway answered a subscription that does not exist");
    return;
  }
  --topic->subscribes_pending;
  if (topic->subscribes_pending > 0 || !topic->subscribe_sent) {
    return;  // of a subscription that was given up
  }
  if (record.code != Code::kOk) {
    topic->lose_place(now + kAskAgain);
    note_error(record.error);
    return;
  }
  topic->without_place = false;
  // What it published itself comes again as well, since it cannot be told from the others' then.
  if (!record.resumed && topic->asked_before && topic->holds_changes()) {
    const auto index = static_cast<std::uint32_t>(record.topic);
    restart(index);
    event = Restart{index};
    return;
  }
  topic->from = record.from;
  topic->lanes_open = true;
  if (!record.resumed) {
    topic->forget_received();
  }
}

std::optional<Event> Core::on_transfer(const local::Transfer& record) {
  TopicPart* const topic = topic_of(record.topic);
  if (topic == nullptr || !topic->has_subscribed) {
    give_up("the gateway sent a transfer on a lane that is not open");
    return std::nullopt;
  }
  if (!topic->lanes_open) {
    return std::nullopt;  // of a subscription that was given up
  }
  const std::uint64_t lane_bit = std::uint64_t{1} << record.lane;
  std::uint64_t& frontier = topic->frontier[record.lane];
  if (record.k <= frontier) {
    ++stats_.transfers_skipped;
    topic->receipts_owed |= lane_bit;  // the receipt was lost with a connection
    return std::nullopt;
  }
  if (record.k != frontier + 1) {
    give_up("the gateway left out a transfer");
    return std::nullopt;
  }
  local::SectionReader check(record);
  while (const auto section = check.next()) {
    if (section->first + section->count > topic->elements()) {
      give_up("the gateway sent changes beyond the end of the topic");
      return std::nullopt;
    }
  }
  const bool adds_up = topic->sum || topic->subscription == Subscription::kPolled;
  local::SectionReader sections(record);
  for (auto section = sections.next(); adds_up && section; section = sections.next()) {
    for_each_piece_of_topic(topic->sharding,
                            topic->shard,
                            *section,
                            [&](std::uint64_t first, std::span<const std::int64_t> values) {
                              if (topic->sum) {
                                topic->sum->add(first, values);
                              }
                              if (topic->subscription == Subscription::kPolled) {
                                topic->pending.add(first, values);
                              }
                            });
  }
  const Delivery delivery{static_cast<std::uint32_t>(record.topic), topic->shard, record};
  delivered_ = delivery;
  if (topic->subscription == Subscription::kCallback) {
    return delivery;
  }
  finish_delivery();
  return std::nullopt;
}

// The transfer that was handed out is applied: its number is in the frontier from here on.
void Core::finish_delivery() {
  if (delivered_) {
    TopicPart& topic = *topics_[delivered_->topic];
    topic.frontier[delivered_->transfer.lane] = delivered_->transfer.k;
    topic.receipts_owed |= std::uint64_t{1} << delivered_->transfer.lane;
    ++stats_.transfers_applied;
    delivered_.reset();
  }
}

}  // namespace godwit::client

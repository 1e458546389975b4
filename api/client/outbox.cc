#include "api/client/outbox.h"

#include <algorithm>
#include <utility>

#include "api/client/block_sums.h"
#include "dataplane/base/assert.h"

namespace godwit::client {
namespace {

constexpr std::size_t kDataHeadBytes = 24;  // api/local/SPEC.md, PublishData

// Remaining time as the record wants it: an update that is late still travels, as the most urgent.
Duration remaining(Instant due, Instant now) {
  if (due == Instant::never()) {
    return Duration::zero();
  }
  return std::max(due - now, Duration::ns(1));
}

template <class Value>
std::span<const Value> part_of(const std::vector<std::byte>& bytes,
                               std::uint64_t first,
                               std::uint64_t count) {
  const void* const place = bytes.data();
  return {static_cast<const Value*>(place) + first, count};
}

}  // namespace

std::uint64_t Outbox::add(Publish publish) {
  GODWIT_ASSERT(publish.count >= 1);
  GODWIT_ASSERT(publish.values.size() == publish.count * publish.width());
  entries_.push_back({.publish = std::move(publish)});
  ++unsafe_count_;
  return last_number();
}

void Outbox::tick(std::uint64_t clock) {
  const PendingTick tick{last_number(), clock};
  last_tick_ = tick;
  if (!ticks_.empty() && ticks_.back().after == tick.after) {
    ticks_.back() = tick;
  } else {
    ticks_.push_back(tick);
  }
}

bool Outbox::is_answered(std::uint64_t number) const {
  std::uint64_t at = first_number_;
  while (at <= number && state(at) != PublishState::kUnsafe) {
    ++at;
  }
  return at > number;
}

PumpResult Outbox::pump(local::Channel& channel,
                        local::TopicHandle topic,
                        Instant now,
                        std::uint64_t last) {
  const bool at_start = stage_ == Stage::kBegin;
  const std::uint64_t end = std::min(last, last_number()) + 1;
  while (at_start && cursor_ < end && state(cursor_) != PublishState::kUnsafe) {
    ++cursor_;
  }
  if (at_start && !ticks_.empty() && ticks_.front().after < cursor_) {
    if (!local::send(channel, local::Tick{topic, ticks_.front().clock})) {
      return PumpResult::kNoRoom;
    }
    ticks_.pop_front();
    return PumpResult::kSent;
  }
  if (cursor_ >= end) {
    return PumpResult::kNothing;
  }
  return send_stage(channel, topic, now) ? PumpResult::kSent : PumpResult::kNoRoom;
}

bool Outbox::send_stage(local::Channel& channel, local::TopicHandle topic, Instant now) {
  const Publish& publish = entries_[cursor_ - first_number_].publish;
  switch (stage_) {
    case Stage::kBegin: {
      const local::PublishBegin begin{.topic = topic,
                                      .number = cursor_,
                                      .step = publish.step,
                                      .first = publish.first,
                                      .count = publish.count,
                                      .deadline = remaining(publish.due, now)};
      if (!local::send(channel, begin)) {
        return false;
      }
      last_sent_ = std::max(last_sent_, cursor_);
      stage_ = Stage::kData;
      sent_values_ = 0;
      return true;
    }
    case Stage::kData:
      return send_data(channel, topic);
    case Stage::kCommit:
      if (!local::send(channel, local::PublishCommit{topic, cursor_})) {
        return false;
      }
      advance();
      return true;
  }
  return false;
}

// Sends the next values, as many as one record carries, cut where a block of the topic ends.
bool Outbox::send_data(local::Channel& channel, local::TopicHandle topic) {
  const Publish& publish = entries_[cursor_ - first_number_].publish;
  const std::size_t width = publish.width();
  const std::size_t room =
      std::min(local::kValuesBytesMax, channel.body_bytes_max() - kDataHeadBytes);
  const std::uint64_t at = publish.first + sent_values_;
  const std::uint64_t left = publish.count - sent_values_;
  std::uint64_t count = room / width;
  const std::uint64_t block_end = (at + count) / kBlockElements * kBlockElements;
  count = std::min(left, block_end > at ? block_end - at : count);
  local::PublishData data{.topic = topic, .number = cursor_, .first = at};
  if (publish.fixed) {
    data.fixed = part_of<std::int64_t>(publish.values, sent_values_, count);
  } else {
    data.values = part_of<float>(publish.values, sent_values_, count);
  }
  if (!local::send(channel, data)) {
    return false;
  }
  sent_values_ += count;
  if (sent_values_ == publish.count) {
    stage_ = Stage::kCommit;
  }
  return true;
}

void Outbox::advance() {
  ++cursor_;
  stage_ = Stage::kBegin;
  sent_values_ = 0;
}

std::size_t Outbox::rewind() {
  std::size_t sent_before = 0;
  const std::uint64_t end = first_number_ + entries_.size();
  const std::uint64_t touched = cursor_ + (stage_ == Stage::kBegin ? 0 : 1);
  for (std::uint64_t number = first_number_; number < std::min(touched, end); ++number) {
    sent_before += state(number) == PublishState::kUnsafe ? 1U : 0U;
  }
  sent_before_ = std::max(sent_before_, cursor_ - 1);
  cursor_ = first_number_;
  stage_ = Stage::kBegin;
  sent_values_ = 0;
  ticks_.clear();
  if (last_tick_) {
    ticks_.push_back(*last_tick_);
  }
  return sent_before;
}

std::size_t Outbox::finish(std::uint64_t number, PublishState state, std::string detail) {
  if (this->state(number) != PublishState::kUnsafe) {
    return 0;
  }
  Entry& entry = entries_[number - first_number_];
  const std::size_t freed = entry.publish.cost();
  entry.state = state;
  entry.detail = std::move(detail);
  // Not `= {}`, which would keep the memory. One buffer is kept on purpose, for the next publish.
  spare_ = std::exchange(entry.publish.values, std::vector<std::byte>());
  --unsafe_count_;
  if (number == cursor_ && stage_ != Stage::kBegin) {
    advance();  // answered before it was sent whole: the rest need not go out
  }
  return freed;
}

std::size_t Outbox::on_safe(std::uint64_t number, std::uint64_t accepted, Incarnation life) {
  const std::size_t freed = finish(number, PublishState::kSafe);
  if (freed != 0) {
    entries_[number - first_number_].accepted = accepted;
    entries_[number - first_number_].life = life;
  }
  forget_old();
  return freed;
}

std::size_t Outbox::on_duplicate(std::uint64_t number) {
  const std::size_t freed = finish(number, PublishState::kDuplicate);
  forget_old();
  return freed;
}

std::size_t Outbox::on_refused(std::uint64_t number, std::string detail) {
  const std::size_t freed = finish(number, PublishState::kRefused, std::move(detail));
  forget_old();
  return freed;
}

std::size_t Outbox::on_unknown(std::uint64_t number, std::string detail) {
  const std::size_t freed = finish(number, PublishState::kUnknown, std::move(detail));
  forget_old();
  return freed;
}

std::size_t Outbox::refuse_all(const std::string& detail) {
  std::size_t freed = 0;
  const std::uint64_t end = first_number_ + entries_.size();
  for (std::uint64_t number = first_number_; number < end; ++number) {
    const bool may_be_merged = number <= sent_before_;
    freed +=
        finish(number, may_be_merged ? PublishState::kUnknown : PublishState::kRefused, detail);
  }
  forget_old();
  return freed;
}

// Drops the oldest outcomes; what is unsafe, or not yet behind the cursor, stays.
void Outbox::forget_old() {
  while (entries_.size() > kFinishedRemembered + unsafe_count_ &&
         entries_.front().state != PublishState::kUnsafe && cursor_ > first_number_) {
    entries_.pop_front();
    ++first_number_;
  }
}

std::uint64_t Outbox::last_unanswered() const {
  std::uint64_t number = std::max(cursor_ - 1, sent_before_);
  while (number >= first_number_ && state(number) != PublishState::kUnsafe) {
    --number;
  }
  return number >= first_number_ ? number : 0;
}

std::size_t Outbox::held_bytes() const {
  std::size_t bytes = spare_.capacity();
  for (const Entry& entry : entries_) {
    bytes += entry.publish.values.capacity();
  }
  return bytes;
}

const Outbox::Entry* Outbox::find(std::uint64_t number) const {
  if (number < first_number_ || number - first_number_ >= entries_.size()) {
    return nullptr;
  }
  return &entries_[number - first_number_];
}

PublishState Outbox::state(std::uint64_t number) const {
  const Entry* const entry = find(number);
  return entry == nullptr ? PublishState::kForgotten : entry->state;
}

Outbox::Accepted Outbox::accepted(std::uint64_t number) const {
  const Entry* const entry = find(number);
  return entry == nullptr ? Accepted{} : Accepted{entry->accepted, entry->life};
}

std::string Outbox::detail(std::uint64_t number) const {
  const Entry* const entry = find(number);
  return entry == nullptr ? std::string() : entry->detail;
}

}  // namespace godwit::client

// What a client publishes: its range, its values and its commit, on their way to the ledger's door.

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "api/gateway/client_session.h"
#include "api/local/value_range.h"
#include "codec/kernels.h"
#include "dataplane/base/crash_point.h"
#include "dataplane/base/log.h"

namespace godwit::gateway {

// False once a newer life of the same publisher has taken the inbox over, or there is none.
bool ClientSession::owns_inbox(const Declared& declared) const {
  if (!declared.inbox) {
    return false;
  }
  const ledger::InboxInfo info = declared.topic->ledger().inbox(*declared.inbox);
  return info.publisher == hello_.publisher && info.incarnation == hello_.incarnation;
}

// True while the ring of an earlier process of this publisher is not yet empty: the first publish
// of the later one takes the inbox over, and would cut off what the earlier one has left.
bool ClientSession::predecessor_leaves() const {
  const auto end = core_.present.lower_bound({hello_.publisher, number_});
  return std::any_of(core_.present.lower_bound({hello_.publisher, 0}), end, [](const auto& one) {
    return one.second.leaves;
  });
}

// True when a later process of this publisher has taken its inbox, and is still there.
bool ClientSession::successor_publishes(const ledger::Ledger& ledger) const {
  const auto inbox = ledger.find_inbox(hello_.publisher);
  if (!inbox) {
    return false;
  }
  const Incarnation holder = ledger.inbox(*inbox).incarnation;
  for (auto at = core_.present.upper_bound({hello_.publisher, number_});
       at != core_.present.end() && at->first.first == hello_.publisher;
       ++at) {
    if (at->second.incarnation == holder) {
      return true;
    }
  }
  return false;
}

// True when the publish was sent before, to this life of the topic, and its publisher may since
// have lost its place, with the number of its last publish: to merge it might be to merge it twice.
bool ClientSession::is_forgotten(const Declared& declared) const {
  const ledger::Ledger& ledger = declared.topic->ledger();
  const auto& unanswered = declared.unanswered;
  return unanswered && declared.publishing.number <= unanswered->until &&
         unanswered->incarnation == ledger.incarnation() &&
         unanswered->publishers_forgotten != ledger.publishers_forgotten() &&
         ledger.last_process(hello_.publisher) == Incarnation();
}

ClientSession::Taken ClientSession::on(Instant now, const local::PublishBegin& record) {
  Declared* declared = find(record.topic);
  if (declared == nullptr) {
    if (refused_.contains(record.topic)) {
      reply(local::Refused{.topic = record.topic,
                           .number = record.number,
                           .code = Code::kRefused,
                           .text = "the declaration of the topic was refused"});
    }
    return not_declared(record.topic, "PublishBegin");
  }
  Topic& topic = *declared->topic;
  ledger::Ledger& ledger = topic.ledger();
  // A begin that was stalled is due as it was when it was met first.
  const bool met = declared->publishing.number == record.number && !declared->publishing.skipping;
  declared->publishing = {
      .number = record.number,
      .first = record.first,
      .count = record.count,
      .due = met ? declared->publishing.due : topic.deadlines().due(now, record.deadline)};
  if (predecessor_leaves()) {
    return Taken::kStalled;
  }
  if (!declared->inbox && is_forgotten(*declared)) {
    return refuse_publish(
        *declared,
        record.topic,
        PublishRefusal::kOther,
        {Code::kNotFound,
         "while its publisher was away its place was given to another one: whether "
         "this publish was merged before is not known. A client with a name keeps "
         "its place"});
  }
  if (!declared->inbox && !successor_publishes(ledger)) {
    // Also one that was closed: it may hold what the client was not answered.
    const bool known = ledger.find_inbox(hello_.publisher).has_value() ||
                       ledger.last_process(hello_.publisher) == hello_.incarnation;
    const auto room =
        known ? Result<void>{}
              : core_.check_budget(topic, topic.memory_bound_with_publisher(), "publisher");
    if (!room) {
      return refuse_publish(*declared, record.topic, PublishRefusal::kNoMemory, room.error());
    }
    const auto inbox = ledger.open_inbox(
        hello_.publisher, hello_.incarnation, publisher_kind(), declared->replaces);
    if (!inbox && inbox.error().code == Code::kFull) {
      return refuse_publish(*declared, record.topic, PublishRefusal::kOther, inbox.error());
    }
    if (!inbox) {
      return break_with(inbox.error().code, inbox.error().message);
    }
    declared->inbox = *inbox;
  }
  if (!owns_inbox(*declared)) {
    return break_with(Code::kRefused, "another process publishes under this client's name");
  }
  if (record.count == 0 || record.first >= topic.spec().element_count() ||
      record.count > topic.spec().element_count() - record.first) {
    return refuse_publish(*declared,
                          record.topic,
                          PublishRefusal::kShape,
                          {Code::kInvalid, "the range is not within the topic"});
  }
  const auto begun = ledger.begin_publish(*declared->inbox,
                                          {.number = record.number,
                                           .step = record.step.value_or(0),
                                           .first = record.first,
                                           .count = record.count});
  if (!begun) {
    return begun.error().code == Code::kFull
               ? Taken::kStalled
               : refuse_publish(*declared, record.topic, PublishRefusal::kOther, begun.error());
  }
  switch (*begun) {
    case ledger::Begin::kFresh:
      break;
    case ledger::Begin::kBusy:
      return Taken::kStalled;
    case ledger::Begin::kDuplicate:
      // The same number was committed before: it is safe, the client missed the answer.
      declared->publishing.skipping = true;
      reply(local::Safe{
          record.topic, record.number, ledger.inbox(*declared->inbox).last_publish.value()});
      break;
    case ledger::Begin::kDuplicateStep:
      declared->publishing.skipping = true;
      ++topic.duplicates;
      reply(local::Duplicate{record.topic, record.number});
      break;
  }
  if (GODWIT_MUTANT(kSafeBeforeCommit) && !declared->publishing.skipping) {
    reply(local::Safe{record.topic, record.number, ledger.last_publish().value()});
    GODWIT_CRASH_POINT();
  }
  return Taken::kDone;
}

ClientSession::Taken ClientSession::refuse_publish(Declared& declared,
                                                   local::TopicHandle handle,
                                                   PublishRefusal reason,
                                                   const Error& error,
                                                   std::uint64_t element) {
  declared.publishing.skipping = true;
  const std::uint64_t count = ++declared.topic->refused.at(static_cast<std::size_t>(reason));
  if (is_milestone(count)) {
    const TopicSpec& spec = declared.topic->spec();
    const std::string where =
        element == local::kNoElement
            ? std::string()
            : fmt::format("element {}: ", spec.sharding.to_global(spec.id.shard, element));
    log::warn("topic {}: a publish of {} is refused: {}{} ({} such so far)",
              spec.name,
              label(),
              where,
              error.message,
              count);
  }
  reply(local::Refused{.topic = handle,
                       .number = declared.publishing.number,
                       .code = error.code,
                       .element = element,
                       .text = error.message});
  return Taken::kDone;
}

// In the topic's own units, as the client published them.
ClientSession::Taken ClientSession::refuse_sum(Declared& declared,
                                               local::TopicHandle handle,
                                               const ledger::BeyondRange& beyond) {
  const std::uint32_t fraction_bits = declared.topic->spec().fraction_bits;
  const std::int64_t magnitude_max = declared.topic->ledger().shape().magnitude_max();
  return refuse_publish(
      declared,
      handle,
      PublishRefusal::kOutOfRange,
      {Code::kRefused,
       fmt::format("{} more would take the sum out of the topic's range of {} to {}",
                   local::units(beyond.value, fraction_bits),
                   local::units(-magnitude_max, fraction_bits),
                   local::units(magnitude_max, fraction_bits))},
      beyond.element);
}

ClientSession::Taken ClientSession::on(Instant /*now*/, const local::PublishData& record) {
  Declared* declared = find(record.topic);
  if (declared == nullptr) {
    return not_declared(record.topic, "PublishData");
  }
  if (record.number != declared->publishing.number) {
    return break_with(Code::kInvalid, "PublishData without its PublishBegin");
  }
  if (declared->publishing.skipping) {
    return Taken::kDone;
  }
  if (!owns_inbox(*declared)) {
    return break_with(Code::kInvalid, "PublishData without its PublishBegin");
  }
  Topic& topic = *declared->topic;
  ledger::Ledger& ledger = topic.ledger();
  std::span<const std::int64_t> values = record.fixed;
  if (!record.values.empty()) {
    fixed_.resize(record.values.size());
    const auto converted = codec::to_fixed(record.values,
                                           static_cast<int>(topic.spec().fraction_bits),
                                           ledger.shape().magnitude_max(),
                                           fixed_);
    if (!converted.ok()) {
      ledger.abandon_publish(*declared->inbox);
      return refuse_publish(*declared,
                            record.topic,
                            std::isfinite(converted.rejected->value) ? PublishRefusal::kOutOfRange
                                                                     : PublishRefusal::kNotFinite,
                            {Code::kInvalid,
                             local::out_of_range(static_cast<double>(converted.rejected->value),
                                                 topic.spec().fraction_bits,
                                                 ledger.shape().magnitude_max())},
                            record.first + converted.rejected->index);
    }
    values = fixed_;
  }
  const auto staged = ledger.stage(*declared->inbox, record.first, values);
  if (!staged) {
    return staged.error().code == Code::kFull
               ? Taken::kStalled
               : break_with(staged.error().code, staged.error().message);
  }
  return Taken::kDone;
}

ClientSession::Taken ClientSession::on(Instant /*now*/, const local::PublishCommit& record) {
  Declared* declared = find(record.topic);
  if (declared == nullptr) {
    return not_declared(record.topic, "PublishCommit");
  }
  if (record.number != declared->publishing.number) {
    return break_with(Code::kInvalid, "PublishCommit without its PublishBegin");
  }
  if (declared->publishing.skipping) {
    return Taken::kDone;
  }
  if (!owns_inbox(*declared)) {
    return break_with(Code::kInvalid, "PublishCommit without its PublishBegin");
  }
  ledger::BeyondRange beyond;
  const auto number = declared->topic->ledger().commit_publish(*declared->inbox, &beyond);
  if (!number) {
    switch (number.error().code) {
      case Code::kFull:
        return Taken::kStalled;
      case Code::kRefused:
        return refuse_sum(*declared, record.topic, beyond);
      default:  // values are missing
        return break_with(number.error().code, number.error().message);
    }
  }
  Publishing& publishing = declared->publishing;
  const std::uint64_t last = publishing.first + publishing.count - 1;
  declared->topic->deadlines().on_commit(
      {.number = *number,
       .first_tile = static_cast<std::uint32_t>(publishing.first / ledger::kTileElements),
       .last_tile = static_cast<std::uint32_t>(last / ledger::kTileElements),
       .due = publishing.due});
  publishing.skipping = true;
  reply(local::Safe{record.topic, record.number, number->value()});
  return Taken::kDone;
}

}  // namespace godwit::gateway

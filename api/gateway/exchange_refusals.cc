// The part of Exchange that says what one end does not take, and hears it from the other.
#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "api/gateway/exchange.h"
#include "dataplane/base/log.h"

namespace godwit::gateway {
namespace {

// The stable id of a refusal that an operator must end; nothing for those that pass by themselves,
// when both ends have declared the topic and know each other's life.
std::optional<std::string_view> reason_of(control::Refuse::Code code) {
  switch (code) {
    case control::Refuse::CODE_UNKNOWN_TOPIC:
    case control::Refuse::CODE_INCARNATION_MISMATCH:
      return std::nullopt;
    case control::Refuse::CODE_RESIDENCY:
      return "topic.residency";
    case control::Refuse::CODE_SHAPE_MISMATCH:
      return "topic.shape_mismatch";
    case control::Refuse::CODE_SEED_MISMATCH:
      return "topic.seed_mismatch";
    case control::Refuse::CODE_POLICY_MISMATCH:
      return "topic.policy_mismatch";
    case control::Refuse::CODE_MEMORY:
      return "topic.no_memory";
    default:
      return "topic.refused";
  }
}

// The same as the metric's label, for all codes.
std::string_view label_of(control::Refuse::Code code) {
  switch (code) {
    case control::Refuse::CODE_UNKNOWN_TOPIC:
      return "unknown_topic";
    case control::Refuse::CODE_INCARNATION_MISMATCH:
      return "incarnation_mismatch";
    default:
      break;
  }
  constexpr std::string_view kFirst = "topic.";
  const std::string_view reason = reason_of(code)->substr(kFirst.size());
  return reason == "refused" ? "other" : reason;
}

// `count` refusals of one kind were told of, this one among them.
bool is_logged(std::uint64_t count) {
  return count <= Exchange::kRefusalsLogged || is_milestone(count);
}

}  // namespace

void Exchange::refuse(Instant now,
                      Peer& peer,
                      TopicShard topic,
                      std::string_view name,
                      control::Refuse::Code code,
                      std::string_view text) {
  const std::uint64_t count = ++peer.topics_refused_here[label_of(code)];
  if (is_logged(count)) {
    log::warn("topic {:016x}, shard {}, refused to {}: {} ({}, {} so far)",
              topic.topic.value(),
              topic.shard,
              peer.site().name,
              printable(text),
              label_of(code),
              count);
  }
  if (const auto reason = reason_of(code)) {
    const auto known = peer.refused_topics.find(topic);
    if (known != peer.refused_topics.end()) {
      const bool is_same = known->second.refusal.reason == *reason;
      known->second.refusal = {
          *reason, printable(text), is_same ? known->second.refusal.since : now};
    } else if (peer.refused_topics.size() < kAnnouncedMax) {
      peer.refused_topics[topic] = {printable(name), {*reason, printable(text), now}};
    }
  }
  control::ControlMessage message;
  auto* refusal = message.mutable_refuse();
  refusal->set_topic(topic.topic.value());
  refusal->set_shard(topic.shard);
  refusal->set_code(code);
  refusal->set_text(printable(text));
  peer.send(message);
}

// The link and its other topics go on.
void Exchange::refuse_lane(Instant now, Topic& topic, Peer& peer, const Error& why) {
  const TopicSpec& spec = topic.spec();
  if (why.code != Code::kUnsupported) {
    return refuse(
        now, peer, spec.id, spec.name, control::Refuse::CODE_INCARNATION_MISMATCH, why.message);
  }
  refuse(now,
         peer,
         spec.id,
         spec.name,
         control::Refuse::CODE_SHAPE_MISMATCH,
         fmt::format("topic {}: its sums at {} were made for other sites and have no place for {} "
                     "({}); make it anew, under another name or after its files are removed",
                     spec.name,
                     core_.config.site,
                     peer.site().name,
                     why.message));
}

Result<void> Exchange::on_refuse(Instant now, Peer& peer, const control::Refuse& refuse) {
  Topic* topic = nullptr;
  PeerLanes* lanes = find_lanes(peer, shard_of(refuse), &topic);
  if (lanes == nullptr) {
    return {};  // of a topic that was never offered
  }
  if (refuse.code() == control::Refuse::CODE_UNKNOWN_TOPIC) {
    lanes->announced = false;  // it was not remembered: said again when the peer declares the topic
  }
  const std::uint64_t count = ++peer.topics_refused_there[label_of(refuse.code())];
  const auto reason = reason_of(refuse.code());
  const bool is_told = reason && lanes->refusal && lanes->refusal->reason == *reason;
  const std::string text = printable(refuse.text());
  if (!is_told && is_logged(count)) {
    log::warn("{} refuses topic {}: {}", peer.site().name, topic->spec().name, text);
  }
  if (reason) {
    const Instant since = is_told ? lanes->refusal->since : now;
    lanes->refusal = Refusal{.reason = *reason, .text = text, .since = since};
  }
  return {};
}

}  // namespace godwit::gateway

// The subscribing half of ClientSession: a lane to the client, begun, resumed or begun again.
#include <memory>

#include <fmt/format.h>

#include "api/gateway/client_session.h"

namespace godwit::gateway {

// The client's other topics go on.
ClientSession::Taken ClientSession::refuse_subscription(Instant now,
                                                        const local::Subscribe& record,
                                                        const Error& error) {
  if (!record.may_be_refused) {
    return break_with(error.code, error.message);
  }
  note_refusal(now, ClientRequest::kSubscription, error, declared_.at(record.topic).unsubscribed);
  reply(local::Subscribed{.topic = record.topic, .code = error.code, .error = error.message});
  return Taken::kDone;
}

ClientSession::Taken ClientSession::on(Instant now, const local::Subscribe& record) {
  Declared* declared = find(record.topic);
  if (declared == nullptr) {
    return not_declared(record.topic, "Subscribe");
  }
  Topic& topic = *declared->topic;
  ledger::Ledger& ledger = topic.ledger();
  // A publisher has one lane, whatever number its process gives the subscription. One that is there
  // keeps its name: earlier versions mixed that number into it.
  ledger::LaneKey key{ledger::LaneKind::kSubscriber, hello_.publisher.value(), record.incarnation};
  std::uint64_t frontier = 0;
  bool known = false;
  bool resumed = false;
  for (const auto index : ledger.lanes()) {
    const ledger::LaneInfo there = ledger.lane(index);
    if (there.key.kind != key.kind || there.own_publisher != hello_.publisher) {
      continue;
    }
    const auto held = topic.subscribers.find(index);
    if (held != topic.subscribers.end()) {
      if (held->second != this || there.key.to_incarnation == record.incarnation) {
        return break_with(Code::kDuplicate, "the subscription is held already");
      }
      topic.subscribers.erase(held);  // it begins again, from zero
      std::erase_if(subscriptions_,
                    [&](const auto& subscription) { return &subscription->topic() == &topic; });
    }
    known = true;
    resumed = record.from == ledger.incarnation() && there.key.to_incarnation == record.incarnation;
    key.to = there.key.to;
  }
  if (!known) {
    if (ledger.occupancy().subscriber_lanes >= Topic::kSubscribersMax) {
      return refuse_subscription(
          now,
          record,
          {Code::kFull,
           fmt::format("topic {}: its {} subscribers at this site are there already",
                       topic.spec().name,
                       Topic::kSubscribersMax)});
    }
    const auto room = core_.check_budget(topic, topic.memory_bound_with_subscriber(), "subscriber");
    if (!room) {
      return refuse_subscription(now, record, room.error());
    }
  }
  if (record.from == ledger.incarnation()) {
    frontier = resumed && !record.resume.empty() ? record.resume.front().frontier : 0;
  }
  const auto lane = ledger.open_lane(key, {.own_publisher = hello_.publisher});
  if (!lane) {
    return refuse_subscription(now, record, lane.error());
  }
  if (frontier >= ledger.lane(*lane).next_k) {
    return break_with(Code::kCorrupt, "Subscribe: it resumes beyond what was sent");
  }
  declared->unsubscribed.reset();
  topic.subscribers[*lane] = this;
  reply(local::Subscribed{record.topic, ledger.incarnation(), resumed});
  subscriptions_.push_back(
      std::make_unique<Subscription>(core_, topic, record.topic, *lane, frontier));
  if (frontier > 0) {
    static_cast<void>(subscriptions_.back()->on_receipt(frontier));
  }
  return Taken::kDone;
}

ClientSession::Taken ClientSession::on(Instant /*now*/, const local::Receipt& record) {
  for (const auto& subscription : subscriptions_) {
    if (subscription->handle() == record.topic) {
      const auto taken = subscription->on_receipt(record.frontier);
      return taken ? Taken::kDone : break_with(taken.error().code, taken.error().message);
    }
  }
  return break_with(Code::kInvalid, "Receipt without a subscription");
}

}  // namespace godwit::gateway

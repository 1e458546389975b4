// The sending half of Core: what goes into the ring, in which order.
//
// First what is small and what others wait for (Hello, topics, subscriptions, receipts, clock
// waits), then one bulk record per topic in turn, until the ring is full.
#include <algorithm>
#include <bit>

#include "api/client/core.h"

namespace godwit::client {
namespace {

// A client has one subscription of a topic at most, so it needs no other number: above all not the
// topic's place on a connection, which may be another one in the client's next process.
constexpr SubscriberId kSubscriber{1};

// The gateway answers a clock wait a little before the application stops waiting, so that
// `partial` and its list of sites arrive in time: an eighth, at most 20 ms. Chosen.
Duration time_for_gateway(Duration left) {
  return left - std::min(left / 8, Duration::ms(20));
}

}  // namespace

void Core::pump(Instant now) {
  if (channel_ == nullptr || !failure_.empty()) {
    return;
  }
  if (!hello_sent_) {
    hello_sent_ = local::send(*channel_,
                              local::Hello{.client_name = options_.name,
                                           .publisher = options_.publisher,
                                           .incarnation = options_.incarnation});
  }
  if (!ready_) {
    return;
  }
  for (std::uint32_t index = 0; index < topics_.size(); ++index) {
    if (!pump_control(now, index)) {
      return;
    }
  }
  if (!pump_waits(now)) {
    return;
  }
  std::size_t idle = 0;
  while (idle < topics_.size()) {
    next_topic_ = next_topic_ + 1 < topics_.size() ? next_topic_ + 1 : 0;
    const PumpResult result = pump_bulk(now, next_topic_);
    if (result == PumpResult::kNoRoom) {
      return;
    }
    idle = result == PumpResult::kNothing ? idle + 1 : 0;
  }
}

bool Core::pump_control(Instant now, std::uint32_t index) {
  TopicPart& topic = *topics_[index];
  const local::TopicHandle handle{index};
  if (!topic.may_ask(now)) {
    return true;
  }
  topic.declare_after = {};
  if (!topic.declare_sent) {
    const TopicOptions& options = topic.options;
    local::Declare declare{.handle = handle,
                           .topic = options.name,
                           .element_count = options.element_count,
                           .fraction_bits = options.fraction_bits,
                           .tolerance = options.tolerance,
                           .tenant = options.tenant,
                           .service_class = options.service_class,
                           .allowed_sites = options.allowed_sites,
                           .deadline = options.update_deadline,
                           .has_seed = !topic.seed.empty(),
                           .seed_hash = topic.seed_hash,
                           .shards = topic.sharding.shards,
                           .shard = topic.shard};
    if (topic.outbox.last_sent() > 0) {
      declare.replaces = topic.replaces;
    }
    const std::uint64_t unanswered = topic.outbox.last_unanswered();
    topic.unanswered_told = unanswered != 0;
    if (topic.unanswered_told) {
      declare.unanswered = {.until = unanswered,
                            .incarnation = topic.life,
                            .publishers_forgotten = topic.publishers_forgotten};
    }
    if (options.significance.threshold > 0.0) {
      declare.significance = {.kind = local::SignificanceFilter::Kind::kRelative,
                              .threshold = options.significance.threshold,
                              .decays_with_clock = options.significance.decays_with_clock};
    }
    topic.declare_sent = local::send(*channel_, declare);
    if (!topic.declare_sent) {
      return false;
    }
  }
  if (topic.watch && !topic.watch_sent) {
    topic.watch_sent = local::send(*channel_, local::WatchCoverage{handle});
    if (!topic.watch_sent) {
      return false;
    }
  }
  return pump_subscription(now, index);
}

bool Core::pump_subscription(Instant now, std::uint32_t index) {
  TopicPart& topic = *topics_[index];
  const local::TopicHandle handle{index};
  if (topic.has_to_begin && topic.outbox.is_answered(topic.begins_after)) {
    topic.has_to_begin = false;
  }
  if (topic.subscription == Subscription::kNone || !topic.may_subscribe(now)) {
    return true;
  }
  if (!topic.subscribe_sent) {
    topic.subscribe_after = {};
    local::Subscribe subscribe{.topic = handle,
                               .subscriber = kSubscriber,
                               .incarnation = topic.incarnation,
                               .from = topic.from,
                               .resume = {}};
    for (std::uint16_t lane = 0; lane < local::kLanesMax; ++lane) {
      if (topic.frontier[lane] != 0) {
        subscribe.resume.push_back({lane, topic.frontier[lane]});
      }
    }
    topic.subscribe_sent = local::send(*channel_, subscribe);
    if (!topic.subscribe_sent) {
      return false;
    }
    topic.has_subscribed = true;
    ++topic.subscribes_pending;
  }
  while (topic.lanes_open && topic.receipts_owed != 0) {
    const auto lane = static_cast<std::uint16_t>(std::countr_zero(topic.receipts_owed));
    if (!local::send(*channel_, local::Receipt{handle, lane, topic.frontier[lane]})) {
      return false;
    }
    topic.receipts_owed &= topic.receipts_owed - 1;
  }
  return true;
}

bool Core::pump_waits(Instant now) {
  auto waiting =
      static_cast<std::size_t>(std::count_if(waits_.begin(), waits_.end(), [](const auto& one) {
        return one.second.sent && !one.second.outcome;
      }));
  for (auto& [request, wait] : waits_) {
    const TopicPart& topic = *topics_[wait.topic];
    if (wait.sent || wait.outcome || wait.deadline <= now || !topic.may_ask(now) ||
        !topic.may_receive()) {
      continue;
    }
    if (waiting++ >= local::kWaitsMax) {
      break;  // the gateway takes no more; the next answer makes room
    }
    wait.sent = local::send(*channel_,
                            local::WaitClock{.topic = local::TopicHandle{wait.topic},
                                             .request = request,
                                             .min_clock = wait.min_clock,
                                             .deadline = time_for_gateway(wait.deadline - now)});
    if (!wait.sent) {
      return false;
    }
  }
  return true;
}

PumpResult Core::pump_bulk(Instant now, std::uint32_t index) {
  TopicPart& topic = *topics_[index];
  const local::TopicHandle handle{index};
  if (!topic.may_ask(now)) {
    return PumpResult::kNothing;
  }
  if (topic.seed_at) {
    constexpr std::size_t kHeadBytes = 16;  // api/local/SPEC.md, SeedChunk
    const std::size_t room =
        std::min(local::kValuesBytesMax, channel_->body_bytes_max() - kHeadBytes) / sizeof(float);
    const auto rest = std::span<const float>(topic.seed).subspan(*topic.seed_at);
    const auto part = rest.first(std::min(room, rest.size()));
    if (!local::send(*channel_, local::SeedChunk{handle, *topic.seed_at, part})) {
      return PumpResult::kNoRoom;
    }
    *topic.seed_at += part.size();
    if (*topic.seed_at == topic.seed.size()) {
      topic.seed_at.reset();
    }
    return PumpResult::kSent;
  }
  if (topic.state != TopicState::kOpen) {
    return PumpResult::kNothing;  // before the first publish it must be known whom it replaces
  }
  const std::uint64_t last = topic.holds_publishes() ? topic.begins_after : Outbox::kNoLimit;
  return topic.outbox.pump(*channel_, handle, now, last);
}

void Core::leave(Instant now) {
  if (channel_ == nullptr) {
    return;
  }
  pump(now);
  if (ready_ && unsafe_count() == 0) {
    // Without room for it the gateway sees the socket close, which costs it only a moment.
    [[maybe_unused]] const bool said = local::send(*channel_, local::Goodbye{});
  }
  on_disconnected(now, "closed");
}

}  // namespace godwit::client

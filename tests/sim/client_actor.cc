#include "tests/sim/client_actor.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include <fmt/format.h>

namespace godwit::sim {
namespace {

// A gateway that is dead cannot answer; the application gives up a little later than it asked for.
constexpr Duration kWaitSlack = Duration::ms(200);

std::vector<std::byte> encode(const std::vector<std::int64_t>& values,
                              bool fixed,
                              std::uint32_t fraction_bits) {
  std::vector<std::byte> bytes(values.size() * (fixed ? sizeof(std::int64_t) : sizeof(float)));
  if (fixed) {
    std::memcpy(bytes.data(), values.data(), bytes.size());
    return bytes;
  }
  std::vector<float> floats(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    floats[i] = std::ldexp(static_cast<float>(values[i]), -static_cast<int>(fraction_bits));
  }
  std::memcpy(bytes.data(), floats.data(), bytes.size());
  return bytes;
}

}  // namespace

ClientActor::ClientActor(
    const Scenario& scenario, std::size_t index, std::uint64_t seed, Trace& trace, Report violation)
    : scenario_(scenario),
      index_(index),
      draw_(scenario.clients[index]),
      topic_(scenario.topics[draw_.topic]),
      name_(fmt::format("client-{}", index)),
      random_(seed),
      trace_(trace),
      violation_(std::move(violation)) {
  if (topic_.has_seed) {
    for (std::uint64_t i = 0; i < topic_.element_count; ++i) {
      seed_values_.push_back(static_cast<float>(i % 7) - 3.0F);
    }
  }
}

bool ClientActor::must_fail() const {
  return !scenario_.may_hold(topic_, draw_.site);
}

void ClientActor::start(Instant now) {
  ++life_;
  client::CoreOptions options;
  options.name = draw_.named ? name_ : std::string();
  options.publisher = draw_.named ? PublisherId::of(name_) : PublisherId(random_.next());
  options.incarnation = {life_, static_cast<std::uint32_t>(random_.next())};
  options.unsafe_bytes_max = std::size_t{4} << 20U;
  options.seed = random_.next();
  client_ = std::make_unique<client::Spread>(options);
  declared_.reset();
  next_publish_ = now;
  retick_ = draw_.ticks && clock_ > 0;
  request_.reset();
}

void ClientActor::declare() {
  TopicOptions topic;
  topic.name = topic_.name;
  topic.element_count = topic_.element_count;
  topic.fraction_bits = topic_.fraction_bits;
  topic.tolerance = std::ldexp(static_cast<double>(topic_.tolerance_quanta),
                               -static_cast<int>(topic_.fraction_bits));
  topic.update_deadline = topic_.deadline;
  topic.significance = {.threshold = topic_.significance,
                        .decays_with_clock = topic_.significance_decays};
  topic.seed = seed_values_;
  topic.shards = topic_.shards;
  const auto index = client_->declare(topic);
  if (!index) {
    violation_(fmt::format("{}: {}", name_, index.error().message));
    return;
  }
  declared_ = *index;
  if (draw_.subscribes) {
    const auto kind = polls() ? client::Subscription::kPolled : client::Subscription::kCallback;
    static_cast<void>(client_->subscribe(*declared_, kind, true));
  }
}

void ClientActor::crash() {
  connection_.reset();
  end();
}

void ClientActor::leave(Instant now) {
  client_->leave(now);
  left_ = true;
  end();
}

void ClientActor::end() {
  client_.reset();
  declared_.reset();
  leaving_ = false;
  for (const std::size_t index : unsafe_) {
    log_[index].fate = Fate::kUnknown;
  }
  unsafe_.clear();
  if (draw_.restarted != Restarted::kRepeats) {
    return;
  }
  // A trainer restored from its checkpoint: everything after it comes again, in order.
  to_repeat_.clear();
  std::size_t from = log_.size();
  while (from > 0 && log_[from - 1].fate == Fate::kUnknown) {
    --from;
  }
  for (std::uint64_t i = 0; i < draw_.repeats_safe && from > 0; ++i) {
    --from;
  }
  for (std::size_t index = log_.size(); index > from; --index) {
    to_repeat_.push_back(index - 1);
  }
}

bool ClientActor::copy_sum(std::span<std::int64_t> out) const {
  return declared_ && client_->copy_sum(*declared_, 0, out);
}

bool ClientActor::wants_dial(Instant now) const {
  return client_ != nullptr && !connection_ && now >= client_->next_dial(kWorker);
}

void ClientActor::connect(Instant now, std::uint64_t connection, local::Channel& channel) {
  connection_ = connection;
  client_->on_connected(now, kWorker, channel);
  poked_ = true;  // it greets as soon as it reads
}

void ClientActor::disconnect(Instant now, std::string_view reason) {
  if (client_ && connection_) {
    client_->on_disconnected(now, kWorker, reason);
  }
  connection_.reset();
}

bool ClientActor::can_publish(Instant now) const {
  return has_to_publish() && now >= next_publish_;
}

bool ClientActor::has_to_publish() const {
  return draw_.publishes && declared_ && !request_ && unsafe_.size() < draw_.unsafe_max &&
         (!to_repeat_.empty() || (!finishing_ && !leaving_ && made_ < draw_.publishes_max));
}

Instant ClientActor::next_event() const {
  if (client_ == nullptr) {
    return Instant::never();
  }
  Instant next = connection_ ? client_->next_wakeup(kWorker) : client_->next_dial(kWorker);
  if (has_to_publish()) {
    next = std::min(next, next_publish_);
  }
  if (request_) {
    next = std::min(next, wait_until_ + kWaitSlack);
  }
  if (declared_ && client_->has_pending(*declared_)) {
    next = stalled_until_;  // it polls in one of the next turns
  }
  return std::max(poked_ ? stalled_until_ : next, stalled_until_);
}

void ClientActor::turn(Instant now) {
  if (client_ == nullptr) {
    return;
  }
  poked_ = now < stalled_until_;
  if (poked_) {
    return;
  }
  while (const auto event = client_->receive(now)) {
    if (std::holds_alternative<client::Restart>(*event)) {
      on_restart();
    }
  }
  if (!declared_ && client_->is_ready()) {
    declare();
  }
  learn_fates(now);
  finish_wait(now);
  poll();
  act(now);
  client_->pump(now);
  if (leaving_ && connection_ && settled()) {
    leave(now);
  }
}

// Now and then, so that there are publishes between a restart and the poll that tells it.
void ClientActor::poll() {
  constexpr std::uint32_t kEvery = 5;
  if (!declared_ || !polls() || ++turns_ % kEvery != 0) {
    return;
  }
  bool restarted = false;
  client_->recycle(*declared_, client_->take_pending(*declared_, restarted));
  if (restarted) {
    on_restart();
  }
}

// Returns to the seed; all that it has published so far comes again.
void ClientActor::on_restart() {
  for (Published& published : log_) {
    published.comes_again = true;
    published.own = false;
  }
}

void ClientActor::learn_fates(Instant now) {
  std::erase_if(unsafe_, [&](std::size_t index) {
    Published& published = log_[index];
    const auto outcome = client_->outcome(*declared_, published.number, godwit::Level::kSafe, {});
    if (!outcome) {
      return false;
    }
    trace_.note(now, Happening::kPublish, published.number);
    switch (*outcome) {
      case Outcome::kReached:
        published.own = !published.comes_again;
        published.in_doubt = published.in_doubt && topic_.shards > 1;
        break;
      case Outcome::kDuplicate:
        if (!published.repeated) {
          violation_(fmt::format(
              "{}: step {} was published once and answered `duplicate`", name_, published.step));
        }
        published.own = false;
        break;
      default:
        violation_(fmt::format("{}: publish {} ended as {}: {}",
                               name_,
                               published.number,
                               to_string(*outcome),
                               client_->detail(*declared_, published.number)));
        break;
    }
    published.fate = published.in_doubt ? Fate::kUnknown : Fate::kSafe;
    return true;
  });
}

void ClientActor::finish_wait(Instant now) {
  if (!request_) {
    return;
  }
  const auto outcome = client_->take_wait(*request_);
  if (!outcome && now < wait_until_ + kWaitSlack) {
    return;
  }
  client_->cancel_wait(*request_);
  request_.reset();
  next_publish_ = now;
  const bool reached = outcome && outcome->kind == ClockOutcome::Kind::kOk;
  trace_.note(now, Happening::kClock, awaited_ * 2 + (reached ? 1 : 0));
  if (reached) {
    reached_ = awaited_;
    ++clocks_reached_;
  }
}

void ClientActor::act(Instant now) {
  if (!draw_.publishes || !declared_ || client_->is_failed(*declared_)) {
    return;
  }
  if (retick_ && to_repeat_.empty()) {
    client_->tick(*declared_, clock_);
    retick_ = false;
  }
  while (can_publish(now)) {
    publish_next(now);
  }
}

void ClientActor::publish_next(Instant now) {
  if (!to_repeat_.empty()) {
    const std::size_t index = to_repeat_.back();
    to_repeat_.pop_back();
    log_[index].repeated = true;
    send(now, index);
    return;
  }
  log_.push_back(draw_publish());
  ++made_;
  send(now, log_.size() - 1);
  if (draw_.ticks && random_.chance(0.6)) {
    tick_and_wait(now);
  }
}

void ClientActor::tick_and_wait(Instant now) {
  ++clock_;
  client_->tick(*declared_, clock_);
  if (clock_ > draw_.staleness) {
    awaited_ = clock_ - draw_.staleness;
    const auto patience = static_cast<std::int64_t>(random_.below(900)) + 20;
    wait_until_ = now + Duration::ms(patience);
    request_ = client_->start_wait(*declared_, awaited_, wait_until_);
  }
}

Published ClientActor::draw_publish() {
  Published published;
  const std::uint64_t elements = topic_.element_count;
  const std::uint64_t longest =
      random_.chance(draw_.dense) ? elements : std::min<std::uint64_t>(elements, 200);
  const std::uint64_t count = 1 + random_.below(longest);
  published.first = random_.below(elements - count + 1);
  published.values.resize(count);
  // Half of the publishes touch few of their elements.
  const double density = random_.chance(0.5) ? 1.0 : 0.05;
  for (std::int64_t& value : published.values) {
    if (density == 1.0 || random_.chance(density)) {
      value = static_cast<std::int64_t>(random_.below(draw_.magnitude) + 1);
      if (!draw_.fixed) {
        value &= 0xffffff;  // a float32 holds 24 bits exactly
      }
      if (!draw_.non_negative && random_.chance(0.5)) {
        value = -value;
      }
    }
  }
  published.step = draw_.steps ? ++last_step_ : 0;
  published.clock = draw_.ticks ? clock_ + 1 : 0;
  return published;
}

void ClientActor::send(Instant now, std::size_t index) {
  Published& published = log_[index];
  client::Publish publish;
  publish.first = published.first;
  publish.count = published.values.size();
  publish.fixed = draw_.fixed;
  if (published.step > 0) {
    publish.step = published.step;
  }
  if (topic_.deadline > Duration::zero() && index % 2 == 1) {
    publish.due = now + topic_.deadline / 2;
  }
  client::Split split = client_->split(*declared_, publish);
  if (!client_->has_room(*declared_, split)) {
    violation_(fmt::format("{}: no room for {} bytes", name_, split.cost));
    return;
  }
  client_->reserve(*declared_, split);
  client::Spread::fill(encode(published.values, draw_.fixed, topic_.fraction_bits), split);
  published.life = life_;
  published.own = false;
  published.comes_again = false;
  published.fate = Fate::kOnTheWay;
  const auto number = client_->publish(*declared_, std::move(split));
  if (!number) {
    violation_(fmt::format("{}: {}", name_, number.error().message));
    return;
  }
  published.number = *number;
  unsafe_.push_back(index);
  trace_.note(now, Happening::kPublish, published.values.size() << 20U);
  const auto bound = static_cast<std::uint64_t>(draw_.period.count_ns()) * 2;
  next_publish_ = now + Duration::ns(static_cast<std::int64_t>(random_.below(bound)));
}

bool ClientActor::settled() const {
  if (!declared_) {
    return false;
  }
  if (must_fail()) {
    return client_->topic_state(*declared_) == client::TopicState::kFailed;
  }
  return client_->is_ready() && client_->topic_state(*declared_) == client::TopicState::kOpen &&
         unsafe_.empty() && to_repeat_.empty() && !request_ && !client_->has_pending(*declared_);
}

void ClientActor::on_state_lost() {
  for (Published& published : log_) {
    published.fate = published.fate == Fate::kOnTheWay ? published.fate : Fate::kDead;
    published.in_doubt = published.fate == Fate::kDead || topic_.shards > 1;
  }
}

}  // namespace godwit::sim

#include "api/client/runtime.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "api/local/poll_timeout.h"
#include "dataplane/base/log.h"
#include "dataplane/base/system_time.h"

namespace godwit::client {
namespace {

// How long one attempt to connect may take; close() waits for it. Chosen.
constexpr Duration kDialDeadline = Duration::seconds(1);

// system_now() and steady_clock read the same clock (CLOCK_MONOTONIC).
std::chrono::steady_clock::time_point to_steady(Instant instant) {
  return std::chrono::steady_clock::time_point(std::chrono::nanoseconds(instant.ns()));
}

// Deadlines are bounded, so that no sum of times overflows.
Instant deadline_from_now(Duration deadline) {
  return system_now() + std::clamp(deadline, Duration::zero(), local::kLongestDeadline);
}

CoreOptions core_options(const ClientOptions& options) {
  return {.name = options.name,
          .publisher =
              options.name.empty() ? PublisherId(system_entropy()) : PublisherId::of(options.name),
          .incarnation = Incarnation::from_packed(system_entropy()),
          .unsafe_bytes_max = options.unsafe_bytes_max,
          .seed = system_entropy()};
}

Failure closed() {
  return fail(Code::kClosed, "the client is closed");
}

}  // namespace

Runtime::Runtime(const ClientOptions& options)
    : socket_(options.socket), owner_(::getpid()), core_(core_options(options)) {}

Result<std::unique_ptr<Runtime>> Runtime::start(const ClientOptions& options) {
  if (!local::is_name(options.name)) {
    return fail(Code::kInvalid, "the client's name must be at most 255 printable ASCII bytes");
  }
  std::unique_ptr<Runtime> runtime(new Runtime(options));
  runtime->wake_ = local::Descriptor(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!runtime->wake_) {
    return fail(Code::kIo, "eventfd: {}", std::strerror(errno));
  }
  Lock lock(runtime->mutex_);
  runtime->thread_ = std::thread([self = runtime.get()] { self->run(); });
  runtime->thread_id_ = runtime->thread_.get_id();
  const bool ready = runtime->wait_until(
      lock, deadline_from_now(options.deadline), [&] { return runtime->core_.is_ready(); });
  if (!ready) {
    const std::string why = runtime->core_.stats().last_error;
    lock.unlock();
    return fail(Code::kTimeout,
                "no gateway on {}: {}",
                options.socket,
                why.empty() ? "it does not answer" : why);
  }
  lock.unlock();
  return runtime;
}

Runtime::~Runtime() {
  stop();
}

bool Runtime::is_forked() const {
  return ::getpid() != owner_;
}

void Runtime::stop() {
  {
    const Lock lock(mutex_);
    closing_ = true;
    changed_.notify_all();
  }
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof(one));
  const std::lock_guard joining(joining_);
  if (thread_.joinable()) {
    thread_.join();
  }
}

template <class Done>
bool Runtime::wait_until(Lock& lock, Instant deadline, Done done) {
  while (!done()) {
    // On the background thread nothing can change while we wait.
    if (closing_ || on_own_thread() || system_now() >= deadline) {
      return false;
    }
    changed_.wait_until(lock, to_steady(deadline));
  }
  return true;
}

// ---- the background thread ----------------------------------------------------------------------

void Runtime::run() {
  Lock lock(mutex_);
  while (!closing_) {
    if (channel_ == nullptr && system_now() >= core_.next_dial()) {
      dial(lock);
    }
    if (channel_ != nullptr) {
      turn(lock);
    }
    changed_.notify_all();
    sleep(lock);
  }
  core_.leave(system_now());
  channel_.reset();
  changed_.notify_all();
}

void Runtime::dial(Lock& lock) {
  lock.unlock();
  auto channel = local::connect(socket_, kDialDeadline);
  lock.lock();
  if (channel) {
    channel_ = std::move(*channel);
    core_.on_connected(system_now(), *channel_);
  } else {
    core_.on_dial_failed(system_now(), channel.error().message);
  }
}

void Runtime::turn(Lock& lock) {
  // Look for the gateway's end before the ring: what it sent before it went is read below.
  const bool alive = channel_->clear_doorbell();
  while (const auto event = core_.receive(system_now())) {
    call_back(lock, *event);
    if (closing_) {
      return;
    }
    core_.pump(system_now());
  }
  core_.pump(system_now());
  const std::string failure = core_.failure(system_now());
  if (alive && failure.empty()) {
    return;
  }
  const std::string reason = failure.empty() ? "the gateway closed or its process ended" : failure;
  log::info("client: connection to {} lost: {}", socket_, reason);
  core_.on_disconnected(system_now(), reason);
  channel_.reset();
}

void Runtime::call_back(Lock& lock, const Event& event) {
  const std::uint32_t topic = std::visit([](const auto& kind) { return kind.topic; }, event);
  const SubscribeOptions callbacks = subscriptions_[topic];
  const std::uint32_t fraction_bits = core_.topic_options(topic).fraction_bits;
  changed_.notify_all();
  lock.unlock();
  if (const auto* const delivery = std::get_if<Delivery>(&event)) {
    local::SectionReader sections(delivery->transfer);
    while (const auto section = sections.next()) {
      for_each_piece(*section, [&](std::uint64_t first, std::span<const std::int64_t> deltas) {
        callbacks.on_change({.first = first, .deltas = deltas, .fraction_bits = fraction_bits});
      });
    }
  } else if (callbacks.on_restart) {
    callbacks.on_restart();
  }
  lock.lock();
}

// Waits for the doorbell, for close(), or for the next thing that time brings.
void Runtime::sleep(Lock& lock) {
  const Instant until = channel_ ? core_.next_wakeup() : core_.next_dial();
  std::array<pollfd, 2> wait{{{wake_.get(), POLLIN, 0}, {-1, POLLIN, 0}}};
  if (channel_ != nullptr) {
    wait[1].fd = channel_->fd();
  }
  if (closing_) {
    return;
  }
  lock.unlock();
  ::poll(wait.data(), wait.size(), local::poll_timeout(system_now(), until));
  lock.lock();
}

// ---- the application's threads ------------------------------------------------------------------

Result<Runtime::Opened> Runtime::declare(const TopicOptions& options, Duration deadline) {
  const Instant until = deadline_from_now(deadline);
  Lock lock(mutex_);
  const auto index = core_.declare(options);
  if (!index) {
    return Failure(index.error());
  }
  subscriptions_.resize(std::max<std::size_t>(subscriptions_.size(), *index + 1));
  core_.pump(system_now());
  const bool answered =
      wait_until(lock, until, [&] { return core_.topic_state(*index) != TopicState::kOpening; });
  if (!answered) {
    return closing_
               ? closed()
               : fail(Code::kTimeout, "the gateway did not open topic {} in time", options.name);
  }
  if (core_.topic_state(*index) == TopicState::kFailed) {
    return Failure(core_.topic_error(*index));
  }
  return Opened{*index, core_.memory_bound(*index)};
}

Result<std::uint64_t> Runtime::publish(std::uint32_t topic,
                                       std::span<const std::byte> values,
                                       bool fixed,
                                       const PublishOptions& options) {
  const Instant until = deadline_from_now(options.deadline);
  const std::size_t width = fixed ? sizeof(std::int64_t) : sizeof(float);
  Publish publish{
      .first = options.first, .count = values.size() / width, .fixed = fixed, .step = options.step};
  const std::size_t cost = values.size() + kPublishOverhead;
  Lock lock(mutex_);
  const std::uint64_t elements = core_.topic_options(topic).element_count;
  if (publish.count == 0 || options.first >= elements || publish.count > elements - options.first) {
    return fail(Code::kInvalid,
                "a publish of [{}, {}+{}) does not lie in a topic of {} elements",
                options.first,
                options.first,
                publish.count,
                elements);
  }
  if (options.update_deadline < Duration::zero() ||
      options.update_deadline > local::kLongestDeadline) {
    return fail(Code::kInvalid,
                "a publish: update_deadline is {} s; it must be 0 (the topic's) or up to {} s",
                options.update_deadline.to_seconds(),
                local::kLongestDeadline.to_seconds());
  }
  if (!core_.fits_ever(cost)) {
    return fail(Code::kInvalid, "a publish of {} bytes exceeds unsafe_bytes_max", values.size());
  }
  if (!wait_until(
          lock, until, [&] { return core_.has_room(topic, cost) || core_.is_failed(topic); })) {
    return closing_
               ? closed()
               : fail(Code::kFull, "too many publishes are not safe yet; the gateway is behind");
  }
  if (core_.is_failed(topic)) {
    return Failure(core_.topic_error(topic));
  }
  if (closing_) {
    return closed();
  }
  if (options.update_deadline > Duration::zero()) {
    publish.due = deadline_from_now(options.update_deadline);
  }
  core_.reserve(cost);
  publish.values = core_.take_buffer(topic);
  lock.unlock();
  publish.values.assign(values.begin(), values.end());
  lock.lock();
  const std::uint64_t number = core_.publish(topic, std::move(publish));
  core_.pump(system_now());
  return number;
}

Outcome Runtime::wait(std::uint32_t topic,
                      std::uint64_t number,
                      Level level,
                      Duration deadline,
                      std::string_view site) {
  const Instant until = deadline_from_now(deadline);
  Lock lock(mutex_);
  std::optional<Outcome> outcome = core_.outcome(topic, number, level, site);
  if (!outcome) {
    core_.pump(system_now());  // the gateway may have to be asked for coverage
    wait_until(lock, until, [&] {
      outcome = core_.outcome(topic, number, level, site);
      return outcome.has_value();
    });
  }
  return outcome.value_or(closing_ ? Outcome::kClosed : Outcome::kTimeout);
}

std::string Runtime::detail(std::uint32_t topic, std::uint64_t number) {
  const Lock lock(mutex_);
  return core_.detail(topic, number);
}

Result<void> Runtime::subscribe(std::uint32_t topic, const SubscribeOptions& options) {
  const Lock lock(mutex_);
  if (closing_) {
    return closed();
  }
  const auto kind = options.on_change ? Core::Subscription::kCallback : Core::Subscription::kPolled;
  auto subscribed = core_.subscribe(topic, kind, options.keep_sum);
  if (subscribed) {
    subscriptions_[topic] = options;
    core_.pump(system_now());
  }
  return subscribed;
}

PollOutcome Runtime::poll(std::uint32_t topic, const ViewCallback& callback, Duration deadline) {
  const Instant until = deadline_from_now(deadline);
  PollOutcome outcome;
  Lock lock(mutex_);
  wait_until(lock, until, [&] { return core_.has_pending(topic); });
  SumBlocks blocks = core_.take_pending(topic, outcome.restarted);
  const SubscribeOptions callbacks = subscriptions_[topic];
  const std::uint32_t fraction_bits = core_.topic_options(topic).fraction_bits;
  lock.unlock();
  if (outcome.restarted && callbacks.on_restart) {
    callbacks.on_restart();
  }
  for (const auto& [number, block] : blocks) {
    const auto deltas = block->touched();
    outcome.elements += deltas.size();
    callback({.first = number * kBlockElements + block->low,
              .deltas = deltas,
              .fraction_bits = fraction_bits});
  }
  lock.lock();
  core_.recycle(topic, std::move(blocks));
  return outcome;
}

Result<void> Runtime::copy_sum(std::uint32_t topic,
                               std::uint64_t first,
                               std::span<std::int64_t> out) {
  const Lock lock(mutex_);
  const BlockSums* const sum = core_.sum(topic);
  if (sum == nullptr) {
    return fail(Code::kInvalid, "the subscription does not keep its sum");
  }
  const std::uint64_t elements = core_.topic_options(topic).element_count;
  if (first > elements || out.size() > elements - first) {
    return fail(Code::kInvalid, "the range lies beyond the topic's {} elements", elements);
  }
  sum->copy(first, out);
  return {};
}

Result<void> Runtime::tick(std::uint32_t topic, std::uint64_t clock) {
  const Lock lock(mutex_);
  if (closing_) {
    return closed();
  }
  if (clock < core_.last_clock(topic)) {
    return fail(
        Code::kInvalid, "clock {} is behind {}: clocks only rise", clock, core_.last_clock(topic));
  }
  core_.tick(topic, clock);
  core_.pump(system_now());
  return {};
}

ClockOutcome Runtime::wait_clock(std::uint32_t topic, std::uint64_t clock, Duration deadline) {
  const Instant until = deadline_from_now(deadline);
  Lock lock(mutex_);
  const std::uint64_t request = core_.start_wait(topic, clock, until);
  core_.pump(system_now());
  std::optional<ClockOutcome> outcome;
  wait_until(lock, until, [&] {
    outcome = core_.take_wait(request);
    return outcome.has_value();
  });
  core_.cancel_wait(request);
  if (outcome) {
    return *outcome;
  }
  return {.kind = closing_ ? ClockOutcome::Kind::kClosed : ClockOutcome::Kind::kTimeout};
}

ClientStats Runtime::stats() {
  const Lock lock(mutex_);
  return core_.stats();
}

std::string Runtime::site() {
  const Lock lock(mutex_);
  return core_.site();
}

std::vector<std::string> Runtime::sites() {
  const Lock lock(mutex_);
  return core_.sites();
}

bool Runtime::close(Duration deadline) {
  if (on_own_thread()) {
    return false;  // a callback cannot join the thread it runs on
  }
  Lock lock(mutex_);
  const bool all_safe =
      wait_until(lock, deadline_from_now(deadline), [&] { return core_.unsafe_count() == 0; });
  lock.unlock();
  stop();
  return all_safe;
}

}  // namespace godwit::client

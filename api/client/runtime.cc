#include "api/client/runtime.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <utility>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "api/client/shard_runs.h"
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
    : socket_(options.socket), owner_(::getpid()), spread_(core_options(options)) {}

Result<std::unique_ptr<Runtime>> Runtime::start(const ClientOptions& options) {
  if (!local::is_name(options.name)) {
    return fail(Code::kInvalid, "the client's name must be at most 255 printable ASCII bytes");
  }
  if (options.socket.empty()) {
    return fail(
        Code::kInvalid,
        "no socket: give that of the site's gateway, [self] client of its configuration, such "
        "as \"/run/godwit/fra/client.sock\"");
  }
  std::unique_ptr<Runtime> runtime(new Runtime(options));
  runtime->wake_ = local::Descriptor(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!runtime->wake_) {
    return fail(Code::kIo, "eventfd: {}", error_text(errno));
  }
  Lock lock(runtime->mutex_);
  runtime->thread_ = std::thread([self = runtime.get()] { self->run(); });
  runtime->thread_id_ = runtime->thread_.get_id();
  const bool ready = runtime->wait_until(
      lock, deadline_from_now(options.deadline), [&] { return runtime->spread_.is_ready(); });
  if (!ready) {
    const std::string why = runtime->spread_.stats().last_error;
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
    channels_.resize(spread_.workers());
    for (std::uint32_t worker = 0; worker < channels_.size() && !closing_; ++worker) {
      if (!has_channel(worker) && system_now() >= spread_.next_dial(worker)) {
        dial(lock, worker);
      }
    }
    turn(lock);
    changed_.notify_all();
    sleep(lock);
  }
  spread_.leave(system_now());
  channels_.clear();
  changed_.notify_all();
}

bool Runtime::has_channel(std::uint32_t worker) const {
  return worker < channels_.size() && channels_[worker] != nullptr;
}

// api/local/SPEC.md, section 7.
std::string Runtime::path_of(std::uint32_t worker) const {
  return worker == 0 ? socket_ : fmt::format("{}.{}", socket_, worker);
}

void Runtime::dial(Lock& lock, std::uint32_t worker) {
  lock.unlock();
  auto channel = local::connect(path_of(worker), kDialDeadline);
  lock.lock();
  if (channel) {
    channels_[worker] = std::move(*channel);
    spread_.on_connected(system_now(), worker, *channels_[worker]);
  } else {
    spread_.on_dial_failed(system_now(), worker, channel.error().message);
  }
}

void Runtime::turn(Lock& lock) {
  // Look for the gateway's end before the ring: what it sent before it went is read below.
  std::vector<std::uint32_t> gone;
  for (std::uint32_t worker = 0; worker < channels_.size(); ++worker) {
    if (has_channel(worker) && !channels_[worker]->clear_doorbell()) {
      gone.push_back(worker);
    }
  }
  while (const auto event = spread_.receive(system_now())) {
    call_back(lock, *event);
    if (closing_) {
      return;
    }
  }
  spread_.pump(system_now());
  for (std::uint32_t worker = 0; worker < channels_.size(); ++worker) {
    const bool is_gone = std::find(gone.begin(), gone.end(), worker) != gone.end();
    if (has_channel(worker)) {
      end_if_failed(worker, is_gone);
    }
  }
}

void Runtime::end_if_failed(std::uint32_t worker, bool is_gone) {
  const std::string failure = spread_.failure(system_now(), worker);
  if (!is_gone && failure.empty()) {
    return;
  }
  const std::string reason = failure.empty() ? "the gateway closed or its process ended" : failure;
  log::info("client: connection to {} lost: {}", path_of(worker), reason);
  spread_.on_disconnected(system_now(), worker, reason);
  channels_[worker].reset();
}

void Runtime::call_back(Lock& lock, const Event& event) {
  const std::uint32_t topic = std::visit([](const auto& kind) { return kind.topic; }, event);
  const SubscribeOptions callbacks = subscriptions_[topic];
  const std::uint32_t fraction_bits = spread_.topic_options(topic).fraction_bits;
  const Sharding sharding = spread_.sharding(topic);
  changed_.notify_all();
  lock.unlock();
  if (const auto* const delivery = std::get_if<Delivery>(&event)) {
    local::SectionReader sections(delivery->transfer);
    while (const auto section = sections.next()) {
      for_each_piece_of_topic(
          sharding,
          delivery->shard,
          *section,
          [&](std::uint64_t first, std::span<const std::int64_t> deltas) {
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
  Instant until = Instant::never();
  std::array<pollfd, 1 + kShardsMax> wait{};
  wait.front() = {wake_.get(), POLLIN, 0};
  std::size_t count = 1;
  for (std::uint32_t worker = 0; worker < spread_.workers(); ++worker) {
    if (has_channel(worker)) {
      wait.at(count++) = {channels_[worker]->fd(), POLLIN, 0};
      until = std::min(until, spread_.next_wakeup(worker));
    } else {
      until = std::min(until, spread_.next_dial(worker));
    }
  }
  if (closing_) {
    return;
  }
  lock.unlock();
  ::poll(wait.data(), count, local::poll_timeout(system_now(), until));
  lock.lock();
}

// ---- the application's threads ------------------------------------------------------------------

Result<Runtime::Opened> Runtime::declare(const TopicOptions& options, Duration deadline) {
  const Instant until = deadline_from_now(deadline);
  Lock lock(mutex_);
  const auto index = spread_.declare(options);
  if (!index) {
    return Failure(index.error());
  }
  subscriptions_.resize(std::max<std::size_t>(subscriptions_.size(), *index + 1));
  spread_.pump(system_now());
  const bool answered =
      wait_until(lock, until, [&] { return spread_.topic_state(*index) != TopicState::kOpening; });
  if (!answered) {
    return closing_
               ? closed()
               : fail(Code::kTimeout, "the gateway did not open topic {} in time", options.name);
  }
  if (spread_.topic_state(*index) == TopicState::kFailed) {
    return Failure(spread_.topic_error(*index));
  }
  return Opened{*index, spread_.memory_bound(*index)};
}

Result<std::uint64_t> Runtime::publish(std::uint32_t topic,
                                       std::span<const std::byte> values,
                                       bool fixed,
                                       const PublishOptions& options) {
  const Instant until = deadline_from_now(options.deadline);
  Publish whole{.first = options.first, .fixed = fixed, .step = options.step};
  whole.count = values.size() / whole.width();
  Lock lock(mutex_);
  const std::uint64_t elements = spread_.topic_options(topic).element_count;
  if (whole.count == 0 || options.first >= elements || whole.count > elements - options.first) {
    return fail(Code::kInvalid,
                "a publish of [{}, {}+{}) does not lie in a topic of {} elements",
                options.first,
                options.first,
                whole.count,
                elements);
  }
  if (options.update_deadline < Duration::zero() ||
      options.update_deadline > local::kLongestDeadline) {
    return fail(Code::kInvalid,
                "a publish: update_deadline is {} s; it must be 0 (the topic's) or up to {} s",
                options.update_deadline.to_seconds(),
                local::kLongestDeadline.to_seconds());
  }
  if (auto rises = spread_.check_step(topic, options.step); !rises) {
    return Failure(rises.error());
  }
  Split split = spread_.split(topic, whole);
  if (!spread_.fits_ever(split)) {
    return fail(Code::kInvalid, "a publish of {} bytes exceeds unsafe_bytes_max", values.size());
  }
  if (!wait_until(lock, until, [&] {
        return spread_.has_room(topic, split) || spread_.is_failed(topic);
      })) {
    return closing_
               ? closed()
               : fail(Code::kFull, "too many publishes are not safe yet; the gateway is behind");
  }
  if (spread_.is_failed(topic)) {
    return Failure(spread_.topic_error(topic));
  }
  if (closing_) {
    return closed();
  }
  if (options.update_deadline > Duration::zero()) {
    const Instant due = deadline_from_now(options.update_deadline);
    for (auto& [shard, part] : split.parts) {
      part.due = due;
    }
  }
  spread_.reserve(topic, split);
  lock.unlock();
  Spread::fill(values, split);
  lock.lock();
  const bool is_refused = !split.refusal.empty();
  auto number = spread_.publish(topic, std::move(split));
  if (is_refused || !number) {
    changed_.notify_all();  // its room is free again
  }
  spread_.pump(system_now());
  return number;
}

Outcome Runtime::wait(std::uint32_t topic,
                      std::uint64_t number,
                      Level level,
                      Duration deadline,
                      std::string_view site) {
  const Instant until = deadline_from_now(deadline);
  Lock lock(mutex_);
  std::optional<Outcome> outcome = spread_.outcome(topic, number, level, site);
  if (!outcome) {
    spread_.pump(system_now());  // the gateway may have to be asked for coverage
    wait_until(lock, until, [&] {
      outcome = spread_.outcome(topic, number, level, site);
      return outcome.has_value();
    });
  }
  return outcome.value_or(closing_ ? Outcome::kClosed : Outcome::kTimeout);
}

std::string Runtime::detail(std::uint32_t topic, std::uint64_t number) {
  const Lock lock(mutex_);
  return spread_.detail(topic, number);
}

Result<void> Runtime::subscribe(std::uint32_t topic, const SubscribeOptions& options) {
  const Lock lock(mutex_);
  if (closing_) {
    return closed();
  }
  const auto kind = options.on_change ? Subscription::kCallback : Subscription::kPolled;
  auto subscribed = spread_.subscribe(topic, kind, options.keep_sum);
  if (subscribed) {
    subscriptions_[topic] = options;
    spread_.pump(system_now());
  }
  return subscribed;
}

PollOutcome Runtime::poll(std::uint32_t topic, const ViewCallback& callback, Duration deadline) {
  const Instant until = deadline_from_now(deadline);
  PollOutcome outcome;
  Lock lock(mutex_);
  wait_until(lock, until, [&] { return spread_.has_pending(topic) || spread_.is_failed(topic); });
  outcome.refused = spread_.is_failed(topic) || spread_.lacks_place(topic);
  SumBlocks blocks = spread_.take_pending(topic, outcome.restarted);
  if (outcome.restarted) {
    spread_.pump(system_now());  // the subscription may have to begin once more
  }
  const SubscribeOptions callbacks = subscriptions_[topic];
  const std::uint32_t fraction_bits = spread_.topic_options(topic).fraction_bits;
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
  spread_.recycle(topic, std::move(blocks));
  return outcome;
}

Result<void> Runtime::copy_sum(std::uint32_t topic,
                               std::uint64_t first,
                               std::span<std::int64_t> out) {
  const Lock lock(mutex_);
  const std::uint64_t elements = spread_.topic_options(topic).element_count;
  if (first > elements || out.size() > elements - first) {
    return fail(Code::kInvalid, "the range lies beyond the topic's {} elements", elements);
  }
  if (!spread_.copy_sum(topic, first, out)) {
    return fail(Code::kInvalid, "the subscription does not keep its sum");
  }
  return {};
}

Result<void> Runtime::tick(std::uint32_t topic, std::uint64_t clock) {
  const Lock lock(mutex_);
  if (closing_) {
    return closed();
  }
  if (clock > local::kClockMax) {
    return fail(
        Code::kInvalid, "clock {} is above {}: clocks count iterations", clock, local::kClockMax);
  }
  if (clock < spread_.last_clock(topic)) {
    return fail(Code::kInvalid,
                "clock {} is behind {}: clocks only rise",
                clock,
                spread_.last_clock(topic));
  }
  if (spread_.is_failed(topic)) {
    return Failure(spread_.topic_error(topic));
  }
  spread_.tick(topic, clock);
  spread_.pump(system_now());
  return {};
}

ClockOutcome Runtime::wait_clock(std::uint32_t topic, std::uint64_t clock, Duration deadline) {
  const Instant until = deadline_from_now(deadline);
  Lock lock(mutex_);
  const std::uint64_t request = spread_.start_wait(topic, clock, until);
  spread_.pump(system_now());
  std::optional<ClockOutcome> outcome;
  wait_until(lock, until, [&] {
    outcome = spread_.take_wait(request);
    return outcome.has_value() || spread_.is_failed(topic);
  });
  spread_.cancel_wait(request);
  if (outcome) {
    return *outcome;
  }
  const bool is_refused = spread_.is_failed(topic) || spread_.lacks_place(topic);
  return {.kind = closing_     ? ClockOutcome::Kind::kClosed
                  : is_refused ? ClockOutcome::Kind::kRefused
                               : ClockOutcome::Kind::kTimeout};
}

ClientStats Runtime::stats() {
  const Lock lock(mutex_);
  return spread_.stats();
}

std::string Runtime::site() {
  const Lock lock(mutex_);
  return spread_.site();
}

std::vector<std::string> Runtime::sites() {
  const Lock lock(mutex_);
  return spread_.sites();
}

bool Runtime::close(Duration deadline) {
  if (on_own_thread()) {
    return false;  // a callback cannot join the thread it runs on
  }
  Lock lock(mutex_);
  const bool all_safe =
      wait_until(lock, deadline_from_now(deadline), [&] { return spread_.unsafe_count() == 0; });
  lock.unlock();
  stop();
  return all_safe;
}

}  // namespace godwit::client

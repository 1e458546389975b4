#include "api/client/client.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "api/client/runtime.h"

namespace godwit {
namespace {

Failure no_client(const client::Runtime* runtime) {
  return runtime == nullptr
             ? fail(Code::kClosed, "the client is closed")
             : fail(Code::kUnsupported,
                    "a client cannot be used in a child made by fork(): connect anew");
}

bool is_usable(const client::Runtime* runtime) {
  return runtime != nullptr && !runtime->is_forked();
}

}  // namespace

std::string_view to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::kReached:
      return "reached";
    case Outcome::kTimeout:
      return "timeout";
    case Outcome::kDuplicate:
      return "duplicate";
    case Outcome::kRefused:
      return "refused";
    case Outcome::kUnknown:
      return "unknown";
    case Outcome::kExpired:
      return "expired";
    case Outcome::kClosed:
      return "closed";
  }
  return "unknown";
}

Outcome Ticket::wait(Level level, Duration deadline, std::string_view site) const {
  return is_usable(runtime_) ? runtime_->wait(topic_, number_, level, deadline, site)
                             : Outcome::kClosed;
}

std::string Ticket::detail() const {
  return is_usable(runtime_) ? runtime_->detail(topic_, number_) : std::string();
}

void View::add_to(std::span<float> values, float scale) const {
  if (first >= values.size()) {
    return;
  }
  const auto part = values.subspan(first, std::min(deltas.size(), values.size() - first));
  const double quantum = std::ldexp(static_cast<double>(scale), -static_cast<int>(fraction_bits));
  for (std::size_t i = 0; i < part.size(); ++i) {
    part[i] += static_cast<float>(static_cast<double>(deltas[i]) * quantum);
  }
}

Result<Ticket> Topic::publish(std::span<const float> values, const PublishOptions& options) {
  if (!is_usable(runtime_)) {
    return no_client(runtime_);
  }
  const auto number = runtime_->publish(index_, std::as_bytes(values), false, options);
  if (!number) {
    return Failure(number.error());
  }
  return Ticket(runtime_, index_, *number);
}

Result<Ticket> Topic::publish_fixed(std::span<const std::int64_t> values,
                                    const PublishOptions& options) {
  if (!is_usable(runtime_)) {
    return no_client(runtime_);
  }
  const auto number = runtime_->publish(index_, std::as_bytes(values), true, options);
  if (!number) {
    return Failure(number.error());
  }
  return Ticket(runtime_, index_, *number);
}

Result<void> Topic::subscribe(const SubscribeOptions& options) {
  if (!is_usable(runtime_)) {
    return no_client(runtime_);
  }
  return runtime_->subscribe(index_, options);
}

PollOutcome Topic::poll(const ViewCallback& callback, Duration deadline) {
  return callback && is_usable(runtime_) ? runtime_->poll(index_, callback, deadline)
                                         : PollOutcome{};
}

Result<void> Topic::copy_sum(std::uint64_t first, std::span<std::int64_t> out) const {
  if (!is_usable(runtime_)) {
    return no_client(runtime_);
  }
  return runtime_->copy_sum(index_, first, out);
}

Result<void> Topic::tick(std::uint64_t clock) {
  if (!is_usable(runtime_)) {
    return no_client(runtime_);
  }
  return runtime_->tick(index_, clock);
}

ClockOutcome Topic::wait_clock(std::uint64_t clock, Duration deadline) {
  return is_usable(runtime_) ? runtime_->wait_clock(index_, clock, deadline)
                             : ClockOutcome{.kind = ClockOutcome::Kind::kClosed};
}

Client::Client(std::unique_ptr<client::Runtime> runtime) : runtime_(std::move(runtime)) {}

Client::Client(Client&& other) noexcept = default;

Client& Client::operator=(Client&& other) noexcept {
  std::swap(runtime_, other.runtime_);
  return *this;
}

Client::~Client() {
  if (runtime_ != nullptr && runtime_->is_forked()) {
    // The thread exists only in the parent and the lock may be held for ever: leave all of it.
    [[maybe_unused]] const client::Runtime* const left = runtime_.release();
  }
}

Result<Client> Client::connect(const ClientOptions& options) {
  auto runtime = client::Runtime::start(options);
  if (!runtime) {
    return Failure(runtime.error());
  }
  return Client(std::move(*runtime));
}

Result<Topic> Client::declare(const TopicOptions& options, Duration deadline) {
  if (!is_usable(runtime_.get())) {
    return no_client(runtime_.get());
  }
  const auto opened = runtime_->declare(options, deadline);
  if (!opened) {
    return Failure(opened.error());
  }
  Topic topic;
  topic.runtime_ = runtime_.get();
  topic.index_ = opened->index;
  topic.name_ = options.name;
  topic.element_count_ = options.element_count;
  topic.memory_bound_ = opened->memory_bound;
  return topic;
}

ClientStats Client::stats() const {
  return is_usable(runtime_.get()) ? runtime_->stats() : ClientStats{};
}

std::string Client::site() const {
  return is_usable(runtime_.get()) ? runtime_->site() : std::string();
}

std::vector<std::string> Client::sites() const {
  return is_usable(runtime_.get()) ? runtime_->sites() : std::vector<std::string>();
}

bool Client::close(Duration deadline) {
  return is_usable(runtime_.get()) && runtime_->close(deadline);
}

}  // namespace godwit

#include "bench/workloads/through/godwit_exchange.h"

#include <cmath>
#include <utility>

#include "bench/workloads/through/published_sums.h"
#include "dataplane/base/log.h"
#include "dataplane/base/system_time.h"

namespace godwit::through {
namespace {

// How long a publish may wait for room before the run fails: chosen, far above a step's time.
constexpr Duration kPublishTime = Duration::seconds(5);
// How long the end waits until the gateway has everything.
constexpr Duration kCloseTime = Duration::seconds(5);

}  // namespace

GodwitExchange::GodwitExchange(GodwitOptions options, std::size_t elements)
    : options_(std::move(options)), published_(elements, 0) {}

GodwitExchange::~GodwitExchange() {
  if (!client_) {
    return;
  }
  if (!client_->close(kCloseTime)) {
    log::error("{}: some publishes are not safe at the gateway", options_.name);
  }
  if (!options_.log_file.empty()) {
    if (const auto written = write_sums(options_.log_file, published_); !written) {
      log::error("{}", written.error().message);
    }
  }
}

Result<void> GodwitExchange::connect(Instant deadline) {
  auto client = Client::connect(
      {.socket = options_.socket, .name = options_.name, .deadline = deadline - system_now()});
  if (!client) {
    return Failure(client.error());
  }
  client_.emplace(std::move(*client));
  auto topic = client_->declare(
      {.name = kTopicName, .element_count = published_.size(), .fraction_bits = kFractionBits},
      deadline - system_now());
  if (!topic) {
    return Failure(topic.error());
  }
  topic_.emplace(std::move(*topic));
  if (auto subscribed = topic_->subscribe(); !subscribed) {
    return subscribed;
  }
  // Clock 1 of everybody has arrived: every site is connected to this one, and this one to them.
  if (auto ticked = topic_->tick(1); !ticked) {
    return ticked;
  }
  const ClockOutcome outcome = topic_->wait_clock(1, deadline - system_now());
  if (outcome.kind != ClockOutcome::Kind::kOk) {
    std::string missing;
    for (const std::string& site : outcome.missing) {
      missing += " " + site;
    }
    return fail(Code::kTimeout, "not connected to the sites{}", missing.empty() ? " yet" : missing);
  }
  return {};
}

void GodwitExchange::log(std::span<const float> delta) {
  constexpr auto kScale = static_cast<double>(std::uint64_t{1} << kFractionBits);
  for (std::size_t i = 0; i < delta.size(); ++i) {
    published_[i] += std::llrint(static_cast<double>(delta[i]) * kScale);
  }
}

Result<void> GodwitExchange::publish(std::uint64_t step, std::span<const float> delta) {
  const auto ticket = topic_->publish(delta, {.step = step, .deadline = kPublishTime});
  if (!ticket) {
    return Failure(ticket.error());
  }
  log(delta);
  return topic_->tick(step + 1);
}

Result<void> GodwitExchange::collect(std::uint64_t /*step*/, std::span<float> parameters) {
  const auto outcome = topic_->poll([&](const View& view) { view.add_to(parameters); });
  if (outcome.restarted) {
    return fail(Code::kClosed, "the gateway has lost its state");
  }
  return {};
}

std::string GodwitExchange::description() const {
  return fmt::format(
      "Godwit through {}, topic memory bound {} B", options_.socket, topic_->memory_bound());
}

}  // namespace godwit::through

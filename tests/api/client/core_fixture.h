// A core and a toy gateway over memory, in one thread and without a clock.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "api/client/core.h"
#include "api/local/memory_channel.h"
#include "tests/api/client/toy_gateway.h"
#include "tests/support/instants.h"

namespace godwit::client {

class CoreTest : public ::testing::Test {
 protected:
  void connect(local::MemoryLinkOptions options = {}) {
    link_ = std::make_unique<local::MemoryLink>(std::move(options));
    gateway_ = std::make_unique<ToyGateway>(state_, link_->gateway_end());
    core_.on_connected(now_, link_->client_end());
  }

  void disconnect() {
    core_.on_disconnected(now_, "test");
    gateway_.reset();
    link_.reset();
  }

  SumBlocks polled(std::uint32_t topic, bool& restarted) {
    restarted = core_.take_restart(topic);
    return restarted ? SumBlocks() : core_.take_pending(topic);
  }

  // How many publishes the gateway has merged.
  std::uint64_t accepted(std::uint32_t topic) {
    return state_.topics[core_.topic_options(topic).name].accepted;
  }

  // Lets both sides work until neither has anything to say.
  void settle() {
    for (int quiet = 0; quiet < 2;) {
      const int taken = gateway_->serve();
      while (const auto event = core_.receive(now_)) {
        events_.push_back(*event);
        if (const auto* const delivery = std::get_if<Delivery>(&*event)) {
          apply(*delivery);
        }
      }
      core_.pump(now_);
      quiet = taken == 0 ? quiet + 1 : 0;
    }
    EXPECT_EQ(core_.failure(now_), "");
  }

  void apply(const Delivery& delivery) {
    local::SectionReader sections(delivery.transfer);
    while (const auto section = sections.next()) {
      received_.add(*section);
    }
  }

  std::uint32_t declare(std::uint64_t elements, const std::string& name = "model") {
    const auto topic =
        core_.declare({.name = name, .element_count = elements, .fraction_bits = 10});
    EXPECT_TRUE(topic) << topic.error().message;
    return topic.value_or(0);
  }

  std::uint64_t publish(std::uint32_t topic,
                        const std::vector<float>& values,
                        std::uint64_t first = 0,
                        std::optional<std::uint64_t> step = {}) {
    Publish publish{.first = first, .count = values.size(), .step = step};
    const auto bytes = std::as_bytes(std::span(values));
    publish.values.assign(bytes.begin(), bytes.end());
    core_.reserve(publish.cost());
    const std::uint64_t number = core_.publish(topic, std::move(publish));
    core_.pump(now_);
    return number;
  }

  // A topic that is connected, subscribed with a sum, and has one publish of ones, which is safe.
  std::uint32_t subscribed_publisher(std::size_t elements) {
    connect();
    const auto topic = declare(elements);
    EXPECT_TRUE(core_.subscribe(topic, Core::Subscription::kPolled, true));
    settle();
    publish(topic, std::vector<float>(elements, 1.0F));
    settle();
    return topic;
  }

  // The number of a publish that the gateway has merged and does not answer.
  std::uint64_t unanswered_publish(std::uint32_t topic) {
    gateway_->skip_safe = true;
    const std::uint64_t number = publish(topic, {1.0F});
    settle();
    return number;
  }

  std::optional<Outcome> safe(std::uint32_t topic, std::uint64_t number) {
    return core_.outcome(topic, number, Level::kSafe, {});
  }

  Instant now_ = at_ms(1000);
  ToyState state_;
  Core core_{{.name = "test", .publisher = PublisherId(11), .incarnation = {5, 6}, .seed = 1}};
  std::unique_ptr<local::MemoryLink> link_;
  std::unique_ptr<ToyGateway> gateway_;
  std::vector<Event> events_;
  BlockSums received_;
};

}  // namespace godwit::client

#include <memory>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "api/client/core.h"
#include "api/local/memory_channel.h"
#include "tests/api/client/toy_gateway.h"

namespace godwit::client {
namespace {

constexpr std::uint64_t kElements = 700;

// Whatever the order of publishes, deliveries and lost connections, and wherever in the record
// stream they fall: every publish is merged once, and the subscriber holds the gateway's sum.
RC_GTEST_PROP(CoreProperty, NothingIsLostOrDoubledOverLostConnections, (std::uint64_t seed)) {
  Random random(seed);
  ToyState state;
  Instant now = Instant::from_ns(1);
  Core core({.publisher = PublisherId(3), .incarnation = {1, 1}, .seed = seed});
  const std::uint32_t topic =
      *core.declare({.name = "m", .element_count = kElements, .fraction_bits = 0});
  const bool polled = random.chance(0.5);
  RC_ASSERT(core.subscribe(topic,
                           polled ? Core::Subscription::kPolled : Core::Subscription::kCallback,
                           true)
                .has_value());
  std::unique_ptr<local::MemoryLink> link;
  std::unique_ptr<ToyGateway> gateway;
  std::vector<std::int64_t> expected(kElements);
  BlockSums received;
  std::uint64_t published = 0;

  const auto receive_all = [&] {
    while (const auto event = core.receive(now)) {
      if (const auto* const delivery = std::get_if<Delivery>(&*event)) {
        local::SectionReader sections(delivery->transfer);
        while (const auto section = sections.next()) {
          received.add(*section);
        }
      }
    }
    RC_ASSERT(!core.take_restart(topic));
    for (const auto& [number, block] : core.take_pending(topic)) {
      received.add(number * kBlockElements + block->low, block->touched());
    }
    RC_ASSERT(core.failure(now).empty());
  };
  const auto connect = [&] {
    link = std::make_unique<local::MemoryLink>(
        local::MemoryLinkOptions{.to_gateway_bytes = 2048, .to_client_bytes = 16384});
    gateway = std::make_unique<ToyGateway>(state, link->gateway_end());
    core.on_connected(now, link->client_end());
  };
  const auto disconnect = [&] {
    if (random.chance(0.5)) {
      receive_all();  // what the gateway sent before it died is still read
    }
    core.on_disconnected(now, "cut");
    gateway.reset();
    link.reset();
  };

  // Once it has begun: before, a lost connection makes it begin again if something was published.
  connect();
  for (int i = 0; i < 8; ++i) {
    gateway->serve();
    receive_all();
    core.pump(now);
  }
  for (int step = 0; step < 120; ++step) {
    now += Duration::ms(1);
    if (link == nullptr) {
      connect();
    }
    switch (random.below(6)) {
      case 0: {
        const std::uint64_t first = random.below(kElements);
        const std::uint64_t count = 1 + random.below(kElements - first);
        std::vector<std::int64_t> values(count);
        for (std::uint64_t i = 0; i < count; ++i) {
          values[i] = static_cast<std::int64_t>(random.below(2000)) - 1000;
          expected[first + i] += values[i];
        }
        Publish publish{.first = first, .count = count, .fixed = true};
        const auto bytes = std::as_bytes(std::span(values));
        publish.values.assign(bytes.begin(), bytes.end());
        core.reserve(publish.cost());
        core.publish(topic, std::move(publish));
        core.pump(now);
        ++published;
        break;
      }
      case 1:
        gateway->serve(static_cast<int>(random.below(10)));
        break;
      case 2:
        gateway->deliver();
        break;
      case 3:
        receive_all();
        break;
      case 4:
        core.pump(now);
        break;
      default:
        if (random.chance(0.2)) {
          disconnect();
        }
    }
  }
  if (link == nullptr) {
    connect();
  }
  for (int i = 0; i < 400; ++i) {
    gateway->serve();
    gateway->deliver();
    receive_all();
    core.pump(now);
  }
  RC_ASSERT(core.unsafe_count() == 0U);
  RC_ASSERT(state.topics["m"].sum == expected);
  RC_ASSERT(state.topics["m"].accepted == published);
  std::vector<std::int64_t> held(kElements);
  received.copy(0, held);
  RC_ASSERT(held == expected);
  core.sum(topic)->copy(0, held);
  RC_ASSERT(held == expected);
}

}  // namespace
}  // namespace godwit::client

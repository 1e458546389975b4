#include <memory>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "tests/api/client/spread_fixture.h"

namespace godwit::client {
namespace {

// Whatever the order of publishes, deliveries, lost connections and numbers of workers, and
// wherever in the streams of records they fall: every part of every publish is merged once, and
// the subscriber holds the gateway's sums. When shards lose their state the subscriber holds what
// the gateway has, and is told before anything comes again.
RC_GTEST_PROP(SpreadProperty,
              NothingIsLostOrDoubledOverShardsWorkersAndCuts,
              (std::uint64_t seed)) {
  Random random(seed);
  const std::uint32_t shards = 1U << random.below(3);
  const Sharding sharding{.element_count = (shards - 1) * kTile + 1 + random.below(kTile * shards),
                          .shards = shards};
  const std::uint64_t elements = sharding.element_count;
  const bool may_lose = random.chance(0.3);
  ToyState state;
  Instant now = Instant::from_ns(1);
  Spread spread({.publisher = PublisherId(3), .incarnation = {1, 1}, .seed = seed});
  Workers workers(state, spread, 1U << random.below(4));
  workers.options = {.to_gateway_bytes = 1U << 13, .to_client_bytes = 1U << 14};

  const auto turn = [&] {
    now += Duration::ms(100);
    workers.tend(now);
    workers.serve();
    workers.receive(now);
    spread.pump(now);
  };
  while (!spread.is_ready()) {
    turn();
  }
  const auto topic = *spread.declare(
      {.name = "m", .element_count = elements, .fraction_bits = 0, .shards = shards});
  const bool polled = random.chance(0.5);
  RC_ASSERT(spread.subscribe(topic, polled ? Subscription::kPolled : Subscription::kCallback, true)
                .has_value());
  // Once it has begun: before, a lost connection makes it begin again if something was published.
  for (int i = 0; i < 8; ++i) {
    turn();
  }
  std::vector<std::int64_t> expected(elements);
  BlockSums taken;
  int restarts = 0;
  const auto poll = [&] {
    bool restarted = false;
    SumBlocks blocks = spread.take_pending(topic, restarted);
    if (restarted) {
      taken.clear();
      ++restarts;
    }
    for (const auto& [number, block] : blocks) {
      taken.add(number * kBlockElements + block->low, block->touched());
    }
    spread.recycle(topic, std::move(blocks));
  };
  const auto publish = [&] {
    // Around a border of tiles, seldom long: short ones reach as many states.
    const std::uint64_t border = random.below(sharding.tiles()) * kTile;
    const std::uint64_t first = std::min(elements - 1, border - std::min(border, random.below(60)));
    const std::uint64_t longest = random.chance(0.05) ? 3 * kTile : 100;
    const std::uint64_t count = 1 + random.below(std::min(elements - first, longest));
    std::vector<std::int64_t> values(count);
    for (std::uint64_t i = 0; i < count; ++i) {
      values[i] = static_cast<std::int64_t>(random.below(2000)) - 1000;
      expected[first + i] += values[i];
    }
    Split split = spread.split(topic, {.first = first, .count = count, .fixed = true});
    spread.reserve(topic, split);
    Spread::fill(std::as_bytes(std::span(values)), split);
    RC_ASSERT(spread.publish(topic, std::move(split)).has_value());
  };

  for (int step = 0; step < 150; ++step) {
    now += Duration::ms(1);
    workers.tend(now);
    switch (random.below(8)) {
      case 0:
      case 1:
        publish();
        break;
      case 2:
        workers.serve(static_cast<int>(random.below(10)));
        break;
      case 3:
        workers.deliver();
        break;
      case 4:
        workers.receive(now);
        break;
      case 5:
        poll();
        break;
      case 6:
        spread.pump(now);
        break;
      default:
        if (random.chance(0.3)) {
          workers.disconnect(now, static_cast<std::uint32_t>(random.below(workers.count)));
        } else if (random.chance(0.1)) {
          workers.disconnect_all(now);
          workers.count = 1U << random.below(4);
        } else if (may_lose && random.chance(0.2)) {
          const auto shard = static_cast<std::uint32_t>(random.below(shards));
          workers.disconnect(now, worker_of(TopicId::of("m"), shard, workers.count));
          state.lose(shards == 1 ? "m" : fmt::format("m.{}", shard));
        }
    }
  }
  for (int i = 0, quiet = 0; quiet < 12; ++i) {
    RC_ASSERT(i < 2000);
    const auto deliveries = workers.deliveries;
    const bool tended = workers.tend(now);
    const bool served = workers.serve();
    workers.deliver();
    turn();
    poll();
    quiet = tended || served || deliveries != workers.deliveries ? 0 : quiet + 1;
  }
  RC_ASSERT(spread.unsafe_count() == 0U);
  RC_ASSERT(spread.stats().unsafe_bytes == 0U);
  RC_ASSERT(spread.workers() == workers.count);
  const auto sum = sum_of(state, "m", sharding);
  if (!may_lose) {
    RC_ASSERT(sum == expected);
    RC_ASSERT(workers.restarts == 0);
    RC_ASSERT(restarts == 0);
  }
  std::vector<std::int64_t> held(elements);
  (polled ? taken : workers.received).copy(0, held);
  RC_ASSERT(held == sum);
  RC_ASSERT(spread.copy_sum(topic, 0, held));
  RC_ASSERT(held == sum);
}

}  // namespace
}  // namespace godwit::client

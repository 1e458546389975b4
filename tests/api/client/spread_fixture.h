// A Spread and the workers of a toy gateway over memory, in one thread and on a clock of its own.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "api/client/shard_runs.h"
#include "api/client/spread.h"
#include "api/local/memory_channel.h"
#include "tests/api/client/toy_gateway.h"
#include "tests/support/instants.h"

namespace godwit::client {

inline constexpr std::uint64_t kTile = 32'768;
inline constexpr PublisherId kPublisher{11};

// The connections between a Spread and the workers that answer, and what the application received.
class Workers {
 public:
  Workers(ToyState& state, Spread& spread, std::uint32_t workers)
      : count(workers), state_(state), spread_(spread) {}

  ToyGateway& gateway(std::uint32_t worker) { return *connections_.at(worker).gateway; }
  local::Channel& channel(std::uint32_t worker) {
    return connections_.at(worker).link->gateway_end();
  }
  bool is_connected(std::uint32_t worker) const { return connections_.contains(worker); }
  ToyGateway& gateway_of(const std::string& topic, std::uint32_t shard) {
    return gateway(worker_of(TopicId::of(topic), shard, count));
  }

  void connect(Instant now, std::uint32_t worker) {
    Connection& connection = connections_[worker];
    connection.link = std::make_unique<local::MemoryLink>(options);
    connection.gateway = std::make_unique<ToyGateway>(state_, connection.link->gateway_end());
    connection.gateway->workers = knows_shards ? count : 0;
    connection.gateway->worker = worker;
    connection.gateway->skip_safe = skip_safe;
    spread_.on_connected(now, worker, connection.link->client_end());
  }
  void disconnect(Instant now, std::uint32_t worker) {
    if (is_connected(worker)) {
      spread_.on_disconnected(now, worker, "cut");
      connections_.erase(worker);
    }
  }
  void disconnect_all(Instant now) {
    for (std::uint32_t worker = 0; worker < kShardsMax; ++worker) {
      disconnect(now, worker);
    }
  }

  // Dials whom it may, and closes what the Spread has given up. True when it did either.
  bool tend(Instant now) {
    bool changed = false;
    for (std::uint32_t worker = 0; worker < spread_.workers(); ++worker) {
      const bool due = worker < count && now >= spread_.next_dial(worker);
      if (is_connected(worker) && !spread_.failure(now, worker).empty()) {
        failures.push_back(spread_.failure(now, worker));
        disconnect(now, worker);
        changed = true;
      } else if (!is_connected(worker) && due) {
        connect(now, worker);
        changed = true;
      }
    }
    return changed;
  }
  // True when the gateway took anything.
  bool serve(int limit = 1 << 30) {
    bool any = false;
    for (auto& [worker, connection] : connections_) {
      any = connection.gateway->serve(limit) > 0 || any;
    }
    return any;
  }
  void deliver() {
    for (auto& [worker, connection] : connections_) {
      connection.gateway->deliver();
    }
  }
  // Takes what has come, as an application with callbacks would: a restart starts from zero.
  void receive(Instant now) {
    while (const auto event = spread_.receive(now)) {
      const auto* const delivery = std::get_if<Delivery>(&*event);
      if (delivery == nullptr) {
        ++restarts;
        received.clear();
        continue;
      }
      ++deliveries;
      local::SectionReader sections(delivery->transfer);
      while (const auto section = sections.next()) {
        for_each_piece_of_topic(spread_.sharding(delivery->topic),
                                delivery->shard,
                                *section,
                                [&](std::uint64_t first, std::span<const std::int64_t> values) {
                                  received.add(first, values);
                                });
      }
    }
  }

  std::uint32_t count;  // of workers that answer
  bool knows_shards = true;
  bool skip_safe = false;
  local::MemoryLinkOptions options = {};
  std::vector<std::string> failures;  // why the Spread gave a connection up
  BlockSums received;
  int restarts = 0;
  int deliveries = 0;

 private:
  struct Connection {
    std::unique_ptr<local::MemoryLink> link;
    std::unique_ptr<ToyGateway> gateway;
  };
  ToyState& state_;
  Spread& spread_;
  std::map<std::uint32_t, Connection> connections_;
};

// The gateway's sum of a topic, put together from its shards.
inline std::vector<std::int64_t> sum_of(ToyState& state,
                                        const std::string& name,
                                        const Sharding& sharding) {
  std::vector<std::int64_t> whole(sharding.element_count);
  for (std::uint32_t shard = 0; shard < sharding.shards; ++shard) {
    const auto& sum =
        state.topics[sharding.shards == 1 ? name : fmt::format("{}.{}", name, shard)].sum;
    for (std::uint64_t local = 0; local < sum.size(); ++local) {
      whole.at(sharding.to_global(shard, local)) = sum[local];
    }
  }
  return whole;
}

class SpreadTest : public ::testing::Test {
 protected:
  // Lets all sides work until nothing happens for longer than a client waits to dial again.
  void settle() {
    for (int quiet = 0, turns = 0; quiet < 25; ++turns) {
      ASSERT_LT(turns, 3000) << "it does not come to rest";
      const bool tended = workers_.tend(now_);
      const bool served = workers_.serve();
      workers_.receive(now_);
      spread_.pump(now_);
      quiet = tended || served ? 0 : quiet + 1;
      now_ += Duration::ms(50);
    }
  }

  std::uint32_t declare(std::uint32_t shards, std::uint64_t elements, const char* name = "model") {
    const auto topic = spread_.declare(
        {.name = name, .element_count = elements, .fraction_bits = 10, .shards = shards});
    EXPECT_TRUE(topic) << topic.error().message;
    settle();
    EXPECT_EQ(spread_.topic_state(*topic), TopicState::kOpen);
    return topic.value_or(0);
  }

  // A topic "model" of four shards and eight and a half tiles.
  std::uint32_t four_shards(std::uint32_t workers) {
    workers_.count = workers;
    settle();
    return declare(4, 8 * kTile + kTile / 2);
  }

  template <class Value>
  std::uint64_t publish(std::uint32_t topic,
                        const std::vector<Value>& values,
                        std::uint64_t first = 0,
                        std::optional<std::uint64_t> step = {}) {
    const auto number = try_publish(topic, values, first, step);
    EXPECT_TRUE(number) << number.error().message;
    return number.value_or(0);
  }
  template <class Value>
  Result<std::uint64_t> try_publish(std::uint32_t topic,
                                    const std::vector<Value>& values,
                                    std::uint64_t first,
                                    std::optional<std::uint64_t> step) {
    Publish whole{.first = first,
                  .count = values.size(),
                  .fixed = sizeof(Value) == sizeof(std::int64_t),
                  .step = step};
    Split split = spread_.split(topic, whole);
    EXPECT_TRUE(spread_.has_room(topic, split));
    spread_.reserve(topic, split);
    Spread::fill(std::as_bytes(std::span(values)), split);
    auto number = spread_.publish(topic, std::move(split));
    spread_.pump(now_);
    return number;
  }
  // Every element of the range gets another value.
  std::uint64_t publish_ramp(std::uint32_t topic, std::uint64_t first, std::uint64_t count) {
    std::vector<std::int64_t> values(count);
    for (std::uint64_t i = 0; i < count; ++i) {
      values[i] = static_cast<std::int64_t>(first + i + 1);
    }
    return publish(topic, values, first);
  }

  std::vector<std::int64_t> gateway_sum(std::uint32_t topic) {
    return sum_of(state_, spread_.topic_options(topic).name, spread_.sharding(topic));
  }
  std::vector<std::int64_t> received(std::uint32_t topic) {
    std::vector<std::int64_t> whole(spread_.sharding(topic).element_count);
    workers_.received.copy(0, whole);
    return whole;
  }
  std::optional<Outcome> safe(std::uint32_t topic, std::uint64_t number) {
    return spread_.outcome(topic, number, Level::kSafe, {});
  }

  Instant now_ = at_ms(1000);
  ToyState state_;
  Spread spread_{{.name = "test", .publisher = kPublisher, .incarnation = {5, 6}, .seed = 1}};
  Workers workers_{state_, spread_, 1};
};

}  // namespace godwit::client

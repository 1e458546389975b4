// Subscribers whose gateway comes back without its state.
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "dataplane/base/system_time.h"
#include "tests/api/client/client_fixture.h"

namespace godwit::client {
namespace {

class ClientRestart : public ClientTest {
 protected:
  // Everything of the old life is gone.
  void lose_state() {
    stop_gateway();
    state_ = {.incarnation = {2, 9}, .topics = {}};
    start_gateway();
  }
  Topic declare(Client& client, const std::string& name = "model") {
    auto topic = client.declare({.name = name, .element_count = 10, .fraction_bits = 0});
    EXPECT_TRUE(topic) << topic.error().message;
    return std::move(*topic);
  }
  void publish(Topic& topic, std::int64_t value) {
    auto ticket = topic.publish_fixed(std::vector<std::int64_t>(10, value), {});
    ASSERT_TRUE(ticket) << ticket.error().message;
    EXPECT_EQ(ticket->wait(Level::kSafe, kSoon), Outcome::kReached);
  }
  // Whether `done` holds soon.
  template <class Done>
  bool soon(Done done) {
    const Instant until = system_now() + kSoon;
    while (!done()) {
      if (system_now() > until) {
        return false;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return true;
  }
};

TEST_F(ClientRestart, APollTellsItAndThenAllComesAgain) {
  start_gateway();
  Client client = connect();
  Topic topic = declare(client);
  ASSERT_TRUE(topic.subscribe());
  publish(topic, 1);
  std::int64_t held = 0;
  const auto poll = [&] {
    const PollOutcome outcome = topic.poll(
        [&](const View& view) { held += view.first == 0 ? view.deltas[0] : 0; }, Duration::ms(50));
    if (outcome.restarted) {
      EXPECT_EQ(outcome.elements, 0U);
      held = 0;
    }
    return outcome.restarted;
  };
  EXPECT_TRUE(soon([&] { return poll(), held == 1; }));
  lose_state();
  publish(topic, 20);
  EXPECT_TRUE(soon(poll));
  EXPECT_TRUE(soon([&] { return poll(), held == 20; })) << "what it published before it knew";
}

// Who keeps the sum may look at nothing else.
TEST_F(ClientRestart, ACopyOfTheSumTellsItAsWell) {
  start_gateway();
  Client client = connect();
  Topic topic = declare(client);
  ASSERT_TRUE(topic.subscribe({.on_change = {}, .on_restart = {}, .keep_sum = true}));
  publish(topic, 1);
  std::array<std::int64_t, 1> sum{};
  const auto holds = [&](std::int64_t value) {
    return soon([&] { return topic.copy_sum(0, sum) && sum[0] == value; });
  };
  EXPECT_TRUE(holds(1));
  lose_state();
  publish(topic, 20);
  EXPECT_TRUE(holds(20));
  // And a poll later: what the copies have seen comes again.
  int restarts = 0;
  std::int64_t held = 0;
  EXPECT_TRUE(soon([&] {
    restarts +=
        topic.poll([&](const View& view) { held += view.deltas[0]; }, Duration::ms(50)).restarted
            ? 1
            : 0;
    return held == 20;
  }));
  EXPECT_EQ(restarts, 1);
  EXPECT_TRUE(holds(20));
}

TEST_F(ClientRestart, APollTellsItWhileACallbackOfAnotherTopicRuns) {
  start_gateway();
  Client client = connect();
  Topic called = declare(client, "called");
  Topic polled = declare(client, "polled");
  std::atomic<bool> runs = false;
  std::atomic<bool> may_end = false;
  ASSERT_TRUE(called.subscribe({.on_change = [&](const View& view) {
    runs = view.deltas[0] == 20;
    soon([&] { return !runs || may_end; });
  }}));
  ASSERT_TRUE(polled.subscribe());
  publish(polled, 1);
  lose_state();
  publish(polled, 2);
  publish(called, 20);
  EXPECT_TRUE(soon([&] { return runs.load(); }));
  ASSERT_TRUE(polled.publish_fixed(std::vector<std::int64_t>(10, 4), {}));  // after the restart
  EXPECT_TRUE(polled.poll([](const View&) {}, kSoon).restarted);
  may_end = true;
  std::int64_t held = 0;
  EXPECT_TRUE(soon([&] {
    polled.poll([&](const View& view) { held += view.deltas[0]; }, Duration::ms(50));
    return held == 6;
  }));
}

TEST_F(ClientRestart, ACallbackIsToldOnceBeforeTheFirstRepeatedChange) {
  start_gateway();
  Client client = connect();
  Topic topic = declare(client);
  std::atomic<std::int64_t> held = 0;
  std::atomic<int> restarts = 0;
  ASSERT_TRUE(topic.subscribe({.on_change = [&](const View& view) { held += view.deltas[0]; },
                               .on_restart =
                                   [&] {
                                     held = 0;
                                     ++restarts;
                                   }}));
  publish(topic, 1);
  EXPECT_TRUE(soon([&] { return held == 1; }));
  lose_state();
  publish(topic, 20);
  EXPECT_TRUE(soon([&] { return held == 20; }));
  EXPECT_EQ(restarts, 1);
}

}  // namespace
}  // namespace godwit::client

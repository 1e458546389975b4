#include "api/client/client.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/local/records.h"
#include "dataplane/base/system_time.h"
#include "tests/api/client/client_fixture.h"

namespace godwit::client {
namespace {

TEST_F(ClientTest, TwoClientsSeeEachOthersChangesAndNobodyWaitsWithoutADeadline) {
  start_gateway();
  Client one = connect("one");
  Client two = connect("two");
  EXPECT_EQ(one.site(), "fra");
  EXPECT_EQ(one.sites(), (std::vector<std::string>{"fra", "iad", "sin"}));
  auto from = one.declare({.name = "m", .element_count = 10'000, .fraction_bits = 20});
  auto to = two.declare({.name = "m", .element_count = 10'000, .fraction_bits = 20});
  ASSERT_TRUE(from && to);
  ASSERT_TRUE(to->subscribe({.keep_sum = true}));
  std::vector<float> weights(10'000, 5.0F);
  EXPECT_EQ(to->poll([](const View&) {}).elements, 0U);
  const std::vector<float> delta(10'000, 0.25F);
  const auto ticket = from->publish(delta);
  ASSERT_TRUE(ticket);
  EXPECT_EQ(ticket->wait(Level::kSafe, kSoon), Outcome::kReached);
  std::uint64_t elements = 0;
  while (elements < 10'000) {
    const auto polled = to->poll([&](const View& view) { view.add_to(weights); }, kSoon);
    ASSERT_GT(polled.elements, 0U);
    elements += polled.elements;
  }
  EXPECT_EQ(weights, std::vector<float>(10'000, 5.25F));
  std::vector<std::int64_t> sum(3);
  ASSERT_TRUE(to->copy_sum(9'997, sum));
  EXPECT_EQ(sum, std::vector<std::int64_t>(3, 1 << 18));
  EXPECT_TRUE(one.close(kSoon));
  EXPECT_TRUE(two.close(kSoon));
}

TEST_F(ClientTest, CallsBackForEachChangeAndAllowsPublishingFromTheCallback) {
  start_gateway();
  Client one = connect("one");
  Client two = connect("two");
  auto from = one.declare({.name = "m", .element_count = 100, .fraction_bits = 0});
  auto to = two.declare({.name = "m", .element_count = 100, .fraction_bits = 0});
  auto answers = two.declare({.name = "answers", .element_count = 1, .fraction_bits = 0});
  ASSERT_TRUE(from && to && answers);
  std::atomic<std::int64_t> seen{0};
  ASSERT_TRUE(to->subscribe({.on_change = [&](const View& view) {
    for (const std::int64_t delta : view.deltas) {
      seen += delta;
    }
    const std::array<float, 1> one_more{1.0F};
    EXPECT_TRUE(answers->publish(one_more));
    EXPECT_FALSE(two.close(kSoon)) << "a callback cannot join its own thread";
  }}));
  ASSERT_TRUE(from->publish(std::vector<float>(100, 2.0F)));
  const Instant until = system_now() + kSoon;
  while ((seen != 200 || sum_at("answers", 0) != 1) && system_now() < until) {
    std::this_thread::yield();
  }
  EXPECT_EQ(seen, 200);
  EXPECT_EQ(sum_at("answers", 0), 1);
}

TEST_F(ClientTest, ReportsTheElementAndTheValueThatTheGatewayRefused) {
  start_gateway();
  Client client = connect();
  auto topic = client.declare({.name = "m", .element_count = 10});
  ASSERT_TRUE(topic);
  const std::vector<float> bad{1.0F, std::numeric_limits<float>::infinity()};
  const auto ticket = topic->publish(bad, {.first = 3});
  ASSERT_TRUE(ticket);
  EXPECT_EQ(ticket->wait(Level::kSafe, kSoon), Outcome::kRefused);
  EXPECT_EQ(ticket->detail(), "element 4: inf");
  EXPECT_EQ(client.stats().publishes_refused, 1U);
}

TEST_F(ClientTest, RefusesWhatCannotBeMeant) {
  start_gateway();
  Client client = connect();
  EXPECT_FALSE(client.declare({.name = "", .element_count = 10}));
  EXPECT_FALSE(client.declare({.name = "m", .element_count = 0}));
  EXPECT_FALSE(client.declare({.name = "m", .element_count = 1, .tolerance = std::nan("")}));
  const auto high =
      client.declare({.name = "m", .element_count = 1, .tolerance = 2 * local::kToleranceMax});
  ASSERT_FALSE(high);
  EXPECT_EQ(
      high.error().message,
      "topic m: fraction_bits is 40, tolerance 2000000, threshold 0; they must be in [0, 62], "
      "[0, 10^6] and [0, 1000]");
  EXPECT_FALSE(client.declare(
      {.name = "m", .element_count = 1, .significance = {.threshold = 2 * local::kThresholdMax}}));
  auto topic = client.declare({.name = "m", .element_count = 10});
  ASSERT_TRUE(topic);
  EXPECT_FALSE(topic->publish(std::vector<float>{}));
  EXPECT_FALSE(topic->publish(std::vector<float>(11)));
  EXPECT_FALSE(topic->publish(std::vector<float>(1), {.first = 10}));
  EXPECT_FALSE(topic->publish(std::vector<float>(2), {.first = ~std::uint64_t{0}}));
  const auto late = topic->publish(std::vector<float>(1), {.update_deadline = Duration::ns(-1)});
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Code::kInvalid);
  EXPECT_FALSE(
      topic->publish(std::vector<float>(1), {.update_deadline = Duration::seconds(8'640'001)}));
  for (const std::uint64_t step : {0U, 1U, 2U}) {
    EXPECT_EQ(topic->publish(std::vector<float>(1), {.step = step}).has_value(), step != 0);
  }
  EXPECT_EQ(client.stats().publishes, 2U);
  const auto again = topic->publish(std::vector<float>(1), {.step = 1});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Code::kInvalid);
  EXPECT_TRUE(topic->tick(5));
  EXPECT_FALSE(topic->tick(4));
  const auto far = topic->tick((std::uint64_t{1} << 48U) + 1);
  ASSERT_FALSE(far);
  EXPECT_EQ(far.error().code, Code::kInvalid);
  EXPECT_TRUE(topic->tick(std::uint64_t{1} << 48U));
  EXPECT_TRUE(topic->subscribe());
  EXPECT_FALSE(topic->subscribe());
  EXPECT_TRUE(client.stats().connected) << "the gateway has nothing against it";
  EXPECT_FALSE(Topic().publish(std::vector<float>(1)));
  EXPECT_EQ(Ticket().wait(Level::kSafe, kSoon), Outcome::kClosed);
}

TEST_F(ClientTest, ATopicThatIsRefusedLaterSaysSoUntilAGatewayTakesIt) {
  start_gateway();
  Client client = connect();
  auto topic = client.declare({.name = "m", .element_count = 10});
  ASSERT_TRUE(topic);
  ASSERT_TRUE(topic->subscribe());
  const auto ignore = [](const View&) {};
  EXPECT_FALSE(topic->poll(ignore).refused);
  stop_gateway();
  refuse_declare_ = "the policy was narrowed";
  start_gateway();
  EXPECT_TRUE(topic->poll(ignore, kSoon).refused) << "long before its deadline";
  EXPECT_EQ(topic->wait_clock(1, kSoon).kind, ClockOutcome::Kind::kRefused);
  const auto ticked = topic->tick(1);
  ASSERT_FALSE(ticked);
  EXPECT_EQ(ticked.error().message, *refuse_declare_);
  EXPECT_FALSE(topic->publish(std::vector<float>(1, 1.0F)));
  stop_gateway();
  refuse_declare_.reset();
  start_gateway();
  ASSERT_TRUE(client.declare({.name = "m", .element_count = 10}, kSoon)) << "waits for its answer";
  EXPECT_FALSE(topic->poll(ignore).refused);
  EXPECT_TRUE(topic->tick(1));
  EXPECT_EQ(topic->wait_clock(1, kSoon).kind, ClockOutcome::Kind::kOk);
}

TEST_F(ClientTest, APollWithoutACallbackTakesNothing) {
  start_gateway();
  Client client = connect("subscriber");
  Client other = connect("publisher");
  auto topic = client.declare({.name = "m", .element_count = 10});
  auto theirs = other.declare({.name = "m", .element_count = 10});
  ASSERT_TRUE(topic && theirs);
  ASSERT_TRUE(topic->subscribe({.keep_sum = true}));
  ASSERT_TRUE(theirs->publish_fixed(std::vector<std::int64_t>(10, 3)));
  std::vector<std::int64_t> sum(10);
  for (int tries = 0; tries < 1000 && sum[0] == 0; ++tries) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    ASSERT_TRUE(topic->copy_sum(0, sum));
  }
  EXPECT_EQ(topic->poll({}, kSoon).elements, 0U);
  EXPECT_EQ(topic->poll([](const View&) {}, kSoon).elements, 10U);
}

TEST_F(ClientTest, AClockWaitNamesTheMissingSites) {
  missing_ = {"iad", "sin"};
  start_gateway();
  Client client = connect();
  auto topic = client.declare({.name = "m", .element_count = 10});
  ASSERT_TRUE(topic);
  const ClockOutcome outcome = topic->wait_clock(3, kSoon);
  EXPECT_EQ(outcome.kind, ClockOutcome::Kind::kPartial);
  EXPECT_EQ(outcome.missing, missing_);
}

TEST(ClientOptions, NameTheSocketOfTheSitesGateway) {
  const auto nowhere = Client::connect({.name = "trainer"});
  ASSERT_FALSE(nowhere);
  EXPECT_NE(nowhere.error().message.find("[self] client"), std::string::npos);
}

TEST_F(ClientTest, WithoutAGatewayEveryCallEndsAtItsDeadline) {
  const Instant start = system_now();
  EXPECT_FALSE(Client::connect({.socket = path(), .deadline = Duration::ms(200)}));
  EXPECT_LT(system_now() - start, Duration::seconds(5));

  start_gateway();
  auto made = Client::connect({.socket = path(), .unsafe_bytes_max = 10'000});
  ASSERT_TRUE(made);
  auto topic = made->declare({.name = "m", .element_count = 2000});
  ASSERT_TRUE(topic);
  stop_gateway();
  const auto ticket = topic->publish(std::vector<float>(2000, 1.0F));
  ASSERT_TRUE(ticket) << "kept until a gateway comes back";
  EXPECT_EQ(ticket->wait(Level::kAccepted, Duration::zero()), Outcome::kReached);
  EXPECT_EQ(ticket->wait(Level::kSafe, Duration::ms(50)), Outcome::kTimeout);
  const auto full = topic->publish(std::vector<float>(2000, 1.0F), {.deadline = Duration::ms(50)});
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, Code::kFull);
  EXPECT_EQ(topic->wait_clock(1, Duration::ms(50)).kind, ClockOutcome::Kind::kTimeout);
  EXPECT_FALSE(made->declare({.name = "other", .element_count = 1}, Duration::ms(50)));
  EXPECT_EQ(topic->poll([](const View&) {}, Duration::ms(50)).elements, 0U);
  EXPECT_FALSE(made->close(Duration::ms(50))) << "something is left unsafe";
  EXPECT_EQ(ticket->wait(Level::kSafe, kSoon), Outcome::kClosed);
}

TEST_F(ClientTest, GoesOnWithAGatewayThatComesBack) {
  start_gateway();
  Client client = connect();
  auto topic = client.declare({.name = "m", .element_count = 10, .fraction_bits = 0});
  ASSERT_TRUE(topic);
  stop_gateway();
  const auto ticket = topic->publish(std::vector<float>(10, 1.0F));
  ASSERT_TRUE(ticket);
  start_gateway();
  EXPECT_EQ(ticket->wait(Level::kSafe, kSoon), Outcome::kReached);
  EXPECT_EQ(sum_at("m", 9), 1);
  EXPECT_GE(client.stats().connections, 2U);
}

// What a polled subscriber adds up until it holds `expected`.
void expect_polled(Topic& topic, const std::vector<std::int64_t>& expected) {
  std::vector<std::int64_t> sum(expected.size());
  const Instant until = system_now() + kSoon;
  while (sum != expected && system_now() < until) {
    std::uint64_t end = 0;
    topic.poll(
        [&](const View& view) {
          EXPECT_GE(view.first, end) << "rising";
          end = view.first + view.deltas.size();
          for (std::size_t i = 0; i < view.deltas.size(); ++i) {
            sum.at(view.first + i) += view.deltas[i];
          }
        },
        Duration::ms(50));
  }
  EXPECT_TRUE(sum == expected);
}

TEST_F(ClientTest, ATopicOfSeveralShardsIsOneTopicOverAnyNumberOfWorkers) {
  start_gateway(2);
  Client one = connect("one");
  Client two = connect("two");
  EXPECT_EQ(one.stats().connections, 2U);
  const TopicOptions options{
      .name = "m", .element_count = 5 * 32'768, .fraction_bits = 0, .shards = 4};
  auto from = one.declare(options);
  auto polled = two.declare(options);
  ASSERT_TRUE(from && polled);
  ASSERT_TRUE(polled->subscribe());
  Client three = connect("three");
  auto called = three.declare(options);
  ASSERT_TRUE(called);
  std::mutex mutex;
  std::vector<std::int64_t> heard(options.element_count);
  ASSERT_TRUE(called->subscribe({.on_change = [&](const View& view) {
    const std::lock_guard lock(mutex);
    for (std::size_t i = 0; i < view.deltas.size(); ++i) {
      heard.at(view.first + i) += view.deltas[i];
    }
  }}));

  std::vector<float> values(options.element_count - 100);
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(i);
  }
  const auto before = from->publish(values, {.first = 100});
  ASSERT_TRUE(before);
  EXPECT_EQ(before->wait(Level::kSafe, kSoon), Outcome::kReached);
  stop_gateway();
  const auto during = from->publish(values, {.first = 100});
  ASSERT_TRUE(during);
  EXPECT_TRUE(from->tick(3));
  start_gateway(4);
  EXPECT_EQ(during->wait(Level::kSafe, kSoon), Outcome::kReached);
  EXPECT_EQ(from->wait_clock(3, kSoon).kind, ClockOutcome::Kind::kOk);

  std::vector<std::int64_t> expected(options.element_count);
  for (std::size_t i = 0; i < values.size(); ++i) {
    expected[100 + i] = 2 * static_cast<std::int64_t>(i);
  }
  expect_polled(*polled, expected);
  const Instant until = system_now() + kSoon;
  const auto all_heard = [&] {
    const std::lock_guard lock(mutex);
    return heard == expected;
  };
  while (!all_heard() && system_now() < until) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_TRUE(all_heard());
  EXPECT_TRUE(one.close(kSoon));
}

TEST_F(ClientTest, AForkedChildGetsErrorsAndDoesNotHang) {
  start_gateway();
  Client client = connect();
  auto topic = client.declare({.name = "m", .element_count = 10});
  ASSERT_TRUE(topic);
  const auto ticket = topic->publish(std::vector<float>(10, 1.0F));
  ASSERT_TRUE(ticket);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto refused = topic->publish(std::vector<float>(10, 1.0F));
    const bool ok = !refused && refused.error().code == Code::kUnsupported &&
                    ticket->wait(Level::kSafe, kSoon) == Outcome::kClosed && !client.close(kSoon);
    { const Client gone = std::move(client); }
    ::_exit(ok ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(ticket->wait(Level::kSafe, kSoon), Outcome::kReached) << "the parent goes on";
}

// ---- processes that are killed ------------------------------------------------------------------

constexpr std::size_t kTopicElements = 500;
constexpr std::uint64_t kPublishes = 24;

// What survives the gateway's process, as its file-backed mapping would.
struct Surviving {
  std::array<std::int64_t, kTopicElements> sum;
  std::uint64_t accepted;
  std::uint64_t publisher;
  std::uint64_t incarnation;
  std::array<bool, kPublishes + 1> merged;
  int lives;
};

ToyState load(const Surviving& from) {
  ToyState state;
  ToyTopic& topic = state.topics["m"];
  topic.sum.assign(from.sum.begin(), from.sum.end());
  topic.accepted = from.accepted;
  for (std::uint64_t number = 1; number <= kPublishes; ++number) {
    if (from.merged[number]) {
      topic.merged[{from.publisher, from.incarnation}].insert(number);
    }
  }
  return state;
}

void save(ToyState& state, Surviving& to) {
  const ToyTopic& topic = state.topics["m"];
  std::copy(topic.sum.begin(), topic.sum.end(), to.sum.begin());
  to.accepted = topic.accepted;
  for (const auto& [key, numbers] : topic.merged) {
    to.publisher = key.first;
    to.incarnation = key.second;
    for (const std::uint64_t number : numbers) {
      to.merged[number] = true;
    }
  }
}

// One life of a gateway: killed at its third publish, alternately before the merge is kept and
// after it is kept but before anybody is told.
[[noreturn]] void live_and_die(const std::string& path, Surviving& surviving) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ToyState state = load(surviving);
  ToyServer server(path, state);
  int publishes = 0;
  server.before_safe = [&] {
    ++publishes;
    const bool last_breath = publishes == 3;
    if (last_breath && surviving.lives % 2 == 0) {
      ::kill(::getpid(), SIGKILL);
    }
    save(state, surviving);
    if (last_breath) {
      ::kill(::getpid(), SIGKILL);
    }
  };
  while (true) {
    server.turn();
  }
}

TEST(ClientAndKilledGateways, EveryPublishCountsExactlyOnceWhenGatewaysAreKilled) {
  const testing_support::TemporaryFolder folder;
  const std::string path = folder / "gateway.sock";
  void* const memory =
      ::mmap(nullptr, sizeof(Surviving), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  auto& surviving = *static_cast<Surviving*>(memory);
  // A process without threads makes the gateways, one after the other.
  const pid_t nursery = ::fork();
  if (nursery == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (true) {
      const pid_t gateway = ::fork();
      if (gateway == 0) {
        live_and_die(path, surviving);
      }
      ::waitpid(gateway, nullptr, 0);
      ++surviving.lives;
    }
  }
  auto client = Client::connect({.socket = path, .name = "trainer", .deadline = kSoon});
  ASSERT_TRUE(client) << client.error().message;
  auto topic = client->declare({.name = "m", .element_count = kTopicElements, .fraction_bits = 0});
  ASSERT_TRUE(topic);
  std::vector<Ticket> tickets;
  for (std::uint64_t i = 0; i < kPublishes; ++i) {
    const auto ticket = topic->publish(std::vector<float>(kTopicElements, static_cast<float>(i)));
    ASSERT_TRUE(ticket) << ticket.error().message;
    tickets.push_back(*ticket);
  }
  for (const Ticket& ticket : tickets) {
    EXPECT_EQ(ticket.wait(Level::kSafe, Duration::seconds(30)), Outcome::kReached)
        << ticket.number();
  }
  EXPECT_TRUE(client->close(kSoon));
  ::kill(nursery, SIGKILL);
  ::waitpid(nursery, nullptr, 0);
  EXPECT_GE(surviving.lives, 6);
  for (const std::int64_t sum : surviving.sum) {
    ASSERT_EQ(sum, static_cast<std::int64_t>(kPublishes * (kPublishes - 1) / 2));
  }
  ::munmap(memory, sizeof(Surviving));
}

}  // namespace
}  // namespace godwit::client

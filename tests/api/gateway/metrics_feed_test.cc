#include "api/gateway/metrics_feed.h"

#include <bit>
#include <cmath>
#include <limits>
#include <map>

#include <gtest/gtest.h>

#include "tests/api/gateway/one_gateway.h"

namespace godwit::gateway {
namespace {

using monitoring::Metric;

constexpr std::uint64_t kTenElements = 10;

// Two topics' publishes, and what the metrics say of them.
struct Counted {
  OneGateway b{"b"};
  local::TopicHandle handle = b.declare("t", kTenElements);
  std::uint64_t number = 0;

  void publish(std::uint64_t first, std::uint64_t count, const std::vector<float>& values) {
    ++number;
    b.say(local::PublishBegin{.topic = handle, .number = number, .first = first, .count = count});
    b.say(local::PublishData{.topic = handle, .number = number, .first = first, .values = values});
    b.say(local::PublishCommit{.topic = handle, .number = number});
    b.turn(1);
  }
  // The values of a metric by its last label; those of this topic, where it has topics.
  std::map<std::string, std::uint64_t> values(Metric metric) {
    monitoring::Cells cells;
    MetricsFeed feed(*b.gateway, cells, b.now);
    feed.on_turn(b.now, Duration::zero(), {.by_limit = 10, .by_version = 20});
    std::map<std::string, std::uint64_t> found;
    cells.visit([&](const monitoring::Cells::Series& series) {
      if (series.metric == metric && (series.labels.size() < 2 || series.labels.at(0) == "t")) {
        found[series.labels.empty() ? "" : series.labels.back()] = series.cells->load();
      }
    });
    return found;
  }
  std::map<std::string, std::uint64_t> refused() { return values(Metric::kTopicRefused); }
};

// The present value of every series of a metric, by its last label.
std::map<std::string, std::uint64_t> values_of(OneGateway& b, Metric metric) {
  monitoring::Cells cells;
  MetricsFeed feed(*b.gateway, cells, b.now);
  feed.on_turn(b.now, Duration::zero(), {});
  std::map<std::string, std::uint64_t> found;
  cells.visit([&](const monitoring::Cells::Series& series) {
    if (series.metric == metric) {
      found[std::string(series.labels.back())] = series.cells->load();
    }
  });
  return found;
}

// Of a gauge's series with this last label.
double gauge_of(OneGateway& b, Metric metric, const std::string& label) {
  return std::bit_cast<double>(values_of(b, metric).at(label));
}

TEST(MetricsFeed, ShowsWhatTheEndpointTurnedAway) {
  OneGateway b("b");
  b.endpoint.figures = {.sessions_accepted = 9,
                        .packets_unknown_source = 5,
                        .packets_unmatched = 10,
                        .packets_malformed = 2,
                        .packets_late = 4,
                        .accepts_over_limit = 4,
                        .retries_sent = 3};
  using Values = std::map<std::string, std::uint64_t>;
  EXPECT_EQ(values_of(b, Metric::kEndpointDropped),
            (Values{{"unknown_source", 5}, {"unmatched", 6}, {"late", 4}, {"malformed", 2}}));
  EXPECT_EQ(
      values_of(b, Metric::kEndpointHandshakes),
      (Values{
          {"accepted", 9}, {"failed", 0}, {"over_limit", 1}, {"asked", 3}, {"proof_refused", 0}}));
}

TEST(MetricsFeed, CountsLostPacketsOverAllSessionsOfALink) {
  OneGateway b("b");
  b.greeted("a").figures.packets_lost = 4;
  b.turn(1);
  b.greeted("a").figures.packets_lost = 2;
  EXPECT_EQ(values_of(b, Metric::kLinkLostPackets).at("a"), 6U);
}

TEST(MetricsFeed, CountsALinkOverItsConnections) {
  OneGateway b("b", "[[links]]\nends = [\"a\", \"b\"]\nconnections = 2\n");
  for (std::uint32_t connection = 0; connection < 2; ++connection) {
    ScriptedSession& a = b.established("a");
    control::ControlMessage hello = OneGateway::hello("a");
    hello.mutable_hello()->set_connection(connection);
    hello.mutable_hello()->set_connections(2);
    a.control(hello);
    a.figures.packets_lost = 4 + connection;
    b.turn(1);
    EXPECT_EQ(gauge_of(b, Metric::kLinkUp, "a"), connection == 0 ? 0 : 1) << "all or none";
  }
  EXPECT_EQ(values_of(b, Metric::kLinkLostPackets).at("a"), 9U);
}

TEST(MetricsFeed, ShowsWhichPathALinkIsOn) {
  OneGateway b("b");
  b.config.sites[0].endpoints = {"127.0.1.1:7001", "127.0.2.1:7001"};
  b.open();
  EXPECT_EQ(gauge_of(b, Metric::kLinkPath, "a"), 0) << "down";
  for (const char* from : {"127.0.2.1:7001", "127.0.1.1:7001"}) {
    ScriptedSession& a = b.endpoint.accept();
    a.from = port::Peer::parse(from).value();
    a.establish("a");
    b.turn(1);
    a.control(OneGateway::hello("a"));
    b.turn(1);
    EXPECT_EQ(gauge_of(b, Metric::kLinkPath, "a"), from[6] - '0') << from;
  }
  EXPECT_EQ(values_of(b, Metric::kLinkPathChanges).at("a"), 1U);
}

TEST(MetricsFeed, CountsATopicOverItsShards) {
  OneGateway b("b");
  for (std::uint32_t shard = 0; shard < 2; ++shard) {
    const auto handle = b.declare(
        {.topic = "t", .element_count = 2 * kShardTileElements, .shards = 2, .shard = shard});
    b.publish(handle, 0, {1, 2});
  }
  EXPECT_EQ(values_of(b, Metric::kTopicPublishes).at("t"), 2U);
  EXPECT_EQ(values_of(b, Metric::kTopicElements).at("t"), 4U);
  EXPECT_EQ(gauge_of(b, Metric::kTopicMemoryBytes, "t"),
            static_cast<double>(b.gateway->core().memory_used()));
}

TEST(MetricsFeed, TellsHowLongALinkWasHeldBackAndByWhat) {
  OneGateway b("b");
  ScriptedSession& first = b.greeted("a");
  first.figures.held_by_cap = Duration::ms(30);
  first.figures.held_by_congestion = Duration::ms(5);
  b.turn(1);
  b.greeted("a").figures.held_by_cap = Duration::ms(12);
  b.turn(1);
  monitoring::Cells cells;
  MetricsFeed(*b.gateway, cells, b.now).on_turn(b.now, Duration::zero(), {});
  std::map<std::string, std::uint64_t> found;
  cells.visit([&](const monitoring::Cells::Series& series) {
    if (series.metric == Metric::kLinkHeldSeconds && series.labels.at(0) == "a") {
      found[std::string(series.labels.at(1))] = series.cells->load();
    }
  });
  EXPECT_EQ(found,
            (std::map<std::string, std::uint64_t>{{"cap", 42'000'000}, {"congestion", 5'000'000}}));
}

using Refused = std::map<std::string, std::uint64_t>;

TEST(MetricsFeed, ShowsEveryReasonOfARefusedPublishFromTheStart) {
  Counted counted;
  EXPECT_EQ(
      counted.refused(),
      (Refused{
          {"not_finite", 0}, {"out_of_range", 0}, {"shape", 0}, {"no_memory", 0}, {"other", 0}}));
}

TEST(MetricsFeed, CountsRefusedPublishesByTheirReason) {
  Counted counted;
  counted.publish(0, 2, {1, std::numeric_limits<float>::quiet_NaN()});
  counted.publish(0, 2, {std::numeric_limits<float>::infinity(), 1});
  counted.publish(0, 1, {1e30F});
  counted.publish(8, 3, {1, 1, 1});  // beyond the end
  counted.publish(0, 2, {1, 1});
  EXPECT_EQ(
      counted.refused(),
      (Refused{
          {"not_finite", 2}, {"out_of_range", 1}, {"shape", 1}, {"no_memory", 0}, {"other", 0}}));
  EXPECT_EQ(counted.values(Metric::kTopicPublishes).at("t"), 1U);
  EXPECT_EQ(counted.values(Metric::kTopicElements).at("t"), 2U) << "of the one that was merged";
}

TEST(MetricsFeed, CountsASumThatWouldLeaveTheRangeAsOutOfRange) {
  Counted counted;
  const auto most = static_cast<float>(std::ldexp(1.0, 62 - 40)) / 3;  // quanta of 2^-40, 3 sites
  counted.publish(0, 1, {most * 0.75F});
  counted.publish(0, 1, {most * 0.75F});
  EXPECT_EQ(counted.refused().at("out_of_range"), 1U);
  EXPECT_EQ(counted.b.topic("t").ledger().publishes(), 1U);
}

TEST(MetricsFeed, CountsClientsThatWereTurnedAwayByReason) {
  Counted counted;
  counted.publish(0, 1, {1});
  EXPECT_EQ(counted.values(Metric::kClientRefused),
            (Refused{{"protocol", 0}, {"limit", 10}, {"version", 20}, {"other", 0}}));
  counted.b.say(local::PublishCommit{.topic = counted.handle, .number = 9});  // never begun
  counted.b.turn(1);
  EXPECT_EQ(counted.values(Metric::kClientRefused),
            (Refused{{"protocol", 1}, {"limit", 10}, {"version", 20}, {"other", 0}}));
}

TEST(MetricsFeed, CountsWhatClientsAreRefusedWhileTheyStay) {
  Counted counted;
  counted.publish(0, 1, {1});
  EXPECT_EQ(counted.values(Metric::kClientRequestRefused),
            (Refused{{"topic", 0}, {"subscription", 0}}));
  counted.b.declare("t", 12'345);
  EXPECT_EQ(counted.b.declared.code, Code::kInvalid);
  EXPECT_EQ(counted.values(Metric::kClientRequestRefused),
            (Refused{{"topic", 1}, {"subscription", 0}}));
}

TEST(MetricsFeed, CountsRefusedTopicsByWhoRefusedAndWhy) {
  Counted counted;
  ScriptedSession& a = counted.b.greeted("a");
  a.control(OneGateway::announcement("t", kTenElements + 1));
  control::ControlMessage seeded = OneGateway::announcement("t", kTenElements);
  seeded.mutable_topic_announce()->set_seed_hash(5);
  a.control(seeded);
  a.control(seeded);
  a.control(counted.b.lane_open("never agreed upon"));
  control::ControlMessage theirs;
  theirs.mutable_refuse()->set_topic(TopicId::of("t").value());
  theirs.mutable_refuse()->set_code(control::Refuse::CODE_RESIDENCY);
  a.control(theirs);
  theirs.mutable_refuse()->set_code(static_cast<control::Refuse::Code>(99));
  a.control(theirs);
  counted.b.turn();
  monitoring::Cells cells;
  MetricsFeed feed(*counted.b.gateway, cells, counted.b.now);
  feed.on_turn(counted.b.now, Duration::zero(), {});
  std::map<std::string, std::uint64_t> found;
  cells.visit([&](const monitoring::Cells::Series& series) {
    if (series.metric == Metric::kLinkTopicsRefused && series.cells->load() > 0) {
      found[series.labels.at(0) + " " + series.labels.at(1) + " " + series.labels.at(2)] =
          series.cells->load();
    }
  });
  EXPECT_EQ(found,
            (Refused{{"a here shape_mismatch", 1},
                     {"a here seed_mismatch", 2},
                     {"a here unknown_topic", 1},
                     {"a peer residency", 1},
                     {"a peer other", 1}}));
}

// Nobody has accepted the lane yet, so what is published waits.
TEST(MetricsFeed, TellsHowMuchIsNotSentYetAndSinceWhen) {
  OneGateway b("b");
  const auto handle = b.declare("t", kTenElements);
  const auto greet = [&]() -> ScriptedSession& {
    ScriptedSession& a = b.greeted("a");
    a.control(OneGateway::announcement("t", kTenElements));
    b.turn(1);
    return a;
  };
  ScriptedSession& first = greet();
  EXPECT_EQ(gauge_of(b, Metric::kTopicResidualEnergy, "a"), 0);
  const Instant published = b.now;
  b.publish(handle, 0, {3, 4});
  b.turn(100);
  EXPECT_EQ(gauge_of(b, Metric::kTopicResidualEnergy, "a"), 25);
  EXPECT_NEAR(
      gauge_of(b, Metric::kTopicResidualAgeSeconds, "a"), (b.now - published).to_seconds(), 0.01);
  EXPECT_EQ(gauge_of(b, Metric::kTopicResidualDecay, "a"), 0);
  b.publish(handle, 0, {3, 4});
  EXPECT_EQ(gauge_of(b, Metric::kTopicResidualEnergy, "a"), 50) << "as if the two had no relation";
  first.end(transport::CloseReason::kSilent, "cut");
  b.turn(1);
  ScriptedSession& second = greet();
  EXPECT_EQ(gauge_of(b, Metric::kTopicResidualEnergy, "a"), 100) << "measured, not added once more";
  second.control(b.lane_accept("t"));
  b.turn();
  EXPECT_EQ(gauge_of(b, Metric::kTopicResidualEnergy, "a"), 0) << "all is sent";
  EXPECT_NEAR(gauge_of(b, Metric::kTopicResidualDecay, "a"), 0.1, 0.01) << "all, of ten seconds";
}

TEST(MetricsFeed, ShowsWhatAClientHasNotRead) {
  Counted counted;
  EXPECT_EQ(counted.values(Metric::kClientRingBytes).at(""), 0U);
  counted.publish(0, 1, {1});
  EXPECT_GT(counted.values(Metric::kClientRingBytes).at(""), 0U) << "the answer Safe";
}

}  // namespace
}  // namespace godwit::gateway

#include "api/gateway/report.h"

#include <algorithm>
#include <list>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/local/server.h"
#include "tests/api/gateway/admin_ask.h"
#include "tests/api/gateway/one_gateway.h"
#include "tests/api/gateway/raw_client.h"

namespace godwit::gateway {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kCapped = "[[links]]\nends = [\"a\", \"b\"]\ncap = \"20Mbit/s\"\n";

admin::StatusReport status_of(OneGateway& b) {
  admin::AdminRequest request;
  request.mutable_status();
  return ask(b, request).status();
}

admin::LinkReport link_to(OneGateway& b, const std::string& site) {
  admin::AdminRequest request;
  request.mutable_links()->set_peer(site);
  return ask(b, request).links().links(0);
}

TEST(Report, TellsWhatALinkCarriedInTheLastSecondBesideWhatIsPlannedForIt) {
  OneGateway b("b", kCapped);
  ScriptedSession& a = b.greeted("a");
  for (int i = 0; i < 500; ++i) {  // of 3 ms: 100 bytes in a packet of 128 sent, 2 × 222 received
    a.figures.bytes_sent += 100;
    a.figures.packets_sent += 1;
    a.figures.bytes_received += 2 * 222;
    a.figures.packets_received += 2;
    b.turn(1);
  }
  const auto busy = link_to(b, "a");
  EXPECT_NEAR(static_cast<double>(busy.rate_bps()), 128 * 8 / 0.003, 5000);
  EXPECT_NEAR(static_cast<double>(busy.received_bps()), 500 * 8 / 0.003, 20000);
  EXPECT_EQ(busy.planned_bps(), 19'400'000U);  // 97 % of the cap
  EXPECT_EQ(busy.cap_bps(), 20'000'000U);
  b.turn(400);
  EXPECT_EQ(link_to(b, "a").rate_bps(), 0U);
  EXPECT_EQ(link_to(b, "a").planned_bps(), 19'400'000U);
}

TEST(Report, TellsWhatTheTransportMeasuresOfTheSessionAndCountsOverAll) {
  OneGateway b("b", kCapped);
  ScriptedSession& first = b.greeted("a");
  first.figures.packets_lost = 7;
  first.figures.probe_timeouts = 2;
  first.figures.key_updates = 1;
  first.figures.black_holes = 1;
  first.figures.held_by_cap = Duration::ms(30);
  first.figures.held_by_congestion = Duration::ms(5);
  first.figures.packet_bytes = 1200;
  b.turn(1);
  ScriptedSession& second = b.greeted("a");
  second.figures.packets_lost = 3;
  second.figures.packet_bytes = 1452;
  second.figures.held_by_cap = Duration::ms(12);
  second.figures.rtt_latest = Duration::ms(41);
  second.figures.rtt_variation = Duration::us(1'500);
  second.figures.pacing = BitRate::mbps(21);
  second.figures.congestion_window = 90'000;
  const auto link = link_to(b, "a");
  EXPECT_EQ(link.lost_packets(), 10U);
  EXPECT_EQ(link.probe_timeouts(), 2U);
  EXPECT_EQ(link.key_updates(), 1U);
  EXPECT_EQ(link.black_holes(), 1U);
  EXPECT_EQ(link.limited_by_cap_ns(), 42'000'000U);
  EXPECT_EQ(link.limited_by_congestion_ns(), 5'000'000U);
  EXPECT_EQ(link.packet_bytes(), 1452U);
  EXPECT_EQ(link.rtt_latest_ns(), 41'000'000U);
  EXPECT_EQ(link.rtt_variation_ns(), 1'500'000U);
  EXPECT_EQ(link.pacing_bps(), 21'000'000U);
  EXPECT_EQ(link.congestion_window_bytes(), 90'000U);
}

TEST(Report, PlansWithTheCapUntilTheTransportKnowsBetter) {
  OneGateway b("b", kCapped);
  ScriptedSession& a = b.greeted("a");
  EXPECT_EQ(link_to(b, "a").planned_bps(), 19'400'000U);
  EXPECT_EQ(link_to(b, "a").estimate_bps(), 0U);
  a.figures.rate = BitRate::mbps(5);
  a.figures.delivery = BitRate::mbps(4);
  EXPECT_EQ(link_to(b, "a").planned_bps(), 5'000'000U);
  EXPECT_EQ(link_to(b, "a").estimate_bps(), 4'000'000U);
}

TEST(Report, PlansSmallWhereNeitherACapNorAMeasurementIsThere) {
  OneGateway b("b");
  ScriptedSession& a = b.greeted("a");
  EXPECT_EQ(link_to(b, "a").planned_bps(), 10'000'000U);
  a.figures.rate = BitRate::mbps(400);
  EXPECT_EQ(link_to(b, "a").planned_bps(), 400'000'000U);
}

TEST(Report, TellsWhatThePeerNamedOnThePresentSession) {
  OneGateway b("b");
  ScriptedSession& a = b.established("a");
  control::ControlMessage hello = OneGateway::hello("a");
  hello.mutable_hello()->add_capabilities("codec.bpc");
  hello.mutable_hello()->add_capabilities("telepathy");
  a.control(hello);
  EXPECT_EQ(link_to(b, "a").capabilities_size(), 0);
  b.turn(1);
  const auto link = link_to(b, "a");
  ASSERT_EQ(link.capabilities_size(), 2);
  EXPECT_EQ(link.capabilities(0), "codec.bpc");
  EXPECT_EQ(link.capabilities(1), "telepathy");
  a.end(transport::CloseReason::kSilent, "cut");
  b.turn(1);
  EXPECT_EQ(link_to(b, "a").capabilities_size(), 0);
}

TEST(Report, TellsTheHashOfTheRulesThatAllSitesShare) {
  OneGateway a("a", kCapped);
  OneGateway b("b", kCapped);
  OneGateway other("b");
  EXPECT_NE(status_of(a).config_hash(), 0U);
  EXPECT_EQ(status_of(a).config_hash(), status_of(b).config_hash());
  EXPECT_NE(status_of(a).config_hash(), status_of(other).config_hash());
}

control::ControlMessage refusal(const std::string& topic, control::Refuse::Code code) {
  control::ControlMessage message;
  message.mutable_refuse()->set_topic(TopicId::of(topic).value());
  message.mutable_refuse()->set_code(code);
  message.mutable_refuse()->set_text("the policy of site a does not allow it");
  return message;
}

// The problems of topics; those of links aside, because c is never there.
std::vector<admin::Problem> topic_problems(OneGateway& b) {
  std::vector<admin::Problem> found;
  const admin::StatusReport report = status_of(b);
  for (const auto& problem : report.problems()) {
    if (problem.reason().starts_with("topic.")) {
      found.push_back(problem);
    }
  }
  return found;
}

TEST(Report, MakesAPeersRefusalOfATopicAProblemWithAReasonAndACommand) {
  OneGateway b("b");
  b.declare("t", 10);
  ScriptedSession& a = b.greeted("a");
  EXPECT_TRUE(topic_problems(b).empty());
  a.control(refusal("t", control::Refuse::CODE_RESIDENCY));
  b.turn();
  a.control(refusal("t", control::Refuse::CODE_RESIDENCY));
  b.turn(1);
  const auto problems = topic_problems(b);
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_EQ(problems[0].severity(), admin::Problem::SEVERITY_FAILURE);
  EXPECT_EQ(problems[0].reason(), "topic.residency");
  EXPECT_EQ(problems[0].subject(), "t");
  EXPECT_EQ(problems[0].text(), "a refuses it: the policy of site a does not allow it");
  EXPECT_EQ(problems[0].command(), "godwit explain t");
  EXPECT_EQ(problems[0].since_ns(), 8U * 3'000'000U) << "since the first, 8 turns of 3 ms ago";

  admin::AdminRequest request;
  request.mutable_explain()->set_topic("t");
  const auto explained = ask(b, request).explain();
  ASSERT_EQ(explained.lanes_size(), 1);
  EXPECT_EQ(explained.lanes(0).reason(), "topic.residency");
  EXPECT_EQ(explained.lanes(0).command(), "godwit config check test.toml");
}

TEST(Report, ForgetsARefusalWithTheSessionAndWhenTheLaneIsAccepted) {
  OneGateway b("b");
  b.declare("t", 10);
  ScriptedSession& first = b.greeted("a");
  first.control(refusal("t", control::Refuse::CODE_SHAPE_MISMATCH));
  b.turn(1);
  ASSERT_EQ(topic_problems(b).size(), 1U);
  EXPECT_EQ(topic_problems(b)[0].reason(), "topic.shape_mismatch");
  first.end(transport::CloseReason::kSilent, "cut");
  b.turn(1);
  EXPECT_TRUE(topic_problems(b).empty());
  ScriptedSession& second = b.greeted("a");
  second.control(refusal("t", control::Refuse::CODE_SEED_MISMATCH));
  b.turn(1);
  EXPECT_EQ(topic_problems(b).size(), 1U);
  second.control(OneGateway::announcement("t", 10));
  control::ControlMessage accept;
  accept.mutable_lane_accept()->set_topic(TopicId::of("t").value());
  accept.mutable_lane_accept()->set_from_incarnation(b.life("t").packed());
  accept.mutable_lane_accept()->set_to_incarnation(OneGateway::peer_incarnation().packed());
  second.control(accept);
  b.turn(1);
  EXPECT_TRUE(topic_problems(b).empty());
}

TEST(Report, MakesNoProblemOfRefusalsThatPassOrMeanNothingHere) {
  OneGateway b("b");
  b.declare("t", 10);
  ScriptedSession& a = b.greeted("a");
  a.control(refusal("t", control::Refuse::CODE_UNKNOWN_TOPIC));
  a.control(refusal("t", control::Refuse::CODE_INCARNATION_MISMATCH));
  a.control(refusal("unknown", control::Refuse::CODE_RESIDENCY));
  b.turn(1);
  EXPECT_FALSE(a.closed);
  EXPECT_TRUE(topic_problems(b).empty());
}

std::vector<admin::Problem> refused_here(OneGateway& b, const control::ControlMessage& announced) {
  ScriptedSession& a = b.greeted("a");
  a.control(announced);
  b.turn();
  a.control(announced);
  b.turn(1);
  const auto problems = topic_problems(b);
  a.end(transport::CloseReason::kSilent, "cut");
  b.turn(1);
  EXPECT_TRUE(topic_problems(b).empty()) << "until the session ends";
  return problems;
}

TEST(Report, MakesItsOwnRefusalOfATopicAProblemToo) {
  OneGateway b("b", "[[policies]]\nmatch = \"private/**\"\nallowed = [\"b\", \"c\"]\n");
  b.declare("t", 10);
  auto problems = refused_here(b, OneGateway::announcement("t", 11));
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_EQ(problems[0].severity(), admin::Problem::SEVERITY_FAILURE);
  EXPECT_EQ(problems[0].reason(), "topic.shape_mismatch");
  EXPECT_EQ(problems[0].subject(), "t");
  EXPECT_EQ(problems[0].text(),
            "refused here to a: topic t: b has 10 elements with 40 fraction bits in 1 shards, a "
            "has 11 with 40 in 1");
  EXPECT_EQ(problems[0].command(), "godwit explain t");
  EXPECT_EQ(problems[0].since_ns(), 8U * 3'000'000U) << "since the first announcement";
  // What is not declared here, because it must not be, cannot be explained.
  problems = refused_here(b, OneGateway::announcement("private/x", 10));
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_EQ(problems[0].reason(), "topic.residency");
  EXPECT_EQ(problems[0].subject(), "private/x");
  EXPECT_EQ(problems[0].command(), "godwit config check test.toml");
}

TEST(Report, MakesAProblemOfClientsWhoTakeAllPlaces) {
  OneGateway b("b");  // with a client of its own
  const auto is_told = [&] {
    admin::AdminRequest request;
    request.mutable_status();
    const auto problems = ask(b, request).status().problems();
    return std::any_of(problems.begin(), problems.end(), [](const auto& problem) {
      return problem.reason() == "client.limit";
    });
  };
  std::list<local::MemoryLink> links;
  constexpr std::size_t kRing = std::size_t{1} << 16U;
  for (std::uint64_t id = 2; id <= local::ServerOptions{}.clients_max; ++id) {
    EXPECT_FALSE(is_told()) << id;
    links.emplace_back(
        local::MemoryLinkOptions{.to_gateway_bytes = kRing, .to_client_bytes = kRing});
    b.gateway->attach_client(id, links.back().gateway_end(), kRing);
  }
  EXPECT_TRUE(is_told());
}

TEST(Report, ExplainsItsOwnRefusalAndForgetsItWhenTheTopicFits) {
  OneGateway b("b");
  b.declare("t", 10);
  ScriptedSession& a = b.greeted("a");
  a.control(OneGateway::announcement("t", 11));
  b.turn(1);
  admin::AdminRequest request;
  request.mutable_explain()->set_topic("t");
  const auto explained = ask(b, request).explain();
  ASSERT_EQ(explained.lanes_size(), 1);
  EXPECT_EQ(explained.lanes(0).to(), "a");
  EXPECT_EQ(explained.lanes(0).reason(), "topic.shape_mismatch");
  EXPECT_EQ(explained.lanes(0).command(), "godwit config check test.toml");
  a.control(OneGateway::announcement("t", 10));
  b.turn(1);
  EXPECT_TRUE(topic_problems(b).empty());
}

TEST(Report, CountsPublishesOverARestart) {
  OneGateway b("b");
  const auto handle = b.declare("t", 10);
  b.publish(handle, 0, {1});
  b.publish(handle, 0, {1});
  b.open();
  EXPECT_EQ(status_of(b).topics(0).publishes(), 2U);
}

TEST(Report, TellsWhatALaneHasNotSentYet) {
  OneGateway b("b");
  const auto handle = b.declare("t", 10);
  b.greeted("a").control(OneGateway::announcement("t", 10));
  b.turn(1);
  b.publish(handle, 0, {3, 4});
  b.turn(100);
  admin::AdminRequest request;
  request.mutable_topics();
  const auto lane = ask(b, request).topics().topics(0).lanes(0);
  EXPECT_EQ(lane.residual_energy(), 25);
  EXPECT_NEAR(static_cast<double>(lane.residual_age_ns()), 0.3e9, 0.02e9);
  EXPECT_EQ(lane.residual_decay(), 0);
}

TEST(Report, TellsByHowMuchTheNextSubscriberAndPublisherRaiseTheBound) {
  OneGateway b("b");
  const auto handle = b.declare("t", 1U << 20U);
  admin::AdminRequest request;
  request.mutable_topics();
  const auto empty = ask(b, request).topics().topics(0);
  EXPECT_EQ(empty.memory_next_publisher_bytes(), 0U) << "room for one is kept";
  EXPECT_EQ(empty.memory_next_subscriber_bytes(), 0U);
  EXPECT_EQ(empty.publishers(), 0U);
  b.publish(handle, 0, {1});
  const auto one = ask(b, request).topics().topics(0);
  EXPECT_EQ(one.publishers(), 1U) << "though it never ticks";
  EXPECT_EQ(one.memory_next_publisher_bytes(), 8U << 20U);
  EXPECT_EQ(one.summary().memory_bound_bytes(), empty.summary().memory_bound_bytes());
  EXPECT_LE(one.summary().memory_used_bytes(), one.summary().memory_bound_bytes());
}

// A text that is no UTF-8 would be an answer that nobody can read.
TEST(Report, AnswersWhateverThePeersSaid) {
  OneGateway b("b");
  b.declare("t", 10);
  ScriptedSession& a = b.greeted("a");
  control::ControlMessage message = refusal("t", control::Refuse::CODE_RESIDENCY);
  message.mutable_refuse()->set_text(std::string(1023, 'x') + "\u00e9\n");
  a.control(message);
  control::ControlMessage goodbye;
  goodbye.mutable_goodbye()->set_text(std::string(1023, 'y') + "\u00e9\n");
  a.control(goodbye);
  b.turn(1);
  const auto problems = topic_problems(b);
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_EQ(problems[0].text(), "a refuses it: " + std::string(1023, 'x') + "?");
  a.end(transport::CloseReason::kPeer, "\xff\x1b[2J");
  b.endpoint.accept().end(transport::CloseReason::kPeer, "\xfe");
  b.turn(1);
  EXPECT_EQ(link_to(b, "a").last_error(), "??[2J");
  EXPECT_EQ(b.gateway->links().last_stranger(), "?");
  status_of(b);
}

TEST(Report, ListsAScreenOfRefusalsAndCountsTheRest) {
  OneGateway b("b");
  for (int i = 0; i < 40; ++i) {
    b.declare("t" + std::to_string(i), 10);
  }
  ScriptedSession& a = b.greeted("a");
  for (int i = 0; i < 40; ++i) {
    a.control(refusal("t" + std::to_string(i), control::Refuse::CODE_RESIDENCY));
  }
  b.turn();
  const auto problems = topic_problems(b);
  ASSERT_EQ(problems.size(), 33U);
  EXPECT_EQ(problems.back().reason(), "topic.refused");
  EXPECT_EQ(problems.back().text(), "8 more topics are refused");
}

TEST(Report, CountsLayer3BytesOverAllSessions) {
  OneGateway b("b", kCapped);
  ScriptedSession& first = b.greeted("a");
  first.figures.bytes_sent = 1000;
  first.figures.packets_sent = 10;
  b.turn(1);
  ScriptedSession& second = b.greeted("a");
  EXPECT_EQ(link_to(b, "a").sent_bytes(), 1280U);
  second.figures.bytes_sent = 1;
  second.figures.packets_sent = 1;
  EXPECT_EQ(link_to(b, "a").sent_bytes(), 1309U);
}

// The problems that clients have.
std::vector<std::string> client_problems(OneGateway& b) {
  std::vector<std::string> found;
  const admin::StatusReport report = status_of(b);
  for (const auto& problem : report.problems()) {
    if (problem.reason() == "client.refused") {
      found.push_back(problem.subject() + ": " + problem.text());
    }
  }
  return found;
}

TEST(Report, MakesATopicThatAClientIsRefusedAProblemUntilItIsTaken) {
  OneGateway b("b");
  b.declare("t", 10);
  RawClient client(b, 2, "trainer", {1, 1});  // declares four elements
  b.turn();
  EXPECT_THAT(client_problems(b),
              ElementsAre(AllOf(HasSubstr("t: client trainer: "), HasSubstr("element"))));
  client.say(local::Declare{.handle = RawClient::kTopic, .topic = "t", .element_count = 10});
  b.turn();
  EXPECT_THAT(client_problems(b), ElementsAre());
  client.say(local::Declare{.handle = local::TopicHandle{1}, .topic = "t", .element_count = 11});
  b.turn();
  EXPECT_EQ(client_problems(b).size(), 1U);
  client.leave();
  EXPECT_THAT(client_problems(b), ElementsAre());
}

TEST(Report, NamesAClientOnceForATopicOfWhichItIsRefusedSeveralShards) {
  OneGateway b("b");
  RawClient client(b, 2, "trainer", {1, 1});
  for (std::uint32_t shard = 0; shard < kShardsMax; ++shard) {  // more than are listed
    client.say(local::Declare{.handle = local::TopicHandle{1 + shard},
                              .topic = "s",
                              .element_count = kShardsMax * std::uint64_t{32'768},
                              .allowed_sites = {"nowhere"},
                              .shards = kShardsMax,
                              .shard = shard});
  }
  b.turn(40);
  EXPECT_EQ(client_problems(b).size(), 1U);
  b.gateway.reset();  // before the ring of its client
}

TEST(Report, MakesASubscriptionWithoutAPlaceAProblemUntilThereIsOne) {
  OneGateway b("b");
  auto clients = subscribers(b, Topic::kSubscribersMax + 1);
  const std::string problem =
      "t: client (unnamed): topic t: its 24 subscribers at this site are there already";
  EXPECT_THAT(client_problems(b), ElementsAre(problem));
  clients.front().leave();
  EXPECT_THAT(client_problems(b), ElementsAre(problem)) << "it has not asked again";
  clients.back().say(local::Subscribe{.topic = RawClient::kTopic, .incarnation = {1, 1}});
  b.turn();
  EXPECT_THAT(client_problems(b), ElementsAre());
  b.gateway.reset();  // before the rings of its clients
}

}  // namespace
}  // namespace godwit::gateway

// A link with several connections: which session is for which, and which shards it carries.
#include <algorithm>
#include <bit>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "api/gateway/metrics_feed.h"
#include "tests/api/gateway/admin_ask.h"
#include "tests/api/gateway/one_gateway.h"

namespace godwit::gateway {
namespace {

using control::ControlMessage;

constexpr const char* kTwoWorkers =
    "[[links]]\nends = [\"a\", \"b\"]\ncap = \"20Mbit/s\"\nconnections = 2\n"
    "[[links]]\nends = [\"b\", \"c\"]\nconnections = 2\n";
constexpr std::uint64_t kTwoTiles = 2 * kShardTileElements;

ControlMessage hello(const std::string& site, std::uint32_t connection, std::uint32_t of = 2) {
  ControlMessage message = OneGateway::hello(site);
  message.mutable_hello()->set_connection(connection);
  message.mutable_hello()->set_connections(of);
  return message;
}

class Connections : public ::testing::Test {
 protected:
  OneGateway b_{"b", kTwoWorkers};

  // Site a has dialled a connection, and greets.
  ScriptedSession& dialled_by_a(std::uint32_t connection) {
    ScriptedSession& session = b_.established("a");
    session.control(hello("a", connection));
    b_.turn(1);
    return session;
  }
  PeerState state(const std::string& site, std::uint32_t connection) {
    return b_.gateway->core().find_peer(SiteId::of(site), connection)->state;
  }
  // The shard of "t", of two, that a connection carries.
  static std::uint32_t shard_on(std::uint32_t connection) {
    return (TopicShard(TopicId::of("t")).slot() + connection) % 2;
  }
  void declare_shards() {
    for (std::uint32_t shard = 0; shard < 2; ++shard) {
      b_.declare({.topic = "t", .element_count = kTwoTiles, .shards = 2, .shard = shard});
    }
  }
};

TEST_F(Connections, AreWhatTheHelloOfTheDiallerSays) {
  ScriptedSession& a = b_.established("a");
  EXPECT_TRUE(a.controls.empty()) << "which one it is, is not known yet";
  a.control(hello("a", 1));
  b_.turn(1);
  const auto answer = a.take(ControlMessage::kHello).hello();
  EXPECT_EQ(answer.connection(), 1U);
  EXPECT_EQ(answer.connections(), 2U);
  EXPECT_EQ(state("a", 1), PeerState::kUp);
  EXPECT_EQ(state("a", 0), PeerState::kDown);
}

TEST_F(Connections, AreAllDialled) {
  b_.turn(400);
  const auto sessions = b_.endpoint.all_dialled("c");
  ASSERT_EQ(sessions.size(), 2U);
  for (std::uint32_t i = 0; i < 2; ++i) {
    sessions[i]->establish("c");
    b_.turn(1);
    EXPECT_EQ(sessions[i]->take(ControlMessage::kHello).hello().connection(), i);
    sessions[i]->control(hello("c", i));
    b_.turn(1);
    EXPECT_EQ(state("c", i), PeerState::kUp);
  }
}

TEST_F(Connections, CarryTheShardsOfTheirSlots) {
  declare_shards();
  for (std::uint32_t connection = 0; connection < 2; ++connection) {
    ScriptedSession& a = dialled_by_a(connection);
    EXPECT_EQ(a.take(ControlMessage::kTopicAnnounce).topic_announce().shard(),
              shard_on(connection));
    EXPECT_EQ(a.take(ControlMessage::kTopicAnnounce).kind_case(), ControlMessage::KIND_NOT_SET);
  }
}

TEST_F(Connections, TakeNothingOfAShardThatAnotherCarries) {
  declare_shards();
  ScriptedSession& a = dialled_by_a(0);
  ControlMessage announce = OneGateway::announcement("t", kTwoTiles);
  announce.mutable_topic_announce()->set_shards(2);
  announce.mutable_topic_announce()->set_shard(shard_on(1));
  a.control(announce);
  b_.turn(1);
  EXPECT_TRUE(a.closed);
  EXPECT_EQ(a.close_code, code(SessionCode::kProtocolViolation));
}

TEST_F(Connections, EndByThemselves) {
  declare_shards();
  ScriptedSession& first = dialled_by_a(0);
  dialled_by_a(1);
  first.end(transport::CloseReason::kSilent, "nothing came");
  b_.turn(1);
  EXPECT_EQ(state("a", 0), PeerState::kDown);
  EXPECT_EQ(state("a", 1), PeerState::kUp);
}

TEST_F(Connections, AreTakenOverOneByOne) {
  dialled_by_a(0);
  ScriptedSession& former = dialled_by_a(1);
  ScriptedSession& newer = dialled_by_a(1);
  EXPECT_EQ(b_.gateway->core().find_peer(SiteId::of("a"), 1)->session, &newer);
  EXPECT_FALSE(former.retired) << "it is read a little longer";
  EXPECT_EQ(newer.take(ControlMessage::kHello).hello().connection(), 1U);
  EXPECT_EQ(state("a", 0), PeerState::kUp);
}

TEST_F(Connections, ThatDoNotExistAreRefused) {
  ScriptedSession& beyond = dialled_by_a(2);
  EXPECT_TRUE(beyond.closed);
  EXPECT_EQ(beyond.close_code, code(SessionCode::kNoSuchConnection));
  EXPECT_NE(beyond.close_reason.find("no connection 2"), std::string::npos);
  ScriptedSession& other = b_.established("a");
  other.control(hello("a", 1, 4));
  b_.turn(1);
  EXPECT_TRUE(other.closed);
  EXPECT_NE(other.close_reason.find("connection 1 of 4, and this is 1 of 2"), std::string::npos)
      << other.close_reason;
  EXPECT_EQ(state("a", 1), PeerState::kDown);
}

TEST_F(Connections, OfWhichNobodyKnowsWhichAreFewAndMustGreet) {
  ScriptedSession& first = b_.established("a");
  ScriptedSession& second = b_.established("a");
  EXPECT_FALSE(first.retired);
  ScriptedSession& third = b_.established("a");
  EXPECT_TRUE(first.retired);
  second.control(OneGateway::announcement("t", 10));
  third.end(transport::CloseReason::kSilent, "nothing came");
  b_.turn(1);
  EXPECT_TRUE(second.closed && second.retired);
  EXPECT_EQ(second.close_code, code(SessionCode::kProtocolViolation));
  EXPECT_TRUE(third.retired);
}

TEST_F(Connections, ThatGreetWronglyAreCountedAndToldOfOnceForEachReason) {
  ::testing::internal::CaptureStderr();
  for (int i = 0; i < 9; ++i) {
    b_.established("a").control("no message");
    b_.turn(1);
    dialled_by_a(2);
  }
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 2) << said;
  EXPECT_NE(said.find("something came before Hello (protocol, 1 so far)"), said.npos) << said;
  EXPECT_NE(said.find("there is no connection 2"), said.npos) << said;
  EXPECT_EQ(b_.gateway->core().find_any(SiteId::of("a"))->closed_by_reason.at("protocol"), 18U);
}

TEST_F(Connections, OfALinkThatHasOneAreNotMistakenForIt) {
  OneGateway b("b");
  ScriptedSession& a = b.established("a");
  a.control(hello("a", 1));
  b.turn(1);
  EXPECT_TRUE(a.closed);
}

TEST_F(Connections, ShareTheCapAndAreReportedOneByOne) {
  dialled_by_a(0);
  dialled_by_a(1);
  admin::AdminRequest request;
  request.mutable_links()->set_peer("a");
  const auto links = ask(b_, request).links().links();
  ASSERT_EQ(links.size(), 2);
  EXPECT_EQ(links[1].connection(), 1U);
  EXPECT_EQ(links[1].connections(), 2U);
  EXPECT_EQ(links[0].planned_bps(), 9'700'000U);  // half of 97 % of the cap
  EXPECT_EQ(links[0].cap_bps(), 20'000'000U);
  request.mutable_peers()->set_site("a");
  const auto peers = ask(b_, request).peers().peers();
  ASSERT_EQ(peers.size(), 1);
  EXPECT_TRUE(peers[0].connected());
}

// Worker 1 of two.
class OfAWorker : public ::testing::Test {
 protected:
  OneGateway b_{"b", kTwoWorkers, 2, 1};
};

TEST_F(OfAWorker, AreThoseThatFallToIt) {
  EXPECT_EQ(b_.gateway->core().find_peer(SiteId::of("a"), 0), nullptr);
  ScriptedSession& a = b_.established("a");
  a.control(hello("a", 1));
  b_.turn(1);
  EXPECT_EQ(a.take(ControlMessage::kHello).hello().workers(), 2U);
  EXPECT_EQ(b_.gateway->core().find_peer(SiteId::of("a"), 1)->state, PeerState::kUp);
}

TEST_F(OfAWorker, AreSentOnToTheWorkerThatHasThem) {
  ScriptedSession& a = b_.established("a");
  a.control(hello("a", 0));
  b_.turn(1);
  const auto answer = a.take(ControlMessage::kHello).hello();
  EXPECT_EQ(answer.workers(), 2U);
  EXPECT_EQ(answer.connection(), 0U);
  a.control(OneGateway::announcement("t", 10));  // it left behind the Hello
  b_.turn(2);
  EXPECT_FALSE(a.closed) << "the answer would be lost";
  a.end(transport::CloseReason::kPeer, "worker 0 has the connection");
  b_.turn(1);
  EXPECT_TRUE(a.retired);
}

TEST_F(OfAWorker, ShareTheCapWithThoseOfTheOtherWorkers) {
  ScriptedSession& a = b_.established("a");
  a.control(hello("a", 1));
  b_.turn(1);
  const Peer& peer = *b_.gateway->core().find_peer(SiteId::of("a"), 1);
  const transport::PeerConfig config = peer.transport_config(0);
  EXPECT_EQ(config.cap, BitRate::mbps(20));
  ASSERT_NE(config.shared_cap, nullptr);
  EXPECT_EQ(config.shared_cap, b_.caps->find(peer.link()));
  EXPECT_EQ(config.shared_cap->part(), BitRate::mbps(9.7));
  const Peer& uncapped = *b_.gateway->core().find_peer(SiteId::of("c"), 1);
  EXPECT_EQ(uncapped.transport_config(0).shared_cap, nullptr);
}

TEST_F(OfAWorker, PlanWithWhatTheOtherWorkersLeaveAndCountWithTheirPart) {
  ScriptedSession& a = b_.established("a");
  a.control(hello("a", 1));
  b_.turn(1);
  admin::AdminRequest request;
  request.mutable_links()->set_peer("a");
  const auto planned = [&] { return ask(b_, request).links().links()[0].planned_bps(); };
  const auto counted = [&] {
    monitoring::Cells cells;
    MetricsFeed feed(*b_.gateway, cells, b_.now);
    feed.on_turn(b_.now, Duration::zero(), {});
    double rate = 0;
    cells.visit([&](const monitoring::Cells::Series& series) {
      if (series.metric == monitoring::Metric::kLinkRateBytes) {
        rate += std::bit_cast<double>(series.cells->load());
      }
    });
    return rate;
  };
  EXPECT_EQ(planned(), 9'700'000U) << "nothing is known yet";
  a.figures.rate = BitRate::mbps(19.4);
  EXPECT_EQ(planned(), 19'400'000U);
  EXPECT_EQ(counted(), 1'212'500.0);
  a.figures.rate = BitRate::mbps(4);
  EXPECT_EQ(planned(), 4'000'000U);
  EXPECT_EQ(counted(), 500'000.0);
}

TEST_F(Connections, OfTheOnlyWorkerShareNoCap) {
  const Peer& peer = *b_.gateway->core().find_peer(SiteId::of("a"), 1);
  EXPECT_EQ(peer.transport_config(0).cap, BitRate::mbps(20));
  EXPECT_EQ(peer.transport_config(0).shared_cap, nullptr);
}

TEST_F(OfAWorker, HaveTheShardsThatFallToItAndNoOthers) {
  const std::uint32_t own = (TopicShard(TopicId::of("t")).slot() + 1) % 2;
  b_.declare({.topic = "t", .element_count = kTwoTiles, .shards = 2, .shard = own});
  EXPECT_EQ(b_.declared.code, Code::kOk);
  b_.declare({.topic = "t", .element_count = kTwoTiles, .shards = 2, .shard = 1 - own});
  EXPECT_EQ(b_.declared.code, Code::kInvalid);
  EXPECT_NE(b_.declared.error.find("is of worker 0, and this is worker 1"), std::string::npos)
      << b_.declared.error;
}

TEST_F(Connections, AreDialledAtTheWorkerThatThePeerSays) {
  b_.turn(400);
  const auto first = b_.endpoint.all_dialled("c");
  ASSERT_EQ(first.size(), 2U);
  first[1]->establish("c");
  b_.turn(1);
  ControlMessage answer = hello("c", 1);
  answer.mutable_hello()->set_workers(2);
  first[1]->control(answer);
  b_.turn(100);
  EXPECT_EQ(first[1]->close_code, code(SessionCode::kOtherWorker));
  EXPECT_EQ(state("c", 0), PeerState::kConnecting) << "it goes on";
  const auto all = b_.endpoint.all_dialled("c");
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(b_.endpoint.last_dialled.address.udp_port(), 7004);  // one after the endpoint's
  all[2]->establish("c");
  b_.turn(1);
  all[2]->control(answer);
  b_.turn(1);
  EXPECT_EQ(state("c", 1), PeerState::kUp);
}

TEST_F(Connections, AskTheFirstWorkerNowAndThenWhenNobodyAnswers) {
  b_.turn(400);
  ScriptedSession* session = b_.endpoint.all_dialled("c")[1];
  session->establish("c");
  ControlMessage answer = hello("c", 1);
  answer.mutable_hello()->set_workers(2);
  session->control(answer);
  b_.turn(1);
  std::set<std::uint16_t> ports;
  for (int i = 0; i < 8; ++i) {
    b_.turn(400);
    ports.insert(b_.endpoint.last_dialled.address.udp_port());
    b_.endpoint.all_dialled("c").back()->end(transport::CloseReason::kHandshakeTimeout, "silence");
  }
  EXPECT_EQ(ports, (std::set<std::uint16_t>{7003, 7004}));
}

TEST_F(Connections, AreSentOnByTheFirstWorkerAlsoWhenTheNumberIsNoNews) {
  b_.turn(400);
  ControlMessage answer = hello("c", 1);
  answer.mutable_hello()->set_workers(2);
  ScriptedSession* session = b_.endpoint.all_dialled("c")[1];
  session->establish("c");
  session->control(answer);
  b_.turn(1);
  ASSERT_EQ(session->close_code, code(SessionCode::kOtherWorker));
  for (int i = 0; i < 8 && b_.endpoint.last_dialled.address.udp_port() != 7003; ++i) {
    b_.turn(400);
    session = b_.endpoint.all_dialled("c").back();
    if (b_.endpoint.last_dialled.address.udp_port() != 7003) {
      session->end(transport::CloseReason::kHandshakeTimeout, "silence");
    }
  }
  ASSERT_EQ(b_.endpoint.last_dialled.address.udp_port(), 7003) << "the first one is asked again";
  session->establish("c");
  session->control(answer);
  b_.turn(1);
  EXPECT_EQ(session->close_code, code(SessionCode::kOtherWorker)) << "it answered, and has it not";
  EXPECT_NE(state("c", 1), PeerState::kUp);
}

TEST_F(Connections, RefuseANumberOfWorkersThatNobodyHas) {
  for (const std::uint32_t workers : {3U, 4U, 128U}) {
    ScriptedSession& a = b_.established("a");
    ControlMessage greeting = hello("a", 1);
    greeting.mutable_hello()->set_workers(workers);
    a.control(greeting);
    b_.turn(1);
    EXPECT_TRUE(a.closed) << workers;
  }
}

}  // namespace
}  // namespace godwit::gateway

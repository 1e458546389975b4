// A link between sites with several endpoints: which one is dialled, backups, the way back.
#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "api/gateway/report.h"
#include "tests/api/gateway/admin_ask.h"
#include "tests/api/gateway/one_gateway.h"

namespace godwit::gateway {
namespace {

using control::ControlMessage;
using transport::CloseReason;
using Endpoints = std::vector<std::string>;

constexpr int kTurnsPerSecond = 334;  // of 3 ms
const Endpoints kOne = {"127.0.0.2:7002"};
const Endpoints kTwoPaths = {"127.0.1.3:7003", "127.0.2.3:7003"};
const Endpoints kThree = {"127.0.1.3:7003", "127.0.2.3:7003", "127.0.3.3:7003"};

// b's gateway, which dials c and is dialled by a.
struct Routed {
  explicit Routed(const Endpoints& of_others = kTwoPaths,
                  const Endpoints& own = kOne,
                  const std::string& links = "")
      : b("b", links) {
    b.config.sites[0].endpoints = of_others;
    b.config.sites[1].endpoints = own;
    b.config.sites[2].endpoints = of_others;
    b.open();
  }

  // The next session that b dials to c; fails when it takes longer.
  ScriptedSession& next_dial(int seconds = 2) {
    const std::size_t before = b.endpoint.dials();
    for (int i = 0; i < seconds * kTurnsPerSecond && b.endpoint.dials() == before; ++i) {
      b.turn(1);
    }
    EXPECT_EQ(b.endpoint.dials(), before + 1);
    return *b.endpoint.dialled("c");
  }
  ScriptedSession& last() { return *b.endpoint.dialled("c"); }
  std::string dialled_to() const { return b.endpoint.last_dialled.address.format(); }
  void fail(const std::string& why = "nothing was heard") {
    last().end(CloseReason::kHandshakeTimeout, why);
    b.turn(1);
  }
  void greet(ScriptedSession& session) {
    session.establish("c");
    b.turn(1);
    session.control(OneGateway::hello("c"));
    b.turn(1);
  }
  // The link is up on its second path, because the first attempt failed.
  ScriptedSession& on_backup() {
    fail();
    ScriptedSession& session = next_dial();
    greet(session);
    EXPECT_EQ(c().state, PeerState::kUp);
    return session;
  }
  const Peer& c() { return b.peer("c"); }
  std::vector<admin::Problem> problems(const std::string& reason) {
    admin::AdminRequest request;
    request.mutable_status();
    const auto report = ask(b, request).status();
    std::vector<admin::Problem> found;
    for (const auto& problem : report.problems()) {
      if (problem.reason() == reason) {
        found.push_back(problem);
      }
    }
    return found;
  }
  admin::LinkReport link(const std::string& site) {
    admin::AdminRequest request;
    request.mutable_links();
    const auto report = ask(b, request).links();
    const auto at = std::find_if(report.links().begin(), report.links().end(), [&](const auto& l) {
      return l.peer() == site;
    });
    return at != report.links().end() ? *at : admin::LinkReport();
  }

  OneGateway b;
};

TEST(LinksPaths, EachAttemptThatFailsIsFollowedByOneToTheNextEndpoint) {
  Routed routed(kThree);
  Endpoints seen = {routed.dialled_to()};
  for (int i = 0; i < 5; ++i) {
    routed.fail();
    routed.next_dial();
    seen.push_back(routed.dialled_to());
  }
  EXPECT_EQ(seen, (Endpoints{kThree[0], kThree[1], kThree[2], kThree[0], kThree[1], kThree[2]}));
}

TEST(LinksPaths, ASessionThatDiesIsDialledAgainWhereItWasThenOn) {
  Routed routed;
  routed.on_backup().end(CloseReason::kSilent, "nothing was heard");
  routed.next_dial();
  EXPECT_EQ(routed.dialled_to(), kTwoPaths[1]);
  routed.fail();
  routed.next_dial();
  EXPECT_EQ(routed.dialled_to(), kTwoPaths[0]);
}

TEST(LinksPaths, EachPathHasTheRoundTripThatWasMeasuredOnIt) {
  Routed routed(kTwoPaths, kOne, "[[links]]\nends = [\"b\", \"c\"]\nrtt = \"300ms\"\n");
  ScriptedSession& backup = routed.on_backup();
  EXPECT_EQ(routed.b.endpoint.last_dialled.rtt_expected, Duration::ms(300));
  backup.figures.rtt_min = Duration::ms(41);
  backup.end(CloseReason::kSilent, "nothing was heard");
  routed.next_dial();
  EXPECT_EQ(routed.b.endpoint.last_dialled.rtt_expected, Duration::ms(41));
  routed.fail();
  routed.next_dial();
  EXPECT_EQ(routed.b.endpoint.last_dialled.rtt_expected, Duration::ms(300));
}

TEST(LinksPaths, OnABackupTheFirstIsTriedBesideItAndTakesOverWhenItGreets) {
  Routed routed;
  ScriptedSession& backup = routed.on_backup();
  const Instant up_since = routed.c().state_since;
  const Instant begun = routed.b.now;
  ::testing::internal::CaptureStderr();
  ScriptedSession& first = routed.next_dial(26);
  EXPECT_GE(routed.b.now - begun, Duration::seconds(15));
  EXPECT_LE(routed.b.now - begun, Duration::seconds(25.1));
  EXPECT_EQ(routed.dialled_to(), kTwoPaths[0]);
  routed.b.turn(100);
  EXPECT_EQ(routed.c().session, &backup);
  EXPECT_FALSE(backup.closed);
  routed.greet(first);
  EXPECT_EQ(routed.c().session, &first);
  EXPECT_EQ(routed.c().path, 0U);
  EXPECT_EQ(routed.c().state, PeerState::kUp);
  EXPECT_EQ(routed.c().state_since, up_since);  // never down
  EXPECT_FALSE(backup.closed);                  // it is still read
  routed.b.turn(2 * kTurnsPerSecond);
  EXPECT_EQ(backup.close_code, code(SessionCode::kReplaced));
  EXPECT_TRUE(routed.problems("link.backup").empty());
  EXPECT_EQ(routed.c().counters.path_changes, 1U);
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("link to c is on path 1 of 2, from 127.0.0.2:7002 to 127.0.1.3:7003 again"),
            std::string::npos)
      << log;
  // There is nothing to go back to.
  const std::size_t dials = routed.b.endpoint.dials();
  routed.b.turn(30 * kTurnsPerSecond);
  EXPECT_EQ(routed.b.endpoint.dials(), dials);
}

TEST(LinksPaths, LanesBeginAgainOnTheFirstPathAndWhatTheBackupStillBringsIsTaken) {
  Routed routed;
  routed.b.declare("t", 10);
  ScriptedSession& backup = routed.on_backup();
  EXPECT_EQ(backup.take(ControlMessage::kTopicAnnounce).topic_announce().name(), "t");
  ScriptedSession& first = routed.next_dial(26);
  routed.greet(first);
  EXPECT_EQ(first.take(ControlMessage::kTopicAnnounce).topic_announce().name(), "t");
  EXPECT_EQ(routed.c().retiring, &backup);
}

TEST(LinksPaths, ATryThatFailsLeavesTheLinkAndIsRepeatedInItsOwnTime) {
  Routed routed;
  ScriptedSession& backup = routed.on_backup();
  ::testing::internal::CaptureStderr();
  std::set<std::int64_t> gaps;
  Instant before = routed.b.now;
  for (std::uint64_t attempt = 1; attempt <= 4; ++attempt) {
    routed.next_dial(26);
    gaps.insert((routed.b.now - before).count_ms());
    before = routed.b.now;
    routed.fail("the first is dead");
    EXPECT_EQ(routed.c().session, &backup);
    EXPECT_EQ(routed.c().detour->attempts, attempt);
  }
  EXPECT_GE(*gaps.begin(), 15'000);
  EXPECT_LE(*gaps.rbegin(), 25'100);
  EXPECT_GT(gaps.size(), 1U) << "not in step";
  EXPECT_FALSE(backup.closed);
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 1) << log;
  EXPECT_NE(log.find("the first one does not carry yet: the first is dead (handshake_timeout)"),
            std::string::npos)
      << log;
  EXPECT_TRUE(routed.problems("link.not_renewed").empty());
}

TEST(LinksPaths, ABackupIsAProblemThatSaysWhereAndWhy) {
  Routed routed;
  ::testing::internal::CaptureStderr();
  routed.on_backup();
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("link to c is on path 2 of 2, from 127.0.0.2:7002 to 127.0.2.3:7003, because "
                     "the first one failed: nothing was heard; b tries that one again every 20 s"),
            std::string::npos)
      << log;
  ASSERT_EQ(routed.problems("link.backup").size(), 1U);
  EXPECT_EQ(routed.problems("link.backup")[0].severity(), admin::Problem::SEVERITY_WARNING);
  EXPECT_EQ(routed.problems("link.backup")[0].subject(), "c");
  EXPECT_EQ(
      routed.problems("link.backup")[0].text(),
      "the link is on path 2 of 2, from 127.0.0.2:7002 to 127.0.2.3:7003; the first one, from "
      "127.0.0.2:7002 to 127.0.1.3:7003, is tried from time to time (attempts: 0)");
  routed.next_dial(26);
  routed.fail("the first is dead");
  EXPECT_NE(routed.problems("link.backup")[0].text().find("fails: the first is dead (attempts: 1)"),
            std::string::npos);
}

TEST(LinksPaths, AreShownOfALink) {
  Routed routed;
  EXPECT_EQ(routed.link("c").path(), 1U);
  EXPECT_EQ(routed.link("c").paths(), 2U);
  EXPECT_EQ(routed.link("c").peer_address(), kTwoPaths[0]);
  routed.on_backup();
  EXPECT_EQ(routed.link("c").path(), 2U);
  EXPECT_EQ(routed.link("c").peer_address(), kTwoPaths[1]);
  EXPECT_EQ(routed.link("c").local_address(), kOne[0]);
}

TEST(LinksPaths, ATryThatIsUnderWayWhenTheBackupDiesBecomesTheAttempt) {
  Routed routed;
  ScriptedSession& backup = routed.on_backup();
  ScriptedSession& first = routed.next_dial(26);
  backup.end(CloseReason::kSilent, "nothing was heard");
  routed.b.turn(1);
  EXPECT_EQ(routed.c().session, &first);
  EXPECT_EQ(routed.c().path, 0U);
  routed.greet(first);
  EXPECT_EQ(routed.c().state, PeerState::kUp);
  EXPECT_FALSE(routed.c().detour);
}

TEST(LinksPaths, ARenewedCertificateIsShownOnThePathThatTheLinkIsOn) {
  Routed routed;
  routed.b.gateway->use_certificate("old");
  routed.fail();
  ScriptedSession& backup = routed.next_dial();
  backup.establish("c", "old");
  routed.b.turn(1);
  backup.control(OneGateway::hello("c"));
  routed.b.turn(1);
  routed.b.gateway->use_certificate("new");
  routed.next_dial();
  EXPECT_EQ(routed.dialled_to(), kTwoPaths[1]);
  routed.last().establish("c", "new");
  routed.b.turn(1);
  routed.last().control(OneGateway::hello("c"));
  routed.b.turn(1);
  EXPECT_EQ(routed.c().path, 1U);
  EXPECT_EQ(routed.problems("link.backup").size(), 1U);
}

TEST(LinksPaths, PairTheEndpointsOfBothSitesByTheirPlaces) {
  const Endpoints own = {"127.0.1.2:7002", "127.0.2.2:7002"};
  for (const Endpoints& others : {kTwoPaths, Endpoints{kTwoPaths[0]}}) {
    Routed routed(others, own);
    EXPECT_EQ(routed.b.endpoint.last_dialled.local.format(), own[0]);
    EXPECT_EQ(routed.dialled_to(), others.front());
    routed.on_backup();
    EXPECT_EQ(routed.b.endpoint.last_dialled.local.format(), own[1]);
    EXPECT_EQ(routed.dialled_to(), others.back());
    EXPECT_EQ(routed.link("c").local_address(), own[1]);
    EXPECT_EQ(routed.link("c").paths(), 2U);
  }
  EXPECT_FALSE(Routed().b.endpoint.last_dialled.local.has_host());  // the port has one
}

TEST(LinksPaths, WhoIsDialledHasThePathThatTheSessionCameBy) {
  const Endpoints own = {"127.0.1.2:7002", "127.0.2.2:7002"};
  Routed routed(kTwoPaths, own);
  for (const std::size_t path : {1U, 0U, 1U}) {
    ScriptedSession& a = routed.b.endpoint.accept();
    a.to = port::Peer::parse(own[path]).value();
    a.from = port::Peer::parse(kTwoPaths[path]).value();
    routed.b.turn(1);
    a.establish("a");
    routed.b.turn(1);
    a.control(OneGateway::hello("a"));
    routed.b.turn(1);
    EXPECT_EQ(routed.b.peer("a").session, &a);
    EXPECT_EQ(routed.link("a").path(), path + 1);
    EXPECT_EQ(routed.link("a").local_address(), own[path]);
    EXPECT_EQ(routed.problems("link.backup").size(), path);
  }
  EXPECT_EQ(routed.b.peer("a").counters.path_changes, 2U);
  // Nobody but the one who dials tries the first.
  const std::size_t dials = routed.b.endpoint.all_dialled("a").size();
  routed.b.turn(30 * kTurnsPerSecond);
  EXPECT_EQ(routed.b.endpoint.all_dialled("a").size(), dials);
}

TEST(LinksPaths, ThatAreCrossedCountAsTheOtherEndsChoice) {
  const Endpoints own = {"127.0.1.2:7002", "127.0.2.2:7002"};
  Routed routed(kTwoPaths, own);
  const auto path = [&](const std::string& local, const std::string& remote) {
    return routed.b.peer("a").path_between(port::Peer::parse(local).value(),
                                           port::Peer::parse(remote).value());
  };
  EXPECT_EQ(path(own[0], "127.0.2.3:9"), 1U);
  EXPECT_EQ(path("127.0.9.9:7002", "127.0.2.3:9"), 1U);
  EXPECT_EQ(path("127.0.9.9:7002", "127.0.9.9:9"), 0U);
}

TEST(LinksPaths, AWrongWorkerIsNoReasonToLeaveAPath) {
  Routed routed(kTwoPaths, kOne, "[[links]]\nends = [\"b\", \"c\"]\nconnections = 2\n");
  ScriptedSession& second = routed.last();  // of connection 1
  const auto hello = [](std::uint32_t connection) {
    ControlMessage message = OneGateway::hello("c");
    message.mutable_hello()->set_connection(connection);
    message.mutable_hello()->set_connections(2);
    message.mutable_hello()->set_workers(2);
    return message;
  };
  second.establish("c");
  routed.b.turn(1);
  second.control(hello(1));
  routed.b.turn(1);
  ASSERT_TRUE(second.closed);
  routed.next_dial();
  EXPECT_EQ(routed.dialled_to(), "127.0.1.3:7004");
}

TEST(LinksPaths, AskTheFirstWorkerOverEachOfThemWhenNobodyAnswers) {
  Routed routed(kTwoPaths, kOne, "[[links]]\nends = [\"b\", \"c\"]\nconnections = 2\n");
  ControlMessage hello = OneGateway::hello("c");
  hello.mutable_hello()->set_connection(1);
  hello.mutable_hello()->set_connections(2);
  hello.mutable_hello()->set_workers(2);
  ScriptedSession& other = routed.last();  // of connection 1
  other.establish("c");
  routed.b.turn(1);
  other.control(hello);
  routed.b.turn(1);
  std::set<std::string> asked;
  for (int i = 0; i < 16; ++i) {
    routed.next_dial();
    asked.insert(routed.dialled_to());
    routed.fail();
  }
  EXPECT_EQ(asked,
            (std::set<std::string>{
                "127.0.1.3:7003", "127.0.1.3:7004", "127.0.2.3:7003", "127.0.2.3:7004"}));
}

}  // namespace
}  // namespace godwit::gateway

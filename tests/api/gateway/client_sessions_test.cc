// What a gateway bears of its clients: how many, how long, and those that go wrong.
#include <algorithm>
#include <list>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/api/gateway/raw_client.h"

namespace godwit::gateway {
namespace {

local::Subscribe subscription(std::uint64_t number, Incarnation life, Incarnation from = {}) {
  return {.topic = RawClient::kTopic,
          .subscriber = SubscriberId(number),
          .incarnation = life,
          .from = from};
}

// What it was answered to Subscribe; nothing when it was cut off.
std::optional<local::Subscribed> subscribed(RawClient& client) {
  client.b.turn();
  while (auto view = client.link.client_end().receive()) {
    const auto record = local::decode_gateway_record(*view);
    if (record && std::holds_alternative<local::Subscribed>(*record)) {
      return std::get<local::Subscribed>(*record);
    }
  }
  return std::nullopt;
}

TEST(ClientSessions, AnswerNobodyWhoWaitsForTooManyClocksAndTakeWhatItSendsLater) {
  OneGateway b("b");
  RawClient client(b, 2, "trainer", {1, 1});
  for (int i = 0; i < 70; ++i) {
    client.say(local::WaitClock{.topic = RawClient::kTopic,
                                .request = static_cast<std::uint64_t>(i),
                                .min_clock = 5,
                                .deadline = Duration::ms(200 + i)});
  }
  client.publish(1);
  b.turn(40);
  EXPECT_TRUE(client.answers().empty()) << "it waits for its own waits";
  b.turn(100);
  EXPECT_EQ(client.answers(), RawClient::Answers{"safe 1"});
}

TEST(ClientSessions, EndWhoConnectsAndDoesNotGreet) {
  OneGateway b("b");
  local::MemoryLink silent;
  b.gateway->attach_client(9, silent.gateway_end(), std::size_t{1} << 20U);
  b.turn(1);
  EXPECT_EQ(b.gateway->client_count(), 2U);
  const Instant then = b.now;
  EXPECT_LE(b.gateway->deadline(), then + Duration::seconds(10));
  b.now = then + Duration::seconds(9.9);
  b.turn(1);
  EXPECT_TRUE(b.gateway->take_finished_clients().empty());
  b.now = then + Duration::seconds(10);
  b.turn(2);  // it is told why, and then drained
  EXPECT_EQ(b.gateway->take_finished_clients(), std::vector<std::uint64_t>{9});
}

TEST(ClientSessions, HaveTheirWholeGraceHoweverLongTheStateTookToRecover) {
  OneGateway b("b");
  RawClient client(b, 2, "", {1, 1});
  client.publish(1);
  b.turn();
  Random random(3);
  b.gateway.reset();
  b.endpoint.lose_all();
  b.gateway = std::move(*Gateway::open(
      b.now, b.config, b.store, b.incarnation, b.endpoint, random, [] { return Instant(); }));
  b.now = b.now + Duration::seconds(60);
  b.gateway->on_turn(b.now);
  EXPECT_TRUE(b.topic("t").ledger().find_inbox(PublisherId(2)));
  b.now = b.now + Duration::seconds(31);
  b.gateway->on_turn(b.now);
  EXPECT_FALSE(b.topic("t").ledger().find_inbox(PublisherId(2)));
}

TEST(ClientSessions, LeaveAPlaceForEverySiteHoweverManySubscribe) {
  OneGateway b("b");
  const auto clients = subscribers(b, Topic::kSubscribersMax);
  RawClient one_more(b, 1000, "", {1, 1});
  one_more.say(subscription(1, {1, 1}));
  const auto refused = subscribed(one_more);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->code, Code::kFull);
  EXPECT_EQ(refused->error, "topic t: its 24 subscribers at this site are there already");
  for (const std::string site : {"a", "c"}) {
    ScriptedSession& session = b.greeted(site);
    session.control(OneGateway::announcement("t", RawClient::kElements));
    b.turn();
    EXPECT_EQ(session.take(control::ControlMessage::kLaneOpen).kind_case(),
              control::ControlMessage::kLaneOpen)
        << site;
  }
  b.gateway.reset();  // before the rings of its clients
}

// A gateway that is full says so, and the client's publishes go on; whoever leaves makes room.
TEST(ClientSessions, GoOnWithoutASubscriptionForWhichThereIsNoPlace) {
  OneGateway b("b");
  auto clients = subscribers(b, Topic::kSubscribersMax);
  RawClient late(b, 1000, "late", {1, 1});
  late.say(subscription(1, {1, 1}));
  late.publish(1);
  b.turn();
  EXPECT_EQ(late.answers(), RawClient::Answers{"safe 1"});
  clients.back().leave();
  late.say(subscription(1, {1, 1}));
  const auto taken = subscribed(late);
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->code, Code::kOk);
  b.gateway.reset();  // before the rings of its clients
}

TEST(ClientSessions, CutOffAnEarlierClientWithoutAPlace) {
  OneGateway b("b");
  const auto clients = subscribers(b, Topic::kSubscribersMax);
  RawClient old(b, 1000, "", {1, 1});
  local::Subscribe without_refusal = subscription(1, {1, 1});
  without_refusal.may_be_refused = false;
  old.say(without_refusal);
  EXPECT_FALSE(subscribed(old));
  EXPECT_TRUE(old.link.gateway_end().broken());
  b.gateway.reset();  // before the rings of its clients
}

// Its number was the topic's place in the client's list, which may be another one in each process.
TEST(ClientSessions, SubscribeAgainUnderAnotherNumberWhenBothHaveDied) {
  OneGateway b("b");
  RawClient before(b, 2, "auditor", {1, 1});
  before.say(subscription(1, {1, 1}));
  ASSERT_TRUE(subscribed(before));
  b.open();
  RawClient after(b, 3, "auditor", {2, 1});
  after.say(subscription(2, {2, 1}));
  const auto answer = subscribed(after);
  ASSERT_TRUE(answer) << after.link.gateway_end().broken_reason();
  EXPECT_FALSE(answer->resumed);
  EXPECT_EQ(b.topic("t").ledger().occupancy().subscriber_lanes, 1U);
}

// From zero, and then with what the client has published itself; the other topics go on.
TEST(ClientSessions, SubscribeAgainOverTheSameConnection) {
  OneGateway b("b");
  RawClient client(b, 2, "trainer", {1, 1});
  client.say(subscription(1, {1, 1}));
  client.publish(1);
  b.turn();
  EXPECT_EQ(client.answers(), RawClient::Answers{"safe 1"});
  client.say(subscription(1, {1, 2}));
  client.publish(2, 0, 1);
  b.turn();
  std::vector<std::string> got;
  while (auto view = client.link.client_end().receive()) {
    const auto record = local::decode_gateway_record(*view);
    ASSERT_TRUE(record);
    if (const auto* const answer = std::get_if<local::Subscribed>(&*record)) {
      got.emplace_back(answer->resumed ? "resumed" : "subscribed");
    } else if (const auto* const transfer = std::get_if<local::Transfer>(&*record)) {
      local::SectionReader sections(*transfer);
      const auto section = sections.next();
      ASSERT_TRUE(section);
      std::vector<std::int64_t> values(section->count);
      local::widen(*section, values);
      got.push_back(fmt::format("{}: {}", transfer->k, fmt::join(values, " ")));
      EXPECT_FALSE(sections.next());
    }
  }
  EXPECT_EQ(got, (std::vector<std::string>{"subscribed", "1: 1 0 0 0"}))
      << "the publish before it, and not the one behind it";
  EXPECT_FALSE(client.link.gateway_end().broken());
  EXPECT_EQ(b.topic("t").ledger().occupancy().subscriber_lanes, 1U);
  // Not under the same incarnation.
  client.say(subscription(1, {1, 2}));
  b.turn();
  EXPECT_EQ(client.link.gateway_end().broken_reason(), "the subscription is held already");
}

TEST(ClientSessions, TakeOverTheLaneThatAnEarlierVersionNamedByTheNumber) {
  OneGateway b("b");
  RawClient client(b, 2, "auditor", {1, 1});
  b.turn();
  ASSERT_TRUE(b.topic("t").ledger().open_lane({ledger::LaneKind::kSubscriber, 0xa1d, {1, 1}},
                                              {.own_publisher = PublisherId::of("auditor")}));
  b.config.memory = Bytes(1);  // it needs no more than it has
  b.open();
  RawClient same(b, 3, "auditor", {1, 1});
  same.say(subscription(2, {1, 1}, b.life("t")));
  const auto resumed = subscribed(same);
  ASSERT_TRUE(resumed) << same.link.gateway_end().broken_reason();
  EXPECT_TRUE(resumed->resumed);
  b.open();
  RawClient next(b, 4, "auditor", {2, 1});
  next.say(subscription(3, {2, 1}));
  const auto anew = subscribed(next);
  ASSERT_TRUE(anew) << next.link.gateway_end().broken_reason();
  EXPECT_FALSE(anew->resumed);
  EXPECT_EQ(b.topic("t").ledger().occupancy().subscriber_lanes, 1U);
}

// What a client said before it knew that its declaration was refused costs it nothing else.
TEST(ClientSessions, GoOnWhenOneOfTheirTopicsIsRefused) {
  OneGateway b("b");
  RawClient client(b, 2, "trainer", {1, 1});
  const local::TopicHandle refused{1};
  client.say(local::Declare{
      .handle = refused, .topic = "u", .element_count = 4, .allowed_sites = {"nowhere"}});
  client.say(
      local::Subscribe{.topic = refused, .subscriber = SubscriberId(2), .incarnation = {1, 1}});
  client.say(local::WatchCoverage{refused});
  client.say(local::Tick{refused, 1});
  client.say(local::WaitClock{.topic = refused, .request = 1, .min_clock = 1});
  const std::vector<std::int64_t> values = {1};
  client.say(local::PublishBegin{.topic = refused, .number = 7, .first = 0, .count = 1});
  client.say(local::PublishData{.topic = refused, .number = 7, .first = 0, .fixed = values});
  client.say(local::PublishCommit{.topic = refused, .number = 7});
  client.publish(1);
  b.turn();
  EXPECT_EQ(client.answers(), (RawClient::Answers{"refused 7", "safe 1"}));
  client.say(local::Tick{local::TopicHandle{2}, 1});  // never declared
  b.turn();
  EXPECT_TRUE(client.link.gateway_end().broken());
}

TEST(ClientSessions, AreRefusedATopicWhoseNameThePoliciesCouldNotJudge) {
  OneGateway b("b");
  b.declare("hospital//x", 10);
  EXPECT_EQ(b.declared.code, Code::kInvalid);
  EXPECT_NE(b.declared.error.find("is no topic's name"), std::string::npos) << b.declared.error;
  b.declare("hospital/x", 10);
  EXPECT_EQ(b.declared.code, Code::kOk) << "the client lives on";
}

// A topic that may not be held is told at once, however many a client was refused for other
// reasons.
TEST(ClientSessions, AreToldInTheLogOfTheFirstRefusalOfEachKind) {
  OneGateway b("b", "[[policies]]\nmatch = \"private/**\"\nallowed = [\"a\"]\n");
  ::testing::internal::CaptureStderr();
  b.declare("hospital//x", 10);
  b.declare("hospital//y", 10);
  b.declare("private/x", 10);
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(log.find("hospital//y"), std::string::npos) << log;
  EXPECT_NE(log.find("is not among the allowed sites"), std::string::npos) << log;
}

// A broken client may come again at once, without end.
TEST(ClientSessions, ThatAreRefusedAreToldInTheLogAtEachPowerOfTen) {
  OneGateway b("b");
  ::testing::internal::CaptureStderr();
  for (std::uint64_t id = 2; id < 32; ++id) {
    local::MemoryLink link;
    b.gateway->attach_client(id, link.gateway_end(), OneGateway::kRingBytes);
    ASSERT_TRUE(local::send(link.client_end(), local::Tick{local::TopicHandle{0}, 1}));
    b.turn(1);
    EXPECT_TRUE(link.gateway_end().broken());
  }
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 2) << log;
  EXPECT_NE(log.find("client (unnamed) is closed: the first record must be Hello (10 such so far)"),
            std::string::npos)
      << log;
}

// Each fault is named to the client and, once, in the log, whatever was counted before it.
TEST(ClientSessions, ThatBreakTheirRingAreToldWhyAndSoIsTheLog) {
  OneGateway b("b");
  ::testing::internal::CaptureStderr();
  std::uint64_t id = 2;
  const auto told = [&](std::uint64_t head) {
    local::MemoryLink link;
    b.gateway->attach_client(++id, link.gateway_end(), OneGateway::kRingBytes);
    link.to_gateway_memory().control->head = head;
    b.turn(1);
    const auto view = link.client_end().receive();
    const auto record = view ? local::decode_gateway_record(*view) : Failure(Error{});
    const bool is_error = record && std::holds_alternative<local::ErrorRecord>(*record);
    return is_error ? std::get<local::ErrorRecord>(*record).text : "nothing";
  };
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(told(4), "ring: position not a multiple of 8");
    EXPECT_EQ(told(std::uint64_t{1} << 40U), "ring: position more than a ring away");
  }
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 2) << log;
  EXPECT_NE(log.find("position more than a ring away (2 such so far)"), std::string::npos) << log;
}

// Each is reached at once, and none can be answered before the client takes the changes.
TEST(ClientSessions, EndOneThatWaitsForClocksAndTakesNoChanges) {
  OneGateway b("b");
  RawClient client(b, 2, "trainer", {1, 1});
  client.say(local::Subscribe{
      .topic = RawClient::kTopic, .subscriber = SubscriberId(1), .incarnation = {1, 1}});
  RawClient other(b, 3, "other", {1, 1});
  constexpr std::uint64_t kPublishes = 1'100;  // more transfers than a lane's window holds
  for (std::uint64_t number = 1; number <= kPublishes; ++number) {
    other.publish(number);
    b.turn(1);
  }
  b.turn();
  EXPECT_EQ(other.answers().size(), kPublishes);
  std::uint64_t request = 0;
  while (!client.link.gateway_end().broken() && request < 10'000) {
    client.say(local::WaitClock{.topic = RawClient::kTopic, .request = ++request});
    b.turn(1);
  }
  EXPECT_TRUE(client.link.gateway_end().broken());
  EXPECT_GT(request, 4'000U);
  other.publish(kPublishes + 1);
  b.turn();
  EXPECT_EQ(other.answers(), RawClient::Answers{"safe 1101"});
}

}  // namespace
}  // namespace godwit::gateway

// What the gateway answers a publisher, over deaths of either side.
#include <list>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/api/gateway/one_gateway.h"

namespace godwit::gateway {
namespace {

constexpr std::uint64_t kElements = 4;
constexpr local::TopicHandle kTopic{};

// A client of its own on the topic "t"; what it says waits in its ring for the gateway's turns.
struct Client {
  Client(OneGateway& gateway,
         std::uint64_t connection,
         const std::string& name,
         Incarnation life,
         std::size_t to_client_bytes = std::size_t{1} << 20U,
         std::optional<Incarnation> replaces = {},
         std::optional<local::Unanswered> unanswered = {})
      : b(gateway), id(connection), link({.to_client_bytes = to_client_bytes}) {
    b.gateway->attach_client(id, link.gateway_end(), to_client_bytes);
    say(local::Hello{.client_name = name,
                     .publisher = name.empty() ? PublisherId(id) : PublisherId::of(name),
                     .incarnation = life});
    say(local::Declare{.handle = kTopic,
                       .topic = "t",
                       .element_count = kElements,
                       .replaces = replaces,
                       .unanswered = unanswered});
  }
  template <class Record>
  void say(const Record& record) {
    ASSERT_TRUE(local::send(link.client_end(), record));
  }
  void publish(std::uint64_t number, std::uint64_t step = 0, std::uint64_t first = 0) {
    const std::vector<std::int64_t> values = {1};
    local::PublishBegin begin{.topic = kTopic, .number = number, .first = first, .count = 1};
    if (step != 0) {
      begin.step = step;
    }
    say(begin);
    say(local::PublishData{.topic = kTopic, .number = number, .first = first, .fixed = values});
    say(local::PublishCommit{.topic = kTopic, .number = number});
  }
  // Beyond the end of the topic.
  void publish_outside(std::uint64_t number) { publish(number, 0, kElements); }
  void leave() {
    say(local::Goodbye{});
    b.turn();
    b.gateway->detach_client(id);
    b.turn();
  }
  // The answer to its Declare; what was answered before it is lost.
  local::Declared declared() {
    while (auto view = link.client_end().receive()) {
      const auto record = local::decode_gateway_record(*view);
      if (record && std::holds_alternative<local::Declared>(*record)) {
        return std::get<local::Declared>(*record);
      }
    }
    ADD_FAILURE() << "no Declared";
    return {};
  }
  // What it was answered since it last looked, in the answers' order: "safe 1", "refused 2".
  std::vector<std::string> answers() {
    std::vector<std::string> all;
    while (auto view = link.client_end().receive()) {
      const auto record = local::decode_gateway_record(*view);
      EXPECT_TRUE(record);
      if (const auto* safe = std::get_if<local::Safe>(&*record)) {
        all.push_back(fmt::format("safe {}", safe->number));
      } else if (const auto* refused = std::get_if<local::Refused>(&*record)) {
        all.push_back(fmt::format(
            "{} {}", refused->code == Code::kNotFound ? "unknown" : "refused", refused->number));
      } else if (const auto* duplicate = std::get_if<local::Duplicate>(&*record)) {
        all.push_back(fmt::format("duplicate {}", duplicate->number));
      }
    }
    return all;
  }

  OneGateway& b;
  std::uint64_t id;
  local::MemoryLink link;
};

using Answers = std::vector<std::string>;

// The gateway may die while the answer waits; the client would send the publish again and hear,
// since a later number is safe, that this one is.
TEST(ClientPublish, CommitsNothingBehindARefusalThatItCouldNotAnswer) {
  OneGateway b("b");
  constexpr std::size_t kSmallRing = 4096;
  Client client(b, 2, "trainer", {1, 1}, kSmallRing);
  b.turn();
  ASSERT_TRUE(client.answers().empty());
  Answers wanted;
  std::uint64_t number = 1;
  for (; number <= 200; ++number) {  // some 100 bytes each: more than its ring holds
    client.publish_outside(number);
    wanted.push_back(fmt::format("refused {}", number));
  }
  client.publish(number);
  wanted.push_back(fmt::format("safe {}", number));
  b.turn(1000);
  EXPECT_EQ(b.topic("t").ledger().publishes(), 0U);
  Answers got;
  for (int i = 0; i < 100; ++i) {  // and now it reads
    const Answers some = client.answers();
    got.insert(got.end(), some.begin(), some.end());
    b.turn();
  }
  EXPECT_EQ(got, wanted);
  EXPECT_EQ(b.sum("t").front(), 1);
}

TEST(ClientPublish, TakesWhatADeadClientLeftThoughItsAnswersFindNoRoom) {
  OneGateway b("b");
  constexpr std::size_t kSmallRing = 4096;
  Client client(b, 2, "trainer", {1, 1}, kSmallRing);
  for (std::uint64_t number = 1; number <= 200; ++number) {
    client.publish_outside(number);
  }
  client.publish(201);
  b.turn(1000);
  b.gateway->detach_client(client.id);
  b.turn(1000);
  EXPECT_EQ(b.sum("t").front(), 1);
  EXPECT_EQ(b.gateway->take_finished_clients(), std::vector<std::uint64_t>{client.id});
}

TEST(ClientPublish, AnswersTheStepOfANameHoweverManyCameAfterIt) {
  OneGateway b("b");
  {
    Client trainer(b, 2, "trainer", {1, 1});
    trainer.publish(1, 7);
    trainer.leave();
    EXPECT_EQ(trainer.answers(), Answers{"safe 1"});
  }
  for (std::uint64_t id = 3; id < 43; ++id) {
    Client passing(b, id, "", {1, 1});
    passing.publish(1);
    passing.leave();
    EXPECT_EQ(passing.answers(), Answers{"safe 1"}) << id;
  }
  Client restored(b, 50, "trainer", {2, 2});
  restored.publish(1, 7);
  restored.publish(2, 8);
  b.turn();
  EXPECT_EQ(restored.answers(), (Answers{"duplicate 1", "safe 2"}));
  EXPECT_EQ(b.sum("t").front(), 42);
}

TEST(ClientPublish, RefusesANewcomerWhenEveryPlaceKeepsAStep) {
  OneGateway b("b");
  std::uint64_t id = 2;
  for (; id < 34; ++id) {
    Client trainer(b, id, fmt::format("trainer-{}", id), {1, 1});
    trainer.publish(1, 7);
    trainer.leave();
    EXPECT_EQ(trainer.answers(), Answers{"safe 1"}) << id;
  }
  Client newcomer(b, id, "newcomer", {1, 1});
  newcomer.publish(1, 1);
  b.turn();
  EXPECT_EQ(newcomer.answers(), Answers{"refused 1"});
  EXPECT_FALSE(newcomer.link.client_end().broken());
  Client again(b, ++id, "trainer-9", {2, 2});
  again.publish(1, 8);
  b.turn();
  EXPECT_EQ(again.answers(), Answers{"safe 1"});
}

TEST(ClientPublish, TakesAllThatADeadClientLeftBeforeItsSuccessorsFirst) {
  OneGateway b("b");
  Client dead(b, 2, "trainer", {1, 1});
  b.turn();
  for (std::uint64_t number = 1; number <= 20; ++number) {
    dead.publish(number, number);
  }
  b.gateway->detach_client(dead.id);
  Client dead_at_once(b, 3, "trainer", {2, 2});
  for (std::uint64_t number = 1; number <= 5; ++number) {
    dead_at_once.publish(number, 20 + number);
  }
  b.turn(1);
  b.gateway->detach_client(dead_at_once.id);
  Client successor(b, 4, "trainer", {3, 3});
  successor.publish(1, 25);  // it does not know that this step was complete
  successor.publish(2, 26);
  b.turn(100);
  EXPECT_EQ(b.sum("t").front(), 26);
  EXPECT_EQ(successor.answers(), (Answers{"duplicate 1", "safe 2"}));
  EXPECT_EQ(b.gateway->core().present.size(), 2U) << "its own client and the successor";
}

TEST(ClientPublish, CutsOffALivingProcessOfTheSameName) {
  OneGateway b("b");
  Client first(b, 2, "trainer", {1, 1});
  first.publish(1);
  b.turn();
  Client second(b, 3, "trainer", {2, 2});
  second.publish(1);
  b.turn();
  EXPECT_EQ(second.answers(), Answers{"safe 1"});
  first.publish(2);
  b.turn();
  EXPECT_TRUE(first.link.gateway_end().broken());
  EXPECT_EQ(b.sum("t").front(), 2);
}

// A host's clock may be set back, and a name may be taken in bad faith with any number.
TEST(ClientPublish, TakesTheLaterProcessOfANameWhateverItsIncarnation) {
  OneGateway b("b");
  Client first(b, 2, "trainer", {0xffffffff, 1});
  first.publish(1, 7);
  b.turn();
  EXPECT_EQ(first.declared().publisher_before, Incarnation{});
  Client second(b, 3, "trainer", {5, 2});
  b.turn();
  EXPECT_EQ(second.declared().publisher_before, (Incarnation{0xffffffff, 1}));
  second.publish(1, 7);
  second.publish(2, 8);
  b.turn();
  EXPECT_EQ(second.answers(), (Answers{"duplicate 1", "safe 2"}));
  // The earlier one comes back with what it was not answered.
  b.gateway->detach_client(first.id);
  Client again(b, 4, "trainer", {0xffffffff, 1}, std::size_t{1} << 20U, Incarnation{});
  again.publish(1);
  b.turn();
  EXPECT_TRUE(again.link.gateway_end().broken());
  EXPECT_EQ(b.sum("t").front(), 2);
}

// Its connection ended before its first publish was met: nobody else has come since.
TEST(ClientPublish, TakesAProcessBackThatReplacesWhomItFoundAtFirst) {
  for (const bool in_good_order : {false, true}) {
    OneGateway b("b");
    Client before(b, 2, "trainer", {5, 5});
    before.publish(1);
    b.turn();
    if (in_good_order) {
      before.leave();
    } else {
      b.gateway->detach_client(before.id);
    }
    Client first_time(b, 3, "trainer", {2, 2});
    b.turn();
    const Incarnation found = first_time.declared().publisher_before;
    EXPECT_EQ(found, (Incarnation{5, 5}));
    b.gateway->detach_client(first_time.id);
    Client back(b, 4, "trainer", {2, 2}, std::size_t{1} << 20U, found);
    back.publish(1);
    b.turn();
    EXPECT_EQ(back.answers(), Answers{"safe 1"});
    b.gateway.reset();  // before the rings of its clients
  }
}

TEST(ClientPublish, GivesThePlacesBackOfThoseWhoPublishNothingAfterTheyCameBack) {
  constexpr std::uint64_t kPlaces = 32;
  OneGateway b("b");
  std::list<Client> clients;
  for (std::uint64_t id = 2; id < 2 + kPlaces; ++id) {
    Client& client = clients.emplace_back(b, id, "", Incarnation{1, 1});
    client.publish(1);
    b.turn();
    EXPECT_EQ(client.answers(), Answers{"safe 1"}) << id;
  }
  b.open();  // the gateway died, its clients did not
  for (std::uint64_t id = 2; id < 2 + kPlaces; ++id) {
    Client back(b, id, "", {1, 1}, std::size_t{1} << 20U, Incarnation{});
    back.leave();
  }
  for (std::uint64_t id = 100; id < 100 + kPlaces; ++id) {
    Client newcomer(b, id, "", {1, 1});
    newcomer.publish(1);
    newcomer.leave();
    EXPECT_EQ(newcomer.answers(), Answers{"safe 1"}) << id;
  }
}

// A publisher whose place others have taken cannot be told what of its was merged.
TEST(ClientPublish, MergesNothingTwiceForAPublisherThatItHasForgotten) {
  constexpr std::uint64_t kPlaces = 32;
  OneGateway b("b");
  std::optional<Client> lost(std::in_place, b, 2, "", Incarnation{1, 1});
  lost->publish(1);
  b.turn();
  const local::Declared met = lost->declared();
  b.gateway->detach_client(2);  // before it read that 1 is safe
  b.turn();
  std::list<Client> others;
  const auto come = [&](std::uint64_t id, std::optional<local::Unanswered> unanswered) -> Client& {
    Client& client = others.emplace_back(
        b, id, "", Incarnation{1, 1}, std::size_t{1} << 14U, Incarnation{}, unanswered);
    client.publish(1);
    b.turn();
    return client;
  };
  const auto at = [&](const local::Declared& declared) {
    return local::Unanswered{.until = 2,
                             .incarnation = declared.incarnation,
                             .publishers_forgotten = declared.publishers_forgotten};
  };
  // Nobody is forgotten yet: who is not known has never arrived.
  EXPECT_EQ(come(3, at(met)).answers(), Answers{"safe 1"});
  b.now = b.now + Duration::seconds(31);
  b.turn();
  for (std::uint64_t id = 100; id < 100 + kPlaces - 1; ++id) {
    EXPECT_EQ(come(id, {}).answers(), Answers{"safe 1"}) << id;
  }
  const std::int64_t sum = b.sum("t").front();
  Client back(b, 2, "", {1, 1}, std::size_t{1} << 20U, Incarnation{}, at(met));
  back.publish(1);
  b.turn();
  EXPECT_EQ(back.answers(), Answers{"unknown 1"});
  EXPECT_EQ(b.sum("t").front(), sum);
  // Something that it had sent to another life of the topic was lost with it.
  b.gateway->detach_client(others.back().id);
  others.back().leave();
  auto elsewhere = at(met);
  elsewhere.incarnation = {9, 9};
  EXPECT_EQ(come(4, elsewhere).answers(), Answers{"safe 1"});
  // What it publishes from then on is as good as anybody's.
  b.gateway->detach_client(others.back().id);
  b.now = b.now + Duration::seconds(31);
  b.turn();
  back.publish(2);
  back.publish(3);
  b.turn();
  EXPECT_EQ(back.answers(), (Answers{"unknown 2", "safe 3"}));
  b.gateway.reset();  // before the rings of its clients
}

TEST(ClientSessions, AnswerNobodyWhoWaitsForTooManyClocksAndTakeWhatItSendsLater) {
  OneGateway b("b");
  Client client(b, 2, "trainer", {1, 1});
  for (int i = 0; i < 70; ++i) {
    client.say(local::WaitClock{.topic = kTopic,
                                .request = static_cast<std::uint64_t>(i),
                                .min_clock = 5,
                                .deadline = Duration::ms(200 + i)});
  }
  client.publish(1);
  b.turn(40);
  EXPECT_TRUE(client.answers().empty()) << "it waits for its own waits";
  b.turn(100);
  EXPECT_EQ(client.answers(), Answers{"safe 1"});
}

TEST(ClientSessions, HaveTheirWholeGraceHoweverLongTheStateTookToRecover) {
  OneGateway b("b");
  Client client(b, 2, "", {1, 1});
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
  std::list<Client> clients;
  for (std::uint64_t id = 2; id < 2 + Topic::kSubscribersMax; ++id) {
    clients.emplace_back(b, id, "", Incarnation{1, 1})
        .say(local::Subscribe{
            .topic = kTopic, .subscriber = SubscriberId(1), .incarnation = {1, 1}});
    b.turn();
    EXPECT_FALSE(clients.back().link.gateway_end().broken()) << id;
  }
  Client one_more(b, 1000, "", {1, 1});
  one_more.say(
      local::Subscribe{.topic = kTopic, .subscriber = SubscriberId(1), .incarnation = {1, 1}});
  b.turn();
  EXPECT_TRUE(one_more.link.gateway_end().broken());
  for (const std::string site : {"a", "c"}) {
    ScriptedSession& session = b.greeted(site);
    session.control(OneGateway::announcement("t", kElements));
    b.turn();
    EXPECT_EQ(session.take(control::ControlMessage::kLaneOpen).kind_case(),
              control::ControlMessage::kLaneOpen)
        << site;
  }
  b.gateway.reset();  // before the rings of its clients
}

TEST(ClientPublish, TellsWhoPublishedLastOnlyWhenTheirRingIsEmpty) {
  OneGateway b("b");
  Client dead(b, 2, "trainer", {5, 5});
  for (int i = 0; i < 12; ++i) {  // for some turns nothing of what it published is met
    dead.say(local::WatchCoverage{kTopic});
  }
  for (std::uint64_t number = 1; number <= 20; ++number) {
    dead.publish(number);
  }
  b.gateway->detach_client(dead.id);
  Client successor(b, 3, "trainer", {2, 2});
  b.turn(100);
  EXPECT_EQ(successor.declared().publisher_before, (Incarnation{5, 5}));
  EXPECT_EQ(b.sum("t").front(), 20);
}

TEST(ClientPublish, AnEarlierProcessTakesNothingFromALaterOneOfItsName) {
  OneGateway b("b");
  Client first(b, 2, "trainer", {1, 1});
  b.turn();
  Client second(b, 3, "trainer", {2, 2});
  second.publish(1);
  b.turn();
  first.publish(1);
  second.publish(2);
  b.turn();
  EXPECT_TRUE(first.link.gateway_end().broken());
  EXPECT_EQ(second.answers(), (Answers{"safe 1", "safe 2"}));
  EXPECT_EQ(b.sum("t").front(), 2);
}

}  // namespace
}  // namespace godwit::gateway

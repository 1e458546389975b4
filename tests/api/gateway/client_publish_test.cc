// What the gateway answers a publisher, over deaths of either side.
#include <cmath>
#include <list>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "api/local/value_range.h"
#include "codec/kernels.h"
#include "tests/api/gateway/raw_client.h"

namespace godwit::gateway {
namespace {

constexpr std::uint64_t kElements = RawClient::kElements;
constexpr local::TopicHandle kTopic = RawClient::kTopic;
using Answers = RawClient::Answers;

// The gateway may die while the answer waits; the client would send the publish again and hear,
// since a later number is safe, that this one is.
TEST(ClientPublish, CommitsNothingBehindARefusalThatItCouldNotAnswer) {
  OneGateway b("b");
  constexpr std::size_t kSmallRing = 4096;
  RawClient client(b, 2, "trainer", {1, 1}, {.to_client_bytes = kSmallRing});
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
  RawClient client(b, 2, "trainer", {1, 1}, {.to_client_bytes = kSmallRing});
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
    RawClient trainer(b, 2, "trainer", {1, 1});
    trainer.publish(1, 7);
    trainer.leave();
    EXPECT_EQ(trainer.answers(), Answers{"safe 1"});
  }
  for (std::uint64_t id = 3; id < 43; ++id) {
    RawClient passing(b, id, "", {1, 1});
    passing.publish(1);
    passing.leave();
    EXPECT_EQ(passing.answers(), Answers{"safe 1"}) << id;
  }
  RawClient restored(b, 50, "trainer", {2, 2});
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
    RawClient trainer(b, id, fmt::format("trainer-{}", id), {1, 1});
    trainer.publish(1, 7);
    trainer.leave();
    EXPECT_EQ(trainer.answers(), Answers{"safe 1"}) << id;
  }
  RawClient newcomer(b, id, "newcomer", {1, 1});
  newcomer.publish(1, 1);
  b.turn();
  EXPECT_EQ(newcomer.answers(), Answers{"refused 1"});
  EXPECT_FALSE(newcomer.link.client_end().broken());
  RawClient again(b, ++id, "trainer-9", {2, 2});
  again.publish(1, 8);
  b.turn();
  EXPECT_EQ(again.answers(), Answers{"safe 1"});
}

TEST(ClientPublish, TakesAllThatADeadClientLeftBeforeItsSuccessorsFirst) {
  OneGateway b("b");
  RawClient dead(b, 2, "trainer", {1, 1});
  b.turn();
  for (std::uint64_t number = 1; number <= 20; ++number) {
    dead.publish(number, number);
  }
  b.gateway->detach_client(dead.id);
  RawClient dead_at_once(b, 3, "trainer", {2, 2});
  for (std::uint64_t number = 1; number <= 5; ++number) {
    dead_at_once.publish(number, 20 + number);
  }
  b.turn(1);
  b.gateway->detach_client(dead_at_once.id);
  RawClient successor(b, 4, "trainer", {3, 3});
  successor.publish(1, 25);  // it does not know that this step was complete
  successor.publish(2, 26);
  b.turn(100);
  EXPECT_EQ(b.sum("t").front(), 26);
  EXPECT_EQ(successor.answers(), (Answers{"duplicate 1", "safe 2"}));
  EXPECT_EQ(b.gateway->core().present.size(), 2U) << "its own client and the successor";
}

// Of a publish of three elements: what each record must not do, and how its channel then ends.
TEST(ClientPublish, EndsTheChannelOfWhoSendsOtherElementsThanWereBegun) {
  using Values = std::vector<std::int64_t>;
  const struct {
    std::uint64_t first;
    Values values;
    std::string reason;
  } faults[] = {
      {1, {5, 5}, "publish: values at 1+2, expected at 0, 3 left"},        // a gap
      {0, {5, 5, 5, 5}, "publish: values at 0+4, expected at 0, 3 left"},  // beyond what was begun
      {0, {5, 5}, "publish: commit after 2 of 3 values"},                  // too few
  };
  std::uint64_t id = 2;
  for (const auto& fault : faults) {
    OneGateway b("b");
    RawClient client(b, id++, "trainer", {1, 1});
    client.publish(1);
    client.say(local::PublishBegin{.topic = kTopic, .number = 2, .first = 0, .count = 3});
    client.say(local::PublishData{
        .topic = kTopic, .number = 2, .first = fault.first, .fixed = fault.values});
    client.say(local::PublishCommit{.topic = kTopic, .number = 2});
    client.publish(3);
    b.turn();
    EXPECT_EQ(client.answers(), Answers{"safe 1"}) << fault.reason;
    EXPECT_EQ(client.link.gateway_end().broken_reason(), fault.reason);
    EXPECT_EQ(b.topic("t").ledger().publishes(), 1U);
    EXPECT_EQ(b.sum("t"), (Values{1, 0, 0, 0}));
  }
}

TEST(ClientPublish, CutsOffALivingProcessOfTheSameName) {
  OneGateway b("b");
  RawClient first(b, 2, "trainer", {1, 1});
  first.publish(1);
  b.turn();
  RawClient second(b, 3, "trainer", {2, 2});
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
  RawClient first(b, 2, "trainer", {0xffffffff, 1});
  first.publish(1, 7);
  b.turn();
  EXPECT_EQ(first.declared().publisher_before, Incarnation{});
  RawClient second(b, 3, "trainer", {5, 2});
  b.turn();
  EXPECT_EQ(second.declared().publisher_before, (Incarnation{0xffffffff, 1}));
  second.publish(1, 7);
  second.publish(2, 8);
  b.turn();
  EXPECT_EQ(second.answers(), (Answers{"duplicate 1", "safe 2"}));
  // The earlier one comes back with what it was not answered.
  b.gateway->detach_client(first.id);
  RawClient again(b, 4, "trainer", {0xffffffff, 1}, {.replaces = Incarnation{}});
  again.publish(1);
  b.turn();
  EXPECT_TRUE(again.link.gateway_end().broken());
  EXPECT_EQ(b.sum("t").front(), 2);
}

// Its connection ended before its first publish was met: nobody else has come since.
TEST(ClientPublish, TakesAProcessBackThatReplacesWhomItFoundAtFirst) {
  for (const bool in_good_order : {false, true}) {
    OneGateway b("b");
    RawClient before(b, 2, "trainer", {5, 5});
    before.publish(1);
    b.turn();
    if (in_good_order) {
      before.leave();
    } else {
      b.gateway->detach_client(before.id);
    }
    RawClient first_time(b, 3, "trainer", {2, 2});
    b.turn();
    const Incarnation found = first_time.declared().publisher_before;
    EXPECT_EQ(found, (Incarnation{5, 5}));
    b.gateway->detach_client(first_time.id);
    RawClient back(b, 4, "trainer", {2, 2}, {.replaces = found});
    back.publish(1);
    b.turn();
    EXPECT_EQ(back.answers(), Answers{"safe 1"});
    b.gateway.reset();  // before the rings of its clients
  }
}

TEST(ClientPublish, GivesThePlacesBackOfThoseWhoPublishNothingAfterTheyCameBack) {
  constexpr std::uint64_t kPlaces = 32;
  OneGateway b("b");
  std::list<RawClient> clients;
  for (std::uint64_t id = 2; id < 2 + kPlaces; ++id) {
    RawClient& client = clients.emplace_back(b, id, "", Incarnation{1, 1});
    client.publish(1);
    b.turn();
    EXPECT_EQ(client.answers(), Answers{"safe 1"}) << id;
  }
  b.open();  // the gateway died, its clients did not
  for (std::uint64_t id = 2; id < 2 + kPlaces; ++id) {
    RawClient back(b, id, "", {1, 1}, {.replaces = Incarnation{}});
    back.leave();
  }
  for (std::uint64_t id = 100; id < 100 + kPlaces; ++id) {
    RawClient newcomer(b, id, "", {1, 1});
    newcomer.publish(1);
    newcomer.leave();
    EXPECT_EQ(newcomer.answers(), Answers{"safe 1"}) << id;
  }
}

// A publisher whose place others have taken cannot be told what of its was merged.
TEST(ClientPublish, MergesNothingTwiceForAPublisherThatItHasForgotten) {
  constexpr std::uint64_t kPlaces = 32;
  OneGateway b("b");
  std::optional<RawClient> lost(std::in_place, b, 2, "", Incarnation{1, 1});
  lost->publish(1);
  b.turn();
  const local::Declared met = lost->declared();
  b.gateway->detach_client(2);  // before it read that 1 is safe
  b.turn();
  std::list<RawClient> others;
  const auto come = [&](std::uint64_t id,
                        std::optional<local::Unanswered> unanswered) -> RawClient& {
    RawClient& client =
        others.emplace_back(b,
                            id,
                            "",
                            Incarnation{1, 1},
                            RawClient::Options{.to_client_bytes = std::size_t{1} << 14U,
                                               .replaces = Incarnation{},
                                               .unanswered = unanswered});
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
  RawClient back(b, 2, "", {1, 1}, {.replaces = Incarnation{}, .unanswered = at(met)});
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

TEST(ClientPublish, TellsWhoPublishedLastOnlyWhenTheirRingIsEmpty) {
  OneGateway b("b");
  RawClient dead(b, 2, "trainer", {5, 5});
  for (int i = 0; i < 12; ++i) {  // for some turns nothing of what it published is met
    dead.say(local::WatchCoverage{kTopic});
  }
  for (std::uint64_t number = 1; number <= 20; ++number) {
    dead.publish(number);
  }
  b.gateway->detach_client(dead.id);
  RawClient successor(b, 3, "trainer", {2, 2});
  b.turn(100);
  EXPECT_EQ(successor.declared().publisher_before, (Incarnation{5, 5}));
  EXPECT_EQ(b.sum("t").front(), 20);
}

TEST(ClientPublish, AnEarlierProcessTakesNothingFromALaterOneOfItsName) {
  OneGateway b("b");
  RawClient first(b, 2, "trainer", {1, 1});
  b.turn();
  RawClient second(b, 3, "trainer", {2, 2});
  second.publish(1);
  b.turn();
  first.publish(1);
  second.publish(2);
  b.turn();
  EXPECT_TRUE(first.link.gateway_end().broken());
  EXPECT_EQ(second.answers(), (Answers{"safe 1", "safe 2"}));
  EXPECT_EQ(b.sum("t").front(), 2);
}

// The answer to a publish of `values`; its text is empty when it is no refusal.
local::Refused refusal_of(OneGateway& b, const std::vector<float>& values) {
  RawClient client(b, 2, "trainer", {1, 1});
  client.say(local::PublishBegin{.topic = kTopic, .number = 1, .count = values.size()});
  client.say(local::PublishData{.topic = kTopic, .number = 1, .values = values});
  client.say(local::PublishCommit{.topic = kTopic, .number = 1});
  b.turn();
  while (auto view = client.link.client_end().receive()) {
    const auto record = local::decode_gateway_record(*view);
    if (record && std::holds_alternative<local::Refused>(*record)) {
      return std::get<local::Refused>(*record);
    }
  }
  return {};
}

TEST(ClientPublish, RefusesAValueOutOfRangeWithTheRangeInTheTopicsUnits) {
  OneGateway b("b");  // of three sites; a quantum is 2^-40
  const local::Refused refused = refusal_of(b, {1.0F, 0x1.555554p20F, -0x1.555556p20F});
  EXPECT_EQ(refused.code, Code::kInvalid);
  EXPECT_EQ(refused.element, 2U);
  EXPECT_EQ(refused.text,
            "-1398101.375 is not finite, or beyond the topic's range of -1398101.3333333333 to "
            "1398101.3333333333");
}

// What a client of several shards refuses itself is what the gateway would have refused.
TEST(ClientPublish, AsksOfValuesWhatTheClientAsks) {
  for (std::uint32_t sites = 1; sites <= local::kSitesMax; ++sites) {
    ledger::Shape shape;
    shape.site_count = sites;
    const std::int64_t most = shape.magnitude_max();
    ASSERT_EQ(local::magnitude_max_of(sites), most) << sites;
    for (int bits = 0; bits <= static_cast<int>(local::kFractionBitsMax); ++bits) {
      const auto edge = static_cast<float>(std::ldexp(static_cast<double>(most), -bits));
      for (const float value :
           {std::nextafter(edge, 0.0F), edge, std::nextafter(edge, 2.0F * edge)}) {
        const std::vector<float> one = {value};
        std::vector<std::int64_t> quanta(1);
        const bool taken = codec::to_fixed(one, bits, most, quanta).ok();
        ASSERT_EQ(taken, !local::find_out_of_range(one, static_cast<std::uint32_t>(bits), most))
            << value << " with " << bits << " fraction bits at " << sites << " sites";
      }
    }
  }
}

}  // namespace
}  // namespace godwit::gateway

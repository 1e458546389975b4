#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/api/gateway/one_gateway.h"

namespace godwit::gateway {
namespace {

constexpr std::uint64_t kMillion = std::uint64_t{1} << 20U;
// P and R, lanes to the two other sites and one subscriber, what one publisher stages.
constexpr std::uint64_t kArraysAtLeast = 2 + 2 + 1 + 1;

// An unnamed client publishes once and leaves.
void publish_and_leave(OneGateway& b, std::uint64_t id) {
  local::MemoryLink link;
  const auto say = [&](const auto& record) { ASSERT_TRUE(local::send(link.client_end(), record)); };
  b.gateway->attach_client(id, link.gateway_end(), OneGateway::kRingBytes);
  say(local::Hello{.publisher = PublisherId(id), .incarnation = {1, 1}});
  say(local::Declare{.handle = local::TopicHandle{}, .topic = "t", .element_count = kMillion});
  say(local::PublishBegin{.topic = local::TopicHandle{}, .number = 1, .first = 0, .count = 1});
  const std::vector<std::int64_t> values = {1};
  say(local::PublishData{.topic = local::TopicHandle{}, .number = 1, .first = 0, .fixed = values});
  say(local::PublishCommit{.topic = local::TopicHandle{}, .number = 1});
  b.turn();
  b.gateway->detach_client(id);
  b.turn();
}

TEST(MemoryBudget, AnswersWhatTheTopicMayComeToUseWithAllItsPeers) {
  OneGateway b("b");
  b.declare("t", kMillion);
  EXPECT_GE(b.declared.memory_bound, kArraysAtLeast * 8 * kMillion);
  const std::uint64_t before = b.declared.memory_bound;
  ScriptedSession& a = b.greeted("a");
  a.control(OneGateway::announcement("t", kMillion));
  a.control(b.lane_open("t"));
  b.turn();
  ASSERT_TRUE(b.topic("t").peers().at(SiteId::of("a")).outgoing.has_value());
  EXPECT_EQ(b.topic("t").memory_bound(), before);
}

TEST(MemoryBudget, HoldsASmallTopicWhenItIsTheLeastThatAFileMaySay) {
  OneGateway b("b");
  b.config.memory = Bytes::mib(32);
  b.declare("t", 1);
  EXPECT_TRUE(b.knows("t")) << b.declared.error;
}

TEST(MemoryBudget, RefusesATopicThatDoesNotFitBesideWhatTheOthersMayUse) {
  OneGateway b("b");
  b.declare("first", kMillion);
  const std::uint64_t bound = b.declared.memory_bound;
  b.config.memory = Bytes((2 * bound) - 1);
  b.declare("second", kMillion);
  EXPECT_EQ(b.declared.code, Code::kFull);
  EXPECT_NE(b.declared.error.find("[self] memory"), std::string::npos) << b.declared.error;
  EXPECT_FALSE(b.knows("second"));
  b.config.memory = Bytes(2 * bound);
  b.declare("second", kMillion);
  EXPECT_TRUE(b.knows("second"));
  b.config.memory = Bytes(1);  // lowered since: what is open stays, nothing wraps round
  b.declare("third", 1);
  EXPECT_EQ(b.declared.code, Code::kFull);
  b.declare("first", kMillion);
  EXPECT_TRUE(b.declared.error.empty());
}

// A topic of four tiles in as many shards.
constexpr std::uint32_t kShards = 4;

local::Declare quarter(const std::string& topic, std::uint32_t shard) {
  return {.topic = topic,
          .element_count = kShards * kShardTileElements,
          .shards = kShards,
          .shard = shard};
}

std::uint64_t bound_of_quarter() {
  OneGateway b("b");
  b.declare(quarter("t", 0));
  return b.declared.memory_bound;
}

TEST(MemoryBudget, RefusesEveryShardOfATopicThatDoesNotFitAsAWhole) {
  const std::uint64_t bound = bound_of_quarter();
  OneGateway b("b");
  b.config.memory = Bytes((kShards * bound) - 1);
  for (std::uint32_t shard = 0; shard < kShards; ++shard) {
    b.declare(quarter("t", shard));
    EXPECT_EQ(b.declared.code, Code::kFull);
    EXPECT_NE(b.declared.error.find("topic t: may need " +
                                    std::to_string((kShards * bound + (1U << 20U) - 1) >> 20U) +
                                    " MiB and " + std::to_string((kShards * bound - 1) >> 20U) +
                                    " MiB of the gateway's memory"),
              std::string::npos)
        << b.declared.error;
  }
  EXPECT_TRUE(b.gateway->core().topics.empty());
  EXPECT_TRUE(b.store.descriptions()->empty());
  b.declare("t", kShardTileElements);  // smaller, under the same name
  EXPECT_TRUE(b.knows("t")) << b.declared.error;
}

TEST(MemoryBudget, KeepsTheRoomOfShardsThatAreYetToBeDeclared) {
  const std::uint64_t bound = bound_of_quarter();
  OneGateway b("b");
  b.config.memory = Bytes(2 * kShards * bound - 1);
  b.declare(quarter("t", 2));
  for (const bool restarted : {false, true}) {
    if (restarted) {
      b.open();
    }
    b.declare(quarter("u", 0));
    EXPECT_EQ(b.declared.code, Code::kFull) << "it would take room of t";
    b.declare(quarter("t", restarted ? 1 : 0));
    EXPECT_TRUE(b.declared.error.empty()) << b.declared.error;
  }
  b.declare(quarter("t", 3));
  EXPECT_TRUE(b.declared.error.empty()) << b.declared.error;
  b.config.memory = Bytes(2 * kShards * bound);
  for (std::uint32_t shard = 0; shard < kShards; ++shard) {
    b.declare(quarter("u", shard));
    EXPECT_TRUE(b.declared.error.empty()) << b.declared.error;
  }
}

TEST(MemoryBudget, CountsTheShardsOfItsOwnWorkerAgainstItsPart) {
  const std::uint64_t bound = bound_of_quarter();
  const std::string links =
      "[[links]]\nends = [\"a\", \"b\"]\nconnections = 2\n"
      "[[links]]\nends = [\"b\", \"c\"]\nconnections = 2\n";
  for (std::uint32_t worker = 0; worker < 2; ++worker) {
    OneGateway b("b", links, 2, worker);
    const std::uint32_t first = (worker + TopicId::of("t").value()) % 2;
    b.config.memory = Bytes(kShards * bound - 2);
    b.declare(quarter("t", first));
    EXPECT_EQ(b.declared.code, Code::kFull);
    EXPECT_NE(b.declared.error.find("worker " + std::to_string(worker) + "'s part of"),
              std::string::npos)
        << b.declared.error;
    b.config.memory = Bytes(kShards * bound);
    b.declare(quarter("t", first));
    EXPECT_TRUE(b.declared.error.empty()) << b.declared.error;
    b.declare(quarter("t", first + 2));
    EXPECT_TRUE(b.declared.error.empty()) << b.declared.error;
  }
}

TEST(MemoryBudget, DoesNotCountPublishersThatHaveGone) {
  OneGateway b("b");
  const auto handle = b.declare("t", kMillion);
  b.publish(handle, 0, {1});
  const std::uint64_t before = b.topic("t").memory_bound();
  for (std::uint64_t id = 2; id < 8; ++id) {
    publish_and_leave(b, id);
  }
  EXPECT_EQ(b.sum("t").front(), 7);
  EXPECT_EQ(b.topic("t").memory_bound(), before);
}

// Another client of the same gateway, with its own name.
struct Second {
  Second(OneGateway& gateway, std::uint64_t id) : b(gateway) {
    b.gateway->attach_client(id, link.gateway_end(), OneGateway::kRingBytes);
    say(local::Hello{.publisher = PublisherId(id), .incarnation = {1, 1}});
    say(local::Declare{.handle = local::TopicHandle{}, .topic = "t", .element_count = kMillion});
    b.turn();
  }
  template <class Record>
  void say(const Record& record) {
    ASSERT_TRUE(local::send(link.client_end(), record));
  }
  void subscribe() {
    say(local::Subscribe{
        .topic = local::TopicHandle{}, .subscriber = SubscriberId(1), .incarnation = {1, 1}});
    b.turn();
  }
  void publish() {
    const std::vector<std::int64_t> values = {1};
    say(local::PublishBegin{.topic = local::TopicHandle{}, .number = 1, .first = 0, .count = 1});
    say(local::PublishData{
        .topic = local::TopicHandle{}, .number = 1, .first = 0, .fixed = values});
    say(local::PublishCommit{.topic = local::TopicHandle{}, .number = 1});
    b.turn();
  }
  // The first answer of a kind.
  template <class Record>
  std::optional<Record> take() {
    while (auto view = link.client_end().receive()) {
      auto record = local::decode_gateway_record(*view);
      if (record && std::holds_alternative<Record>(*record)) {
        return std::get<Record>(*record);
      }
    }
    return std::nullopt;
  }

  OneGateway& b;
  local::MemoryLink link;
};

// They left while no gateway ran that could have seen it.
TEST(MemoryBudget, DoesNotCountUnnamedPublishersThatDoNotComeBackAfterARestart) {
  OneGateway b("b");
  b.publish(b.declare("t", kMillion), 0, {1});
  {
    std::vector<std::unique_ptr<Second>> publishers;
    for (std::uint64_t id = 2; id < 8; ++id) {
      publishers.push_back(std::make_unique<Second>(b, id));
      publishers.back()->publish();
    }
    EXPECT_EQ(b.sum("t").front(), 7);
    b.open();
  }
  const Second back(b, 2);  // it has not published again yet
  b.now = b.now + Duration::seconds(29);
  b.turn();
  const ledger::Ledger& ledger = b.topic("t").ledger();
  EXPECT_EQ(ledger.occupancy().inboxes, 7U) << "they may still come back";
  b.now = b.now + Duration::seconds(2);
  b.turn();
  EXPECT_EQ(ledger.occupancy().inboxes, 2U);
  EXPECT_TRUE(ledger.find_inbox(PublisherId::of("client"))) << "it has a name";
  EXPECT_TRUE(ledger.find_inbox(PublisherId(2))) << "it is there";
}

TEST(MemoryBudget, RefusesASubscriberWhoseLaneItDoesNotHold) {
  OneGateway b("b");
  b.declare("t", kMillion);
  b.config.memory = Bytes(b.topic("t").memory_bound());
  Second first(b, 8);
  first.subscribe();
  EXPECT_TRUE(first.take<local::Subscribed>().has_value()) << "its room is in what was declared";
  EXPECT_EQ(b.topic("t").memory_bound(), b.config.memory.count());
  Second second(b, 9);
  second.subscribe();
  const auto refused = second.take<local::Subscribed>();
  ASSERT_TRUE(refused.has_value());
  EXPECT_EQ(refused->code, Code::kFull);
  EXPECT_NE(refused->error.find("one more subscriber may need "), std::string::npos)
      << refused->error;
  EXPECT_NE(refused->error.find("raise [self] memory"), std::string::npos);
  EXPECT_EQ(b.topic("t").memory_bound(), b.config.memory.count());
  b.config.memory = Bytes(b.topic("t").memory_bound_with_subscriber());
  Second third(b, 10);
  third.subscribe();
  const auto taken = third.take<local::Subscribed>();
  ASSERT_TRUE(taken.has_value());
  EXPECT_EQ(taken->code, Code::kOk);
  EXPECT_LE(b.topic("t").memory_used(), b.config.memory.count());
  EXPECT_EQ(b.topic("t").memory_bound(), b.config.memory.count());
}

TEST(MemoryBudget, TakesASubscriberAgainThatItHasAlready) {
  OneGateway b("b");
  b.declare("t", kMillion);
  Second first(b, 8);
  first.subscribe();
  Second second(b, 9);
  second.subscribe();
  ASSERT_TRUE(second.take<local::Subscribed>().has_value());
  b.config.memory = Bytes::mib(1);
  b.open();  // a restart over a file that says less: what there is stays
  b.declare("t", kMillion);
  Second again(b, 9);
  again.subscribe();
  EXPECT_TRUE(again.take<local::Subscribed>().has_value());
  Second third(b, 10);
  third.subscribe();
  const auto refused = third.take<local::Subscribed>();
  ASSERT_TRUE(refused.has_value());
  EXPECT_EQ(refused->code, Code::kFull);
}

TEST(MemoryBudget, RefusesThePublishOfAPublisherThatItDoesNotHold) {
  OneGateway b("b");
  const auto handle = b.declare("t", kMillion);
  b.config.memory = Bytes(b.topic("t").memory_bound());
  b.publish(handle, 0, {1});
  Second second(b, 9);
  second.publish();
  const auto refused = second.take<local::Refused>();
  ASSERT_TRUE(refused.has_value());
  EXPECT_EQ(refused->code, Code::kFull);
  EXPECT_NE(refused->text.find("one more publisher may need 8 MiB and 0 MiB"), std::string::npos)
      << refused->text;
  EXPECT_EQ(b.sum("t").front(), 1);
  EXPECT_EQ(b.topic("t").refused.at(static_cast<std::size_t>(PublishRefusal::kNoMemory)), 1U);
  EXPECT_FALSE(second.link.client_end().broken()) << "it may go on, and publish when there is room";
  EXPECT_EQ(b.topic("t").memory_bound(), b.config.memory.count());
  b.publish(handle, 0, {1});
  EXPECT_EQ(b.sum("t").front(), 2) << "whoever is there already is not hurt";
  b.config.memory = Bytes(b.topic("t").memory_bound_with_publisher());
  Second third(b, 10);
  third.publish();
  EXPECT_EQ(b.sum("t").front(), 3);
  EXPECT_LE(b.topic("t").memory_used(), b.config.memory.count());
}

// What it was not answered is safe, whatever has become of the budget.
TEST(MemoryBudget, AnswersAPublisherAgainThatItHasClosed) {
  OneGateway b("b");
  b.publish(b.declare("t", kMillion), 0, {1});
  publish_and_leave(b, 9);
  ASSERT_FALSE(b.topic("t").ledger().find_inbox(PublisherId(9)));
  b.config.memory = Bytes(b.topic("t").memory_bound());
  Second again(b, 9);
  again.publish();
  EXPECT_TRUE(again.take<local::Safe>().has_value());
  EXPECT_EQ(b.sum("t").front(), 2);
}

}  // namespace
}  // namespace godwit::gateway

// A topic's files may be lost or removed alone: what is made in their place begins a new life.
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "api/gateway/coder.h"
#include "api/gateway/core.h"
#include "api/gateway/store.h"
#include "api/gateway/topic.h"
#include "tests/api/gateway/one_gateway.h"
#include "tests/support/temporary_folder.h"

namespace godwit::gateway {
namespace {

// The topics of one state directory, in one process after the other; the gateway's incarnation
// lies in a file of its own and stays.
class TopicFiles : public testing::Test {
 protected:
  struct Process {
    explicit Process(TopicFiles& files, std::uint64_t seed)
        : store(files.folder.path().string()),
          random(seed),
          core(files.config, store, {7, 70}, random, [] { return Instant(); }) {}

    Result<std::unique_ptr<Topic>> try_open(bool seed, std::uint64_t elements) {
      local::Declare declare;
      declare.topic = "t";
      declare.element_count = elements;
      declare.fraction_bits = 40;
      declare.has_seed = seed;
      declare.seed_hash = 9;
      const auto spec = make_spec(declare, core.config);
      return Topic::open(Instant(), *spec, core.config, store, core.new_life(), core.workspace);
    }
    std::unique_ptr<Topic> open(bool seed) {
      auto topic = try_open(seed, 4);
      EXPECT_TRUE(topic) << topic.error().message;
      return std::move(*topic);
    }
    std::unique_ptr<Topic> recover() {
      auto topic = Topic::recover(
          Instant(), store.descriptions()->front(), store, core.new_life(), core.workspace);
      EXPECT_TRUE(topic) << topic.error().message;
      return std::move(*topic);
    }

    FileStore store;
    Random random;
    Core core;
  };

  void publish(Topic& topic) {
    ledger::Ledger& ledger = topic.ledger();
    const auto inbox = ledger.open_inbox(PublisherId(1), {1, 1}).value();
    const std::vector<std::int64_t> values = {5};
    ASSERT_TRUE(ledger.begin_publish(inbox, {.number = 1, .step = 0, .first = 2, .count = 1}));
    ASSERT_TRUE(ledger.stage(inbox, 2, values));
    ASSERT_TRUE(ledger.commit_publish(inbox));
    ledger.merge_some(8);
  }
  // Makes the topic, publishes, and ends the process; the life of the topic's state.
  Incarnation first_life(bool seed = false) {
    Process process(*this, 1);
    const auto topic = process.open(seed);
    if (seed) {
      const std::vector<float> values(4, 1.0F);
      EXPECT_TRUE(topic->write_seed(process.store, 0, values));
      EXPECT_TRUE(topic->seed_complete());
    }
    publish(*topic);
    return topic->ledger().incarnation();
  }
  void remove(const std::string& ending) {
    ASSERT_TRUE(std::filesystem::remove(folder.path() / (name_ + ending)));
  }

  testing_support::TemporaryFolder folder;
  Config config = config_of("b");

 private:
  std::string name_ = fmt::format("{:016x}", TopicId::of("t").value());
};

TEST_F(TopicFiles, KeepTheirIncarnationWhileTheyAreThere) {
  const Incarnation life = first_life();
  EXPECT_EQ(life.counter, 7U);
  Process process(*this, 2);
  const auto topic = process.recover();
  EXPECT_TRUE(topic->ledger().recovered());
  EXPECT_EQ(topic->ledger().incarnation(), life);
}

TEST_F(TopicFiles, RemovedTogetherGiveTheTopicANewIncarnation) {
  const Incarnation life = first_life();
  remove(".sums");
  remove(".topic");
  Process process(*this, 2);
  EXPECT_TRUE(process.store.descriptions()->empty());
  const auto topic = process.open(false);
  EXPECT_FALSE(topic->ledger().recovered());
  EXPECT_EQ(topic->ledger().incarnation().counter, life.counter);
  EXPECT_NE(topic->ledger().incarnation(), life);
}

TEST_F(TopicFiles, WithoutTheSumsBeginAnewAndWantTheirSeedAgain) {
  const Incarnation life = first_life(true);
  remove(".sums");
  {
    Process process(*this, 2);
    const auto topic = process.recover();
    EXPECT_NE(topic->ledger().incarnation(), life);
    EXPECT_EQ(topic->ledger().last_publish().value(), 0U);
    EXPECT_FALSE(topic->seed_complete());
  }
  Process third(*this, 3);  // and what it says then is written
  EXPECT_FALSE(third.recover()->seed_complete());
}

TEST_F(TopicFiles, WithoutTheDescriptionKeepTheSums) {
  const Incarnation life = first_life();
  remove(".topic");
  Process process(*this, 2);
  const auto topic = process.open(false);
  EXPECT_EQ(topic->ledger().incarnation(), life);
  EXPECT_EQ(topic->ledger().last_publish().value(), 1U);
}

TEST_F(TopicFiles, OfARefusedDeclarationHoldNothingBack) {
  const Incarnation life = first_life();
  remove(".topic");
  {
    Process process(*this, 2);
    EXPECT_EQ(process.try_open(false, 5).error().code, Code::kInvalid)
        << "the sums have 4 elements";
    EXPECT_TRUE(process.store.descriptions()->empty()) << "the next start would trust it";
    const auto topic = process.try_open(false, 4);
    ASSERT_TRUE(topic) << topic.error().message;
    EXPECT_EQ((*topic)->ledger().incarnation(), life);
  }
  Process next(*this, 3);
  EXPECT_EQ(next.recover()->ledger().last_publish().value(), 1U);
}

}  // namespace
}  // namespace godwit::gateway

#include "api/gateway/control_outbox.h"

#include <map>

#include <gtest/gtest.h>

#include "tests/api/gateway/one_gateway.h"

namespace godwit::gateway {
namespace {

using control::ControlMessage;

constexpr BitRate kLink = BitRate::mbps(16);  // so control gets 20 bytes a millisecond

ControlMessage clock_of(std::uint64_t topic, std::uint64_t value) {
  ControlMessage message;
  message.mutable_clock()->set_topic(topic);
  message.mutable_clock()->set_clock(value);
  return message;
}

ControlMessage receipt_of(std::uint64_t topic, std::uint64_t frontier) {
  ControlMessage message;
  message.mutable_receipt()->set_topic(topic);
  message.mutable_receipt()->set_frontier(frontier);
  return message;
}

ControlMessage coverage_of(std::uint64_t topic, std::uint64_t covered) {
  ControlMessage message;
  message.mutable_coverage()->set_topic(topic);
  message.mutable_coverage()->set_covered_to(covered);
  return message;
}

std::uint64_t cost_of(const ControlMessage& message) {
  return message.ByteSizeLong() + ControlOutbox::kLengthBytes;
}

struct Line {
  Instant now = Instant::from_ns(0);
  ControlOutbox outbox{now, kLink};
  ScriptedSession session;
  std::uint64_t bytes = 0;  // of everything that `sent` returned, with lengths

  Line() { session.establish("a"); }
  std::vector<ControlMessage> sent() {
    outbox.flush(now, kLink, session);
    std::vector<ControlMessage> all;
    for (; !session.controls.empty(); session.controls.pop_front()) {
      all.emplace_back().ParseFromString(session.controls.front());
      bytes += cost_of(all.back());
    }
    return all;
  }
  // Uses the burst up, with messages of topics from 1000 on.
  void exhaust() {
    for (std::uint64_t topic = 1000; topic < 3000; ++topic) {
      outbox.push(clock_of(topic, 1));
    }
    sent();
    ASSERT_NE(outbox.ready_at(), Instant::never()) << "nothing is policed";
    outbox.clear();
  }
};

TEST(ControlOutbox, SendsABurstOf16KibAndThenOnePercentOfTheLink) {
  Line line;
  const std::uint64_t each = cost_of(clock_of(1, 1));
  for (std::uint64_t topic = 1; topic <= 4000; ++topic) {
    line.outbox.push(clock_of(topic, 1));
  }
  line.sent();
  EXPECT_LE(line.bytes, 16U * 1024);
  EXPECT_GT(line.bytes, 16U * 1024 - each);
  line.now += Duration::ms(500);
  line.sent();
  EXPECT_LE(line.bytes, 16U * 1024 + 10'000);
  EXPECT_GT(line.bytes, 16U * 1024 + 10'000 - each);
}

TEST(ControlOutbox, LetsTheNewestOfATopicTakeThePlaceOfTheOlder) {
  Line line;
  line.exhaust();
  line.outbox.push(receipt_of(1, 5));
  line.outbox.push(clock_of(1, 2));
  line.outbox.push(coverage_of(1, 7));
  line.outbox.push(receipt_of(2, 9));
  line.outbox.push(clock_of(1, 3));
  line.outbox.push(receipt_of(1, 6));
  line.outbox.push(coverage_of(1, 8));
  EXPECT_TRUE(line.sent().empty());
  EXPECT_EQ(line.outbox.waiting(), 4U);
  line.now += Duration::ms(100);
  const auto sent = line.sent();
  ASSERT_EQ(sent.size(), 4U);
  EXPECT_EQ(sent[0].receipt().frontier(), 6U);
  EXPECT_EQ(sent[1].clock().clock(), 3U);
  EXPECT_EQ(sent[2].coverage().covered_to(), 8U);
  EXPECT_EQ(sent[3].receipt().frontier(), 9U);
  line.outbox.push(clock_of(1, 4));  // a new one after the line was empty
  line.now += Duration::ms(10);
  EXPECT_EQ(line.sent().at(0).clock().clock(), 4U);
}

TEST(ControlOutbox, KeepsTheNewestOfEachShard) {
  Line line;
  ControlMessage receipt = receipt_of(1, 5);
  ControlMessage clock = clock_of(1, 2);
  ControlMessage coverage = coverage_of(1, 7);
  for (std::uint32_t shard = 0; shard < 2; ++shard) {
    receipt.mutable_receipt()->set_shard(shard);
    clock.mutable_clock()->set_shard(shard);
    coverage.mutable_coverage()->set_shard(shard);
    line.outbox.push(receipt);
    line.outbox.push(clock);
    line.outbox.push(coverage);
  }
  const auto sent = line.sent();
  ASSERT_EQ(sent.size(), 6U);
  EXPECT_EQ(sent[0].receipt().shard(), 0U);
  EXPECT_EQ(sent[3].receipt().shard(), 1U);
  EXPECT_EQ(sent[4].clock().shard(), 1U);
  EXPECT_EQ(sent[5].coverage().shard(), 1U);
}

TEST(ControlOutbox, OpensSessionsAndLanesWhateverWaits) {
  Line line;
  line.exhaust();
  line.outbox.push(clock_of(1, 1));
  const auto announcement = OneGateway::announcement("t", 10);
  for (int i = 0; i < 1000; ++i) {
    line.outbox.push(announcement);
  }
  const auto sent = line.sent();
  ASSERT_EQ(sent.size(), 1000U);
  EXPECT_EQ(sent[999].kind_case(), ControlMessage::kTopicAnnounce);
  EXPECT_EQ(line.outbox.waiting(), 1U);
}

ControlMessage refusal_of(std::uint64_t topic, std::size_t text_bytes) {
  ControlMessage message;
  message.mutable_refuse()->set_topic(topic);
  message.mutable_refuse()->set_text(std::string(text_bytes, 'x'));
  return message;
}

TEST(ControlOutbox, IsOverrunByAnswersThatNobodyReadsAndByNothingElse) {
  Line line;
  line.session.end(transport::CloseReason::kSilent, "it takes nothing any more");
  const auto announcement = OneGateway::announcement("t", 10);
  for (int i = 0; i < 200'000; ++i) {
    line.outbox.push(announcement);  // ours: as many as we have topics
  }
  EXPECT_FALSE(line.outbox.overrun());
  std::size_t answers = 0;
  for (; !line.outbox.overrun() && answers < 100'000; ++answers) {
    line.outbox.push(refusal_of(answers, 1000));
    line.sent();
  }
  EXPECT_TRUE(line.outbox.overrun());
  EXPECT_LE(answers, (std::size_t{8} << 20U) / 1000);
  EXPECT_GT(answers, (std::size_t{8} << 20U) / 1200);
  line.outbox.clear();
  EXPECT_FALSE(line.outbox.overrun());
}

TEST(ControlOutbox, IsNotOverrunByAnswersThatAreRead) {
  Line line;
  for (std::uint64_t i = 0; i < 20'000; ++i) {
    line.outbox.push(refusal_of(i, 1000));
    EXPECT_EQ(line.sent().size(), 1U);
  }
  EXPECT_FALSE(line.outbox.overrun());
}

TEST(ControlOutbox, SaysWhenTheNextMessageMayGo) {
  Line line;
  line.exhaust();
  line.outbox.push(clock_of(1, 1));
  line.sent();
  const Instant ready = line.outbox.ready_at();
  ASSERT_NE(ready, Instant::never());
  line.now = ready - Duration::ns(1);
  EXPECT_TRUE(line.sent().empty());
  EXPECT_EQ(line.outbox.ready_at(), ready);
  line.now = ready;
  EXPECT_EQ(line.sent().size(), 1U);
  EXPECT_EQ(line.outbox.ready_at(), Instant::never());
}

TEST(ControlOutbox, StarvesNoTopicHoweverOftenOthersSpeak) {
  Line line;
  constexpr std::uint64_t kTopics = 40;
  std::map<std::uint64_t, Instant> last;
  Duration longest = Duration::zero();
  const Instant end = line.now + Duration::seconds(5);
  for (std::uint64_t round = 1; line.now < end; ++round, line.now += Duration::ms(1)) {
    for (std::uint64_t topic = 1; topic <= kTopics; ++topic) {
      line.outbox.push(receipt_of(topic, round));
    }
    for (const auto& message : line.sent()) {
      Instant& before = last.try_emplace(message.receipt().topic(), Instant()).first->second;
      longest = std::max(longest, line.now - before);
      before = line.now;
    }
  }
  EXPECT_EQ(last.size(), kTopics);
  EXPECT_LE(line.bytes, 16U * 1024 + 5U * 20'000);
  EXPECT_GT(line.bytes, 5U * 20'000);
  // All topics once, at 20 bytes a millisecond; a receipt of the last rounds has 20 bytes or less.
  EXPECT_LE(longest, Duration::ms(kTopics + 2));
}

TEST(ControlOutbox, ForgetsWhatWasMeantForASessionThatIsOver) {
  Line line;
  line.exhaust();
  line.outbox.push(OneGateway::announcement("t", 10));
  line.outbox.push(clock_of(1, 1));
  line.outbox.clear();
  line.now += Duration::seconds(10);
  EXPECT_TRUE(line.sent().empty());
  line.outbox.push(clock_of(1, 2));
  EXPECT_EQ(line.sent().at(0).clock().clock(), 2U);
}

// Two sites at 64 kbit/s; the client of one ticks much more often than the link can tell.
TEST(ControlOutbox, AFastClockGetsItsShareOfASlowLinkAndArrives) {
  OneGateway b("b", "[[links]]\nends = [\"a\", \"b\"]\ncap = \"64kbit/s\"\n");
  const auto handle = b.declare("t", 10);
  ScriptedSession& a = b.greeted("a");
  a.control(OneGateway::announcement("t", 10));
  a.control(b.lane_open("t"));
  b.turn(1);
  a.controls.clear();
  std::uint64_t bytes = 0;
  std::uint64_t clock = 0;
  const auto hear = [&] {
    for (; !a.controls.empty(); a.controls.pop_front()) {
      ControlMessage message;
      message.ParseFromString(a.controls.front());
      bytes += cost_of(message);
      clock = std::max(clock, message.clock().clock());
    }
  };
  constexpr std::uint64_t kTicks = 5000;
  for (std::uint64_t tick = 1; tick <= kTicks; ++tick) {
    b.say(local::Tick{.topic = handle, .clock = tick});
    b.turn(1);  // 3 ms
    hear();
  }
  const double seconds = 0.003 * kTicks;
  EXPECT_LE(static_cast<double>(bytes), 16 * 1024 + 2000 * seconds);
  EXPECT_GT(clock, 0U);
  // Nobody says anything more; the gateway itself asks for the turn that sends the last one.
  const Instant quiet = b.now;
  for (int i = 0; i < 10 && clock < kTicks; ++i) {
    b.now = b.gateway->deadline();
    ASSERT_LT(b.now, Instant::never());
    b.gateway->on_turn(b.now);
    hear();
  }
  EXPECT_EQ(clock, kTicks);
  EXPECT_LE(b.now - quiet, Duration::ms(50));  // a clock is some 30 bytes, at 2 a millisecond
}

}  // namespace
}  // namespace godwit::gateway

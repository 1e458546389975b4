// A deadline from a client's record to the header of a transfer: what is left at every step.
#include "api/gateway/deadlines.h"

#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "dataplane/wire/transfer.h"
#include "tests/api/gateway/one_gateway.h"
#include "tests/support/instants.h"

namespace godwit::gateway {
namespace {

ledger::TileActivity merged(std::uint32_t tile, std::uint64_t through) {
  return {.tile = tile, .energy = 1, .max = 1, .last = ledger::PublishNumber(through)};
}

TEST(Deadlines, TakeTheEarlierOfThePublishsAndTheTopics) {
  const Deadlines none(at_ms(0), Duration::zero(), 1);
  EXPECT_EQ(none.due(at_ms(5), Duration::zero()), Instant::never());
  EXPECT_EQ(none.due(at_ms(5), Duration::ms(20)), at_ms(25));
  const Deadlines topic(at_ms(0), Duration::ms(100), 1);
  EXPECT_EQ(topic.due(at_ms(5), Duration::zero()), at_ms(105));
  EXPECT_EQ(topic.due(at_ms(5), Duration::ms(20)), at_ms(25));
  EXPECT_EQ(topic.due(at_ms(5), Duration::ms(200)), at_ms(105));
}

TEST(Deadlines, GiveATileTheEarliestOfThePublishesThatAreMergedInIt) {
  Deadlines deadlines(at_ms(0), Duration::zero(), 10);
  deadlines.on_commit(
      {.number = ledger::PublishNumber(1), .first_tile = 0, .last_tile = 4, .due = at_ms(90)});
  deadlines.on_commit(
      {.number = ledger::PublishNumber(2), .first_tile = 3, .last_tile = 3, .due = at_ms(40)});
  EXPECT_EQ(deadlines.on_merged(at_ms(1), merged(1, 1)), at_ms(90));
  EXPECT_EQ(deadlines.on_merged(at_ms(1), merged(3, 1)), at_ms(90)) << "2 is not in it yet";
  EXPECT_EQ(deadlines.on_merged(at_ms(2), merged(3, 2)), at_ms(40));
  EXPECT_EQ(deadlines.on_merged(at_ms(2), merged(9, 2)), Instant::never());
  EXPECT_EQ(deadlines.of_tile(3), at_ms(40));
  deadlines.end_round(ledger::PublishNumber(2));
  EXPECT_EQ(deadlines.on_merged(at_ms(3), merged(3, 3)), Instant::never());
}

TEST(Deadlines, ForgetAPublishWhereItHasPassedAlready) {
  Deadlines deadlines(at_ms(0), Duration::zero(), 10);
  deadlines.on_commit(
      {.number = ledger::PublishNumber(1), .first_tile = 0, .last_tile = 9, .due = at_ms(10)});
  EXPECT_EQ(deadlines.on_merged(at_ms(1), merged(5, 1)), at_ms(10));
  deadlines.end_round(ledger::PublishNumber(0));
  deadlines.on_commit(
      {.number = ledger::PublishNumber(2), .first_tile = 2, .last_tile = 2, .due = at_ms(70)});
  EXPECT_EQ(deadlines.on_merged(at_ms(20), merged(2, 2)), at_ms(70)) << "1 was told there before";
  EXPECT_EQ(deadlines.on_merged(at_ms(20), merged(5, 2)), at_ms(10)) << "1 may go on there";
}

TEST(Deadlines, HoldInEveryTileOfARoundInWhateverOrderTheyCome) {
  Deadlines deadlines(at_ms(0), Duration::zero(), 3);
  deadlines.on_commit(
      {.number = ledger::PublishNumber(2), .first_tile = 0, .last_tile = 2, .due = at_ms(50)});
  EXPECT_EQ(deadlines.on_merged(at_ms(1), merged(1, 2)), at_ms(50))
      << "another one touched it first";
  EXPECT_EQ(deadlines.on_merged(at_ms(1), merged(0, 2)), at_ms(50));
  EXPECT_EQ(deadlines.on_merged(at_ms(1), merged(2, 2)), at_ms(50));
}

TEST(Deadlines, CountWhatAnEarlierProcessTookFromTheStart) {
  Deadlines deadlines(at_ms(50), Duration::ms(100), 3);
  deadlines.on_recovered(std::uint32_t{1});
  EXPECT_EQ(deadlines.of_tile(0), Instant::never());
  EXPECT_EQ(deadlines.of_tile(1), at_ms(150));
  deadlines.on_recovered(ledger::PublishNumber(8));
  EXPECT_EQ(deadlines.on_merged(at_ms(60), merged(2, 8)), at_ms(150));
}

// --- through a gateway ---------------------------------------------------------------------------

std::string policy(const std::string& topic, const std::string& rest) {
  return fmt::format("[[policies]]\nmatch = \"{}\"\n{}\n", topic, rest);
}

// b with a lane to a on each topic; nothing leaves before `open`.
struct Sender {
  OneGateway b;
  ScriptedSession* a = nullptr;
  std::vector<std::string> topics;
  std::vector<local::TopicHandle> handles;

  explicit Sender(std::vector<std::string> names, const std::string& config = "")
      : b("b", config), topics(std::move(names)) {
    for (const std::string& name : topics) {
      handles.push_back(b.declare(name, 10));
    }
    agree();
  }
  // A new session on which both have the topics.
  void agree() {
    a = &b.greeted("a");
    for (const std::string& name : topics) {
      a->control(OneGateway::announcement(name, 10));
      a->control(b.lane_open(name));
    }
    b.turn(1);
  }
  void open(std::uint64_t frontier = 0) {
    for (const std::string& name : topics) {
      a->control(b.lane_accept(name, frontier));
    }
    b.turn(1);
  }
  void cut() {
    a->end(transport::CloseReason::kSilent, "cut");
    b.turn(1);
  }
  // The headers of what was sent, in order; the session wants as much again.
  std::vector<wire::TransferHeader> take() {
    std::vector<wire::TransferHeader> headers;
    for (; !a->transfers.empty(); a->transfers.pop_front()) {
      headers.push_back(*wire::parse_header(as_bytes(a->transfers.front())));
    }
    return headers;
  }
  std::vector<std::string> order() {
    std::vector<std::string> names;
    for (const auto& header : take()) {
      for (const std::string& name : topics) {
        names.insert(names.end(), TopicId::of(name) == header.topic ? 1U : 0U, name);
      }
    }
    return names;
  }
};

// Of one publish that brings `own`, sent 30 ms after it was taken.
std::uint32_t left_after_30_ms(const std::string& topic_deadline, Duration own) {
  const std::string rest =
      topic_deadline.empty() ? "" : fmt::format("deadline = \"{}\"", topic_deadline);
  Sender sender({"t"}, policy("t", rest));
  sender.b.publish(sender.handles[0], 0, {5, -6}, own);
  sender.b.turn(9);
  sender.open();
  const auto sent = sender.take();
  EXPECT_EQ(sent.size(), 1U);
  return sent.at(0).remaining_deadline_ms;
}

TEST(Deadlines, AreInTheHeaderAsWhatIsLeft) {
  EXPECT_EQ(left_after_30_ms("500ms", Duration::zero()), 470U) << "the topic's";
  EXPECT_EQ(left_after_30_ms("500ms", Duration::ms(200)), 170U) << "the publish's own";
  EXPECT_EQ(left_after_30_ms("500ms", Duration::ms(900)), 470U) << "the topic's is tighter";
  EXPECT_EQ(left_after_30_ms("", Duration::ms(200)), 170U);
  EXPECT_EQ(left_after_30_ms("", Duration::zero()), wire::kNoDeadline);
  EXPECT_EQ(left_after_30_ms("20ms", Duration::zero()), 0U) << "it has passed";
  EXPECT_EQ(left_after_30_ms("", Duration::ns(1)), 0U) << "it had passed at the door";
  EXPECT_EQ(left_after_30_ms("", local::kLongestDeadline), wire::kNoDeadline - 1);
}

TEST(Deadlines, OfAMergedBlockAreTheEarliest) {
  for (const bool tight_first : {true, false}) {
    Sender sender({"t"}, policy("t", "deadline = \"500ms\""));
    sender.b.publish(sender.handles[0], 0, {5}, Duration::ms(tight_first ? 103 : 400));
    sender.b.publish(sender.handles[0], 0, {7}, Duration::ms(tight_first ? 400 : 100));
    sender.open();
    const auto sent = sender.take();
    ASSERT_EQ(sent.size(), 1U);
    EXPECT_EQ(sent[0].remaining_deadline_ms, 97U) << "one turn after the second publish";
  }
}

TEST(Deadlines, AreOverOnceTheChangeWasSent) {
  Sender sender({"t"});
  sender.open();
  sender.b.publish(sender.handles[0], 0, {5}, Duration::ms(50));
  sender.b.turn(1);
  sender.b.publish(sender.handles[0], 0, {7});
  sender.b.turn(1);
  const auto sent = sender.take();
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_LE(sent[0].remaining_deadline_ms, 50U);
  EXPECT_EQ(sent[1].remaining_deadline_ms, wire::kNoDeadline);
}

// Which topic goes first when 190 ms are left for a small change and a large one has no deadline.
std::string first_over(const std::string& rtt, Duration measured) {
  Sender sender(
      {"large", "small"},
      fmt::format("[[links]]\nends = [\"a\", \"b\"]\ncap = \"100Mbit/s\"\nrtt = \"{}\"\n", rtt));
  sender.a->figures.rtt_smoothed = measured;
  sender.b.publish(sender.handles[0], 0, {1'000'000});
  sender.b.publish(sender.handles[1], 0, {1}, Duration::ms(190));
  sender.open();
  return sender.order().at(0);
}

TEST(Deadlines, ReckonWithHalfOfTheRoundTrip) {
  EXPECT_EQ(first_over("10ms", Duration::zero()), "large") << "configured, none measured";
  EXPECT_EQ(first_over("400ms", Duration::zero()), "small") << "configured, none measured";
  EXPECT_EQ(first_over("400ms", Duration::ms(10)), "large") << "measured";
  EXPECT_EQ(first_over("10ms", Duration::ms(400)), "small") << "measured";
}

TEST(Deadlines, GoOnWhileThereIsNoSession) {
  Sender sender({"t"}, policy("t", "deadline = \"5s\""));
  sender.open();
  sender.cut();
  sender.b.publish(sender.handles[0], 0, {5}, Duration::ms(900));
  const Instant taken = sender.b.now;
  sender.b.turn(50);
  sender.agree();
  sender.open();
  const auto sent = sender.take();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].remaining_deadline_ms, 900 - (sender.b.now - taken).count_ms());
}

TEST(Deadlines, BeginWhenTheGatewayStartsAgain) {
  Sender sender({"t"}, policy("t", "deadline = \"500ms\""));
  sender.b.publish(sender.handles[0], 0, {5}, Duration::ms(100));
  sender.b.turn(100);
  const Instant started = sender.b.now;
  sender.b.open();
  sender.agree();
  sender.open();
  const auto sent = sender.take();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].remaining_deadline_ms, 500 - (sender.b.now - started).count_ms());
}

TEST(Deadlines, OfALaneThatBeginsLaterAreThoseOfTheChanges) {
  OneGateway b("b", policy("t", "deadline = \"500ms\""));
  const auto handle = b.declare("t", 10);
  b.publish(handle, 0, {5});
  const Instant taken = b.now;
  b.turn(20);
  ScriptedSession& a = b.greeted("a");
  a.control(OneGateway::announcement("t", 10));
  a.control(b.lane_open("t"));
  a.control(b.lane_accept("t"));
  b.turn(1);
  ASSERT_EQ(a.transfers.size(), 1U);
  EXPECT_EQ(wire::parse_header(as_bytes(a.transfers.front()))->remaining_deadline_ms,
            500 - (b.now - taken).count_ms());
}

// Three classes, and two topics of one class.
const std::vector<std::string> kTopics = {"bulk", "late", "soon", "urgent"};
const std::string kClasses =
    policy("bulk", "class = \"bulk\"") + policy("urgent", "class = \"urgent\"");

TEST(Deadlines, OrderWhatIsSentAgainWithinItsClass) {
  Sender sender(kTopics, kClasses);
  sender.open();
  const Duration none = Duration::zero();
  for (std::size_t i = 0; i < kTopics.size(); ++i) {
    const Duration own = kTopics[i] == "soon"   ? Duration::ms(300)
                         : kTopics[i] == "late" ? Duration::ms(900)
                                                : none;
    sender.b.publish(sender.handles[i], 0, {5}, own);
  }
  ASSERT_EQ(sender.order().size(), 4U);
  sender.cut();
  sender.agree();
  sender.open();
  EXPECT_EQ(sender.order(), (std::vector<std::string>{"urgent", "soon", "late", "bulk"}));
  EXPECT_EQ(sender.b.peer("a").counters.transfers_resent, 4U);
}

TEST(Bulk, WaitsWhileItsLinkYieldsAndNothingElseDoes) {
  Sender sender(kTopics, kClasses);
  sender.open();
  sender.a->bulk_ready = sender.b.now + Duration::ms(40);
  sender.b.publish(sender.handles[0], 0, {5});
  sender.b.publish(sender.handles[1], 0, {5});
  sender.b.turn(1);
  EXPECT_EQ(sender.order(), std::vector<std::string>{"late"});
  EXPECT_LE(sender.b.gateway->deadline(), sender.a->bulk_ready) << "it is woken then";
  sender.b.turn(20);
  EXPECT_EQ(sender.order(), std::vector<std::string>{"bulk"});
  // The same of what is sent again.
  sender.cut();
  sender.agree();
  sender.a->bulk_ready = sender.b.now + Duration::ms(40);
  sender.open();
  EXPECT_EQ(sender.order(), std::vector<std::string>{"late"});
  sender.b.turn(20);
  EXPECT_EQ(sender.order(), std::vector<std::string>{"bulk"});
}

TEST(Deadlines, LetWhatIsMoreUrgentGoBeforeWhatIsSentAgain) {
  Sender sender(kTopics, kClasses);
  sender.open();
  sender.b.publish(sender.handles[0], 0, {5});
  sender.b.publish(sender.handles[1], 0, {5});
  ASSERT_EQ(sender.order().size(), 2U);
  sender.cut();
  sender.b.publish(sender.handles[0], 0, {6});                     // bulk, after the old one
  sender.b.publish(sender.handles[2], 0, {6}, Duration::ms(250));  // soon, before late
  sender.b.publish(sender.handles[3], 0, {6});                     // urgent, before all
  sender.b.turn(74);  // soon is not due at once, but within reach when the session is up
  sender.agree();
  sender.open();
  std::vector<std::string> order = sender.order();
  sender.b.turn(2);
  for (const std::string& name : sender.order()) {
    order.push_back(name);
  }
  EXPECT_EQ(order, (std::vector<std::string>{"urgent", "soon", "late", "bulk", "bulk"}));
}

}  // namespace
}  // namespace godwit::gateway

// A captured exchange of version 1, replayed against the present code for ever.
//
// tests/data/wire-v1/exchange.txt holds what gateways a and b said when the version was fixed, a
// line per message: "a control HEX", "a transfer HEX", "b control HEX". It is never made again; for
// a later version `GODWIT_RECORD_EXCHANGE=FILE` writes what this test's two gateways say now.
#include <cstdlib>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "dataplane/wire/transfer.h"
#include "tests/api/gateway/one_gateway.h"
#include "tests/support/hex.h"

namespace godwit::gateway {
namespace {

using control::ControlMessage;

constexpr const char* kTopic = "wire/v1";
constexpr std::uint64_t kThreeTiles = 70'000;  // three tiles, the last one short

struct Said {
  std::string by;    // a or b
  std::string kind;  // control or transfer
  std::string bytes;
};

std::string text_of(const std::vector<std::byte>& bytes) {
  std::string out;
  for (const std::byte b : bytes) {
    out += static_cast<char>(b);
  }
  return out;
}

std::vector<Said> captured() {
  std::ifstream in("tests/data/wire-v1/exchange.txt");
  std::vector<Said> all;
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string hex;
    Said one;
    words >> one.by >> one.kind >> hex;
    one.bytes = text_of(testing_support::from_hex(hex));
    all.push_back(std::move(one));
  }
  return all;
}

// What each site publishes; any two of a, b and position give another integer.
std::int64_t value(char site, std::uint64_t i) {
  const auto scale = static_cast<std::int64_t>(i % 7 == 0 ? 1'000'003 : 17);
  return (static_cast<std::int64_t>((i * 2'654'435'761U) % 1999) - 999) * scale + (site - 'a');
}

struct Range {
  char site;
  std::uint64_t first;
  std::uint64_t count;
};
// Dense, over the border of two tiles, and the very last element.
constexpr Range kPublishes[] = {
    {'a', 0, 500}, {'a', 32'700, 150}, {'a', 69'999, 1}, {'b', 100, 60}, {'b', 40'000, 30}};

std::vector<std::int64_t> values_of(const Range& range) {
  std::vector<std::int64_t> out;
  for (std::uint64_t i = 0; i < range.count; ++i) {
    out.push_back(value(range.site, range.first + i));
  }
  return out;
}

std::vector<std::int64_t> expected_sum() {
  std::vector<std::int64_t> sum(kThreeTiles);
  for (const Range& range : kPublishes) {
    for (std::uint64_t i = 0; i < range.count; ++i) {
      sum[range.first + i] += value(range.site, range.first + i);
    }
  }
  return sum;
}

// What was captured is of topics whose states had the incarnation of their gateway.
local::TopicHandle declare_as_captured(OneGateway& gateway) {
  const auto spec = make_spec({.topic = kTopic, .element_count = kThreeTiles}, gateway.config);
  const auto made = Topic::open(gateway.now,
                                *spec,
                                gateway.config,
                                gateway.store,
                                gateway.incarnation,
                                gateway.gateway->core().workspace);
  GODWIT_ASSERT(made.has_value(), "the topic's state is made");
  gateway.open();  // finds it
  return gateway.declare(kTopic, kThreeTiles);
}

void publish_own(OneGateway& gateway, local::TopicHandle handle) {
  for (const Range& range : kPublishes) {
    if (gateway.config.site[0] == range.site) {
      gateway.publish(handle, range.first, values_of(range));
    }
  }
  gateway.say(local::Tick{.topic = handle, .clock = 3});
  gateway.turn(1);
}

// Two gateways of the present code; what they say to each other, in order.
std::vector<Said> exchange() {
  OneGateway a("a");
  OneGateway b("b");
  publish_own(a, declare_as_captured(a));
  publish_own(b, declare_as_captured(b));
  ScriptedSession& at_a = a.established("b");
  ScriptedSession& at_b = b.established("a");
  std::vector<Said> all;
  const auto move = [&all](const char* by, ScriptedSession& from, ScriptedSession& to) {
    for (; !from.controls.empty(); from.controls.pop_front()) {
      all.push_back({by, "control", from.controls.front()});
      to.control(from.controls.front());
    }
    for (; !from.transfers.empty(); from.transfers.pop_front()) {
      all.push_back({by, "transfer", from.transfers.front()});
      to.transfer(from.transfers.front());
    }
  };
  for (int i = 0; i < 60; ++i) {
    move("a", at_a, at_b);
    b.turn(2);
    move("b", at_b, at_a);
    a.turn(2);
  }
  EXPECT_EQ(a.sum(kTopic), expected_sum());
  EXPECT_EQ(b.sum(kTopic), expected_sum());
  return all;
}

// The last message of a kind that a site said.
ControlMessage last(const std::vector<Said>& all,
                    const std::string& by,
                    ControlMessage::KindCase kind) {
  ControlMessage found;
  for (const Said& said : all) {
    ControlMessage message;
    if (said.by == by && said.kind == "control" && message.ParseFromString(said.bytes) &&
        message.kind_case() == kind) {
      found = message;
    }
  }
  return found;
}

void hear(ScriptedSession& session, const Said& said) {
  if (said.kind == "control") {
    session.control(said.bytes);
  } else {
    session.transfer(said.bytes);
  }
}

// Lets the present gateway of `self` hear the captured other one.
void replay(OneGateway& self, const std::string& other) {
  publish_own(self, declare_as_captured(self));
  ScriptedSession& session = self.established(other);
  for (const Said& said : captured()) {
    if (said.by != other) {
      self.turn(2);
      continue;
    }
    hear(session, said);
    self.turn(1);
  }
  self.turn();
  EXPECT_FALSE(session.closed) << session.close_reason;
}

TEST(WireV1, IsRecordedWhenAsked) {
  const std::vector<Said> now = exchange();
  EXPECT_FALSE(now.empty());
  if (const char* path = std::getenv("GODWIT_RECORD_EXCHANGE")) {
    std::ofstream out(path);
    for (const Said& said : now) {
      out << said.by << ' ' << said.kind << ' ' << testing_support::to_hex(as_bytes(said.bytes))
          << '\n';
    }
  }
}

TEST(WireV1, TheCapturedSenderAddsTheSameIntegersToday) {
  OneGateway b("b");
  replay(b, "a");
  EXPECT_EQ(b.sum(kTopic), expected_sum());
  OneGateway a("a");
  replay(a, "b");
  EXPECT_EQ(a.sum(kTopic), expected_sum());
}

// It names no capability, so it can what version 1 began with.
TEST(WireV1, TheCapturedGreetingStillStandsForBothCodecsAndTheLargestTransfer) {
  OneGateway b("b");
  replay(b, "a");
  const Capabilities& a = b.peer("a").capabilities;
  EXPECT_TRUE(a.names().empty());
  EXPECT_TRUE(a.decodes(codec::Id::kBpc));
  EXPECT_EQ(a.transfer_bytes_max(), wire::kTransferBytesMax);
}

TEST(WireV1, ARepeatedCaptureAddsNothing) {
  OneGateway b("b");
  replay(b, "a");
  ScriptedSession& again = b.established("a");
  for (const Said& said : captured()) {
    if (said.by == "a" && said.kind == "control") {
      again.control(said.bytes);
      b.turn(1);
    }
  }
  for (const Said& said : captured()) {
    if (said.by == "a" && said.kind == "transfer") {
      again.transfer(said.bytes);
    }
  }
  b.turn();
  EXPECT_FALSE(again.closed) << again.close_reason;
  EXPECT_EQ(b.sum(kTopic), expected_sum());
  EXPECT_GT(b.peer("a").counters.transfers_duplicate, 0U);
}

TEST(WireV1, TheCapturedReceiptsAreThoseOfTheSameIntegers) {
  // Today's receiver ends with the receipt that the captured receiver gave.
  OneGateway b("b");
  publish_own(b, declare_as_captured(b));
  ScriptedSession& session = b.established("a");
  control::Receipt today;
  for (const Said& said : captured()) {
    if (said.by == "a") {
      hear(session, said);
    }
    b.turn(2);
    const ControlMessage message = session.take(ControlMessage::kReceipt);
    today = message.has_receipt() ? message.receipt() : today;
  }
  const auto then = last(captured(), "b", ControlMessage::kReceipt).receipt();
  EXPECT_GT(then.frontier(), 0U);
  EXPECT_EQ(today.frontier(), then.frontier());
  EXPECT_EQ(today.checksum(), then.checksum());
  EXPECT_EQ(today.to_incarnation(), then.to_incarnation());
  EXPECT_EQ(today.from_incarnation(), then.from_incarnation());
}

TEST(WireV1, TodaysMessagesHaveTheCapturedFields) {
  const std::vector<Said> now = exchange();
  const std::vector<Said> then = captured();
  for (const char* by : {"a", "b"}) {
    const control::Hello hello = last(now, by, ControlMessage::kHello).hello();
    const control::Hello old_hello = last(then, by, ControlMessage::kHello).hello();
    EXPECT_LE(hello.version_min(), 1U);
    EXPECT_GE(hello.version_max(), 1U);
    EXPECT_EQ(hello.site(), old_hello.site());
    EXPECT_EQ(hello.gateway_id(), old_hello.gateway_id());
    EXPECT_EQ(hello.incarnation(), old_hello.incarnation());
    for (const auto kind : {ControlMessage::kTopicAnnounce,
                            ControlMessage::kLaneOpen,
                            ControlMessage::kLaneAccept,
                            ControlMessage::kClock}) {
      EXPECT_EQ(last(now, by, kind).SerializeAsString(), last(then, by, kind).SerializeAsString())
          << by << " " << kind;
    }
  }
}

TEST(WireV1, TheCapturedTransfersNameTheirEndsAndOrigin) {
  std::uint64_t k = 0;
  for (const Said& said : captured()) {
    if (said.by != "a" || said.kind != "transfer") {
      continue;
    }
    const auto view = wire::parse_transfer(as_bytes(said.bytes), 3);
    ASSERT_TRUE(view.has_value()) << view.error().message;
    EXPECT_EQ(view->header().k, ++k);
    EXPECT_EQ(view->header().topic, TopicId::of(kTopic));
    EXPECT_EQ(view->header().from, SiteId::of("a"));
    EXPECT_EQ(view->header().to, SiteId::of("b").value());
    EXPECT_EQ(view->header().remaining_deadline_ms, wire::kNoDeadline);
    ASSERT_EQ(view->header().origin_count, 1U);
    EXPECT_EQ(view->header().origins[0], SiteId::of("a"));
  }
  EXPECT_GT(k, 0U);
}

}  // namespace
}  // namespace godwit::gateway

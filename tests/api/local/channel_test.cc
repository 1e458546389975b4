#include "api/local/channel.h"

#include <cstring>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "api/local/memory_channel.h"
#include "dataplane/base/bytes.h"

namespace godwit::local {
namespace {

TEST(Channel, ArmsTheDoorbellWhenItFindsNothingAndRingsItOnce) {
  int gateway_rung = 0;
  MemoryLink link({.wake_gateway = [&] { ++gateway_rung; }});
  EXPECT_FALSE(link.gateway_end().receive());
  EXPECT_TRUE(link.client_end().send(1, as_bytes("one")));
  EXPECT_TRUE(link.client_end().send(1, as_bytes("two")));
  EXPECT_EQ(gateway_rung, 1);
  ASSERT_TRUE(link.gateway_end().receive());
  ASSERT_TRUE(link.gateway_end().receive());
  EXPECT_FALSE(link.gateway_end().receive());
  EXPECT_TRUE(link.client_end().send(1, as_bytes("three")));
  EXPECT_EQ(gateway_rung, 2);
}

TEST(Channel, TellsARefusedSenderWhenHalfOfTheRingIsFree) {
  int client_rung = 0;
  MemoryLink link({.to_gateway_bytes = 1024, .wake_client = [&] { ++client_rung; }});
  const std::vector<std::byte> body(120);
  while (link.client_end().send(1, body)) {
  }
  EXPECT_EQ(client_rung, 0);
  while (link.gateway_end().receive()) {
  }
  EXPECT_EQ(client_rung, 1);
  EXPECT_TRUE(link.client_end().send(1, body));
}

TEST(Channel, HandsTheGatewayACopyThatTheClientCannotChange) {
  MemoryLink link;
  ASSERT_TRUE(link.client_end().send(1, as_bytes("checked")));
  const auto record = link.gateway_end().receive();
  ASSERT_TRUE(record);
  const RingMemory shared = link.to_gateway_memory();
  std::memset(shared.bytes.data(), 0xee, shared.bytes.size());
  EXPECT_EQ(as_text(record->body), "checked");
}

TEST(Channel, HandsTheClientTheRecordInPlace) {
  MemoryLink link;
  ASSERT_TRUE(link.gateway_end().send(64, as_bytes("in place")));
  const auto record = link.client_end().receive();
  ASSERT_TRUE(record);
  const RingMemory shared = link.to_client_memory();
  EXPECT_GE(record->body.data(), shared.bytes.data());
  EXPECT_LT(record->body.data(), shared.bytes.data() + shared.bytes.size());
  EXPECT_EQ(as_text(record->body), "in place");
}

TEST(Channel, StopsForEverWithAReasonOnceItIsBroken) {
  MemoryLink link;
  link.to_gateway_memory().control->head = 4;
  EXPECT_FALSE(link.gateway_end().receive());
  EXPECT_TRUE(link.gateway_end().broken());
  EXPECT_EQ(link.gateway_end().broken_reason(), "ring: position not a multiple of 8");
  EXPECT_FALSE(link.gateway_end().receive());
  EXPECT_TRUE(link.gateway_end().send(64, as_bytes("the peer is told")));
  EXPECT_EQ(as_text(link.client_end().receive()->body), "the peer is told");
  link.gateway_end().break_with("too late to name another reason");
  EXPECT_EQ(link.gateway_end().broken_reason(), "ring: position not a multiple of 8");
  link.client_end().break_with("a record that makes no sense");
  EXPECT_EQ(link.client_end().broken_reason(), "a record that makes no sense");
  EXPECT_FALSE(link.client_end().send(1, as_bytes("x")));
}

TEST(Channel, KeepsTheRecordsOfAClientThatIsGone) {
  MemoryLink link;
  {
    Channel& client = link.client_end();
    for (int i = 0; i < 3; ++i) {
      ASSERT_TRUE(client.send(1, as_bytes("left behind")));
    }
  }
  int drained = 0;
  while (link.gateway_end().receive()) {
    ++drained;
  }
  EXPECT_EQ(drained, 3);
}

}  // namespace
}  // namespace godwit::local

// What a gateway sends to a peer that can less than itself.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "dataplane/wire/transfer.h"
#include "tests/api/gateway/one_gateway.h"

namespace godwit::gateway {
namespace {

using control::ControlMessage;

// What b sends of a publish to a peer that says that it can so much.
std::vector<std::string> sent_to(const std::vector<std::string>& capabilities,
                                 const std::vector<std::int64_t>& values,
                                 BitRate rate = BitRate::mbps(100)) {
  OneGateway b("b");
  const auto handle = b.declare("t", values.size());
  ScriptedSession& a = b.established("a");
  a.figures.rate = rate;
  ControlMessage hello = OneGateway::hello("a");
  for (const std::string& name : capabilities) {
    hello.mutable_hello()->add_capabilities(name);
  }
  a.control(hello);
  a.control(OneGateway::announcement("t", values.size()));
  a.control(b.lane_open("t"));
  b.turn(1);
  a.control(b.lane_accept("t"));
  b.publish(handle, 0, values);
  std::vector<std::string> sent;
  for (int i = 0; i < 1000; ++i) {
    b.turn(1);
    for (; !a.transfers.empty(); a.transfers.pop_front()) {
      sent.push_back(a.transfers.front());
    }
  }
  EXPECT_FALSE(a.closed) << a.close_reason;
  return sent;
}

// Pseudo-random integers of magnitude below `limit`.
std::vector<std::int64_t> noise(std::size_t count, std::int64_t limit) {
  Random random(7);
  std::vector<std::int64_t> values(count);
  for (std::int64_t& value : values) {
    value = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(2 * limit - 1))) -
            (limit - 1);
  }
  return values;
}

// Adds what the transfers carry, by a decoder of `codecs` alone.
std::vector<std::int64_t> added(const std::vector<std::string>& transfers,
                                std::size_t elements,
                                const std::vector<std::uint8_t>& codecs) {
  Coder coder([] { return Instant(); });
  std::vector<std::int64_t> sum(elements);
  std::vector<std::int64_t> tile(ledger::kTileElements);
  for (const std::string& bytes : transfers) {
    const auto view = wire::parse_transfer(as_bytes(bytes), 1);
    EXPECT_TRUE(view.has_value());
    for (const wire::TilePart part : *view) {
      EXPECT_NE(std::find(codecs.begin(), codecs.end(), part.codec), codecs.end());
      EXPECT_TRUE(coder.decode(part.codec, part.coded, tile));
      std::transform(sum.begin(), sum.end(), tile.begin(), sum.begin(), std::plus<>());
    }
  }
  return sum;
}

TEST(Exchange, SendsRawAloneToAPeerThatDecodesNothingElse) {
  const auto values = noise(500, std::int64_t{1} << 18U);  // 19 bits, of which 17 fit
  EXPECT_EQ(added(sent_to({}, values), 500, {0, 1}), values);
  EXPECT_EQ(added(sent_to({"codec.raw"}, values), 500, {0}), values);
}

// How many tiles of the transfers are as `wanted`.
std::size_t count_parts(const std::vector<std::string>& transfers,
                        const std::function<bool(const wire::TilePart&)>& wanted) {
  std::size_t count = 0;
  for (const std::string& bytes : transfers) {
    const auto view = wire::parse_transfer(as_bytes(bytes), 1);
    EXPECT_TRUE(view.has_value());
    for (const wire::TilePart part : *view) {
      count += wanted(part) ? 1U : 0U;
    }
  }
  return count;
}

// Codes of BPC with a step between powers of two: two bits of its header.
std::size_t finer_steps(const std::vector<std::string>& transfers) {
  return count_parts(transfers, [](const wire::TilePart& part) {
    return part.codec == static_cast<std::uint8_t>(codec::Id::kBpc) &&
           static_cast<unsigned>(part.coded[2]) >> 6U != 0;
  });
}

std::size_t lists(const std::vector<std::string>& transfers) {
  return count_parts(transfers, [](const wire::TilePart& part) {
    return part.codec == static_cast<std::uint8_t>(codec::Id::kSparseList);
  });
}

TEST(Exchange, SendsStepsBetweenPowersOfTwoToAPeerThatNamesThemAlone) {
  const auto values = noise(30'000, std::int64_t{1} << 30U);
  const BitRate scarce = BitRate::mbps(8);  // so that a tile is visited more than once
  for (const std::vector<std::string>& old :
       {std::vector<std::string>{}, {"codec.raw", "codec.bpc"}}) {
    const auto sent = sent_to(old, values, scarce);
    EXPECT_EQ(finer_steps(sent), 0U);
    EXPECT_EQ(added(sent, values.size(), {0, 1}), values);
  }
  const auto sent = sent_to({"codec.raw", "codec.bpc", "codec.bpc.steps"}, values, scarce);
  EXPECT_GT(finer_steps(sent), 0U);
  EXPECT_EQ(added(sent, values.size(), {0, 1}), values);
}

TEST(Exchange, SendsListsOfTheLargestOverATinyLinkToAPeerThatDecodesThem) {
  const auto values = noise(30'000, std::int64_t{1} << 30U);
  const BitRate tiny = BitRate::bps(200'000);
  EXPECT_EQ(lists(sent_to({"codec.raw", "codec.bpc"}, values, tiny)), 0U);
  EXPECT_GT(lists(sent_to({"codec.raw", "codec.bpc", "codec.sparse-list"}, values, tiny)), 0U);
}

TEST(Exchange, SendsRowsThatWereTouchedToAPeerThatDecodesThem) {
  auto values = noise(30'000, std::int64_t{1} << 30U);
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = i / 64 % 9 == 4 ? values[i] : 0;
  }
  const auto rows = [](const wire::TilePart& part) {
    return part.codec == static_cast<std::uint8_t>(codec::Id::kRow);
  };
  const auto old = sent_to({"codec.raw", "codec.bpc"}, values);
  EXPECT_EQ(count_parts(old, rows), 0U);
  EXPECT_EQ(added(old, values.size(), {0, 1}), values);
  const auto sent = sent_to({"codec.raw", "codec.bpc", "codec.row"}, values);
  EXPECT_GT(count_parts(sent, rows), 0U);
  EXPECT_EQ(added(sent, values.size(), {0, 1, 3}), values);
}

TEST(Exchange, SendsShortRecordsOfTilesToAPeerThatReadsThem) {
  const auto values = noise(30'000, 100);
  const auto flags = [&](const std::vector<std::string>& capabilities) {
    const auto sent = sent_to(capabilities, values);
    EXPECT_FALSE(sent.empty());
    EXPECT_EQ(added(sent, values.size(), {0, 1}), values);
    return wire::parse_header(as_bytes(sent.at(0)))->flags;
  };
  EXPECT_EQ(flags({"records.short"}), wire::kFlagShortRecords);
  EXPECT_EQ(flags({"records.shorter"}), 0);
  EXPECT_EQ(flags({}), 0);
}

TEST(Exchange, KeepsTransfersWithinWhatThePeerTakes) {
  const auto values = noise(30'000, std::int64_t{1} << 40U);
  const auto largest = [](const std::vector<std::string>& sent) {
    std::size_t most = 0;
    for (const std::string& bytes : sent) {
      most = std::max(most, bytes.size());
    }
    return most;
  };
  EXPECT_GT(largest(sent_to({}, values)), 16'384U);
  const auto sent = sent_to({"transfer.16384"}, values);
  EXPECT_LE(largest(sent), 16'384U);
  EXPECT_EQ(added(sent, values.size(), {0, 1}), values);
}

}  // namespace
}  // namespace godwit::gateway

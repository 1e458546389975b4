// How much a transfer holds: little, since a loss delays all of it, and more where a window of
// little ones would not fill the link.

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

#include "api/gateway/egress.h"
#include "dataplane/base/random.h"
#include "tests/api/gateway/one_gateway.h"

namespace godwit::gateway {
namespace {

constexpr std::uint64_t kBacklogElements = 32 * ledger::kTileElements;

// The first transfers of a lane on a link of 500 Mbit/s from which no receipt comes.
std::vector<std::size_t> transfer_sizes(std::size_t count) {
  constexpr std::size_t kPart = 16'384;
  OneGateway a("a", "[[links]]\nends = [\"a\", \"b\"]\ncap = \"500Mbit/s\"\nrtt = \"400ms\"\n");
  const auto handle = a.declare("t", kBacklogElements);
  ScriptedSession& b = a.greeted("b");
  b.figures.rate = BitRate::mbps(500);
  b.figures.rtt_smoothed = Duration::ms(400);
  b.control(OneGateway::announcement("t", kBacklogElements));
  b.control(a.lane_accept("t"));
  a.turn();
  Random random(1);
  std::vector<std::int64_t> values(kPart);
  std::vector<std::size_t> sizes;
  while (sizes.size() < count) {
    for (std::uint64_t first = 0; first < kBacklogElements; first += kPart) {
      for (std::int64_t& value : values) {
        value = static_cast<std::int64_t>(random.below(std::uint64_t{1} << 40U));
      }
      a.publish(handle, first, values);
    }
    // The session had no more than four until now; the backlog goes on.
    for (; !b.transfers.empty(); a.turn(1)) {
      for (; !b.transfers.empty(); b.transfers.pop_front()) {
        sizes.push_back(b.transfers.front().size());
      }
    }
  }
  return sizes;
}

std::size_t median(std::vector<std::size_t> values) {
  std::nth_element(values.begin(),
                   values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

TEST(TransferSize, GrowsWhereHalfOfTheWindowIsOnTheWay) {
  const auto sizes = transfer_sizes(800);
  const auto half = sizes.begin() + ledger::kWindowMax / 2;
  EXPECT_LE(median({sizes.begin(), half}), 2 * Egress::kTransferBytesEnough);
  EXPECT_GE(median({half + 1, sizes.end()}), Egress::kTransferBytesMax / 4 * 3);
}

}  // namespace
}  // namespace godwit::gateway

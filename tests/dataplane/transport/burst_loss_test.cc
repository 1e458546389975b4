// QUIC over ports that lose datagrams in bursts: everything arrives, once and whole.

#include <algorithm>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "dataplane/port/with/loss.h"
#include "tests/dataplane/transport/world.h"

namespace godwit::transport {
namespace {

using testing::Site;
using testing::World;

TEST(BurstLoss, EveryTransferArrivesWholeAndOnce) {
  World world(21);
  const port::LossChannel channel{.loss_bad = 0.8, .to_bad = 0.005, .to_good = 0.2};
  std::vector<port::LossPort*> ports;
  world.decorate = [&](std::unique_ptr<port::Port> port) {
    auto lossy =
        std::make_unique<port::LossPort>(std::move(port), channel, channel, 100 + ports.size());
    ports.push_back(lossy.get());
    return lossy;
  };
  Site& a = world.site("fra");
  Site& b = world.site("nyc");
  world.join(a, b, {.delay = Duration::ms(20), .rate = BitRate::mbps(50)}, BitRate::mbps(50));
  Session* session = world.dial(a, b);
  ASSERT_TRUE(world.run_until([&] { return a.of(session).is_established; }, Duration::ms(20'000)));
  Random random(5);
  std::vector<std::vector<std::byte>> sent;
  constexpr std::size_t kCount = 300;
  a.on_turn = [&](Instant now, Site&) {
    while (sent.size() < kCount && session->wants_transfer()) {
      std::vector<std::byte> bytes(4000 + random.below(20'000));
      for (std::byte& byte : bytes) {
        byte = static_cast<std::byte>(random.next());
      }
      session->send_transfer(now, bytes);
      sent.push_back(std::move(bytes));
    }
  };
  ASSERT_TRUE(
      world.run_until([&] { return b.transfers_received == kCount; }, Duration::ms(60'000)));
  auto received = b.seen[0]->transfers;
  std::sort(received.begin(), received.end());
  std::sort(sent.begin(), sent.end());
  EXPECT_TRUE(received == sent);
  // The ports did lose: 2 % in either direction at either end.
  for (const port::LossPort* port : ports) {
    EXPECT_GT(port->sent().lost, port->sent().offered / 200);
    EXPECT_GT(port->received().lost, port->received().offered / 200);
  }
}

}  // namespace
}  // namespace godwit::transport

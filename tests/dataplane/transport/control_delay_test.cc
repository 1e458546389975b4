// How long a control message takes under full bulk load while bulk packets are lost and repeated.

#include <algorithm>
#include <memory>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "dataplane/port/with/decorator.h"
#include "tests/dataplane/transport/pair.h"

namespace godwit::transport::testing {
namespace {

constexpr Markings kMarkings = Markings::standard();
const std::uint8_t kControlCodepoint = kMarkings.of(Precedence::kControl);

// Loses packets at random, but none of a train that control is in: what is then measured is what
// messages wait for others' repetitions, not for their own.
class LosesBulk final : public port::Decorator {
 public:
  LosesBulk(std::unique_ptr<port::Port> port, double loss, std::uint64_t seed)
      : Decorator(std::move(port)), loss_(loss), random_(seed) {}
  std::size_t transmit(Instant now, std::span<const port::Train> trains) override {
    at_once_ = now == at_ ? at_once_ : 0;
    at_ = now;
    for (const port::Train& train : trains) {
      at_once_ += is_on ? train.bytes.size() : 0;
      most_at_once = std::max(most_at_once, at_once_);
      if (train.dscp == kControlCodepoint) {
        Decorator::transmit(now, {&train, 1});
        continue;
      }
      for (std::size_t at = 0; at < train.bytes.size(); at += train.segment_bytes) {
        port::Train one = train;
        one.bytes = train.bytes.subspan(
            at, std::min<std::size_t>(train.segment_bytes, train.bytes.size() - at));
        packets += is_on ? 1U : 0U;
        if (is_on && random_.chance(loss_)) {
          ++lost;
        } else {
          Decorator::transmit(now, {&one, 1});
        }
      }
    }
    return trains.size();
  }

  bool is_on = false;
  std::uint64_t packets = 0;
  std::uint64_t lost = 0;
  std::uint64_t most_at_once = 0;  // bytes of one instant

 private:
  Instant at_;
  std::uint64_t at_once_ = 0;
  double loss_;
  Random random_;
};

// What messages take beyond the path's delay, milliseconds.
struct Excess {
  double p99 = 0;
  double most = 0;
};

double quantile_99(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values.at(values.size() * 99 / 100);
}

// A message of 64 bytes every 10 ms, for 30 s of full load over 50 Mbit/s.
Excess excess_of(Duration rtt, double loss, Duration jitter = Duration::zero()) {
  World world(3, QuicOptions{.markings = kMarkings});
  LosesBulk* lossy = nullptr;
  world.decorate = [&](std::unique_ptr<port::Port> port) -> std::unique_ptr<port::Port> {
    if (lossy != nullptr) {
      return port;
    }
    auto made = std::make_unique<LosesBulk>(std::move(port), loss, 5);
    lossy = made.get();
    return made;
  };
  Site& a = world.site("fra");
  Site& b = world.site("nyc");
  const BitRate rate = BitRate::mbps(50);
  world.join(
      a, b, {.delay = rtt / 2, .jitter = jitter, .rate = rate, .queue_bytes = 625'000}, rate);
  Session* session = world.dial(a, b);
  EXPECT_TRUE(world.run_until([&] { return a.of(session).is_established; }, Duration::ms(4'000)));
  b.keeps_transfers = false;
  keep_busy(a, *session, 60'000);
  world.run(Duration::ms(4'000));
  // A path that grows longer has to be measured again.
  const Duration delay = loss > 0 ? rtt / 2 : rtt / 2 + rtt / 16;
  world.network().set_both(
      a.address,
      b.address,
      {.delay = delay, .jitter = jitter, .rate = rate, .queue_bytes = 625'000});
  lossy->is_on = true;
  std::vector<Instant> sent;
  int measuring = 0;  // of the messages, those that came while BBR measured the path
  b.seen[0]->control_at.clear();
  constexpr std::uint32_t kMessages = 3'000;
  for (std::uint32_t number = 0; number < kMessages; ++number) {
    EXPECT_TRUE(session->send_control(world.now(), numbered(number, 64)));
    sent.push_back(world.now());
    measuring += session->stats().congestion_window <= std::uint64_t{4} * 1'452 ? 1 : 0;
    world.run(Duration::ms(10));
  }
  world.run(Duration::ms(2'000));
  const std::vector<Instant>& came = b.seen[0]->control_at;
  EXPECT_EQ(came.size(), sent.size());
  EXPECT_NEAR(static_cast<double>(lossy->lost), loss * static_cast<double>(lossy->packets), 250);
  EXPECT_LE(lossy->most_at_once, rate.bytes_in(Duration::ms(1)).count())
      << "who waited for the congestion controller may not make it good";
  std::vector<double> all;
  for (std::size_t index = 0; index < std::min(came.size(), sent.size()); ++index) {
    all.push_back((came[index] - sent[index] - delay).to_seconds() * 1e3);
  }
  EXPECT_TRUE(loss > 0 || measuring >= 20) << "200 ms, and not " << measuring * 10;
  const Excess excess{.p99 = quantile_99(all), .most = *std::max_element(all.begin(), all.end())};
  fmt::print(
      "{} ms, {} % of bulk lost: 99 of 100 messages take at most {:.2f} ms more, all {:.2f} ms\n",
      rtt.count_ms(),
      loss * 100,
      excess.p99,
      excess.most);
  return excess;
}

// The limit: a message waits for a train that is being sent, and has half a millisecond more.
constexpr double kMostMs = 0.5 + 0.5;

TEST(ControlDelay, IsShortForEveryMessageUnderFullLoadAndWhileThePathIsMeasured) {
  for (const int rtt_ms : {20, 100}) {
    EXPECT_LE(excess_of(Duration::ms(rtt_ms), 0).most, kMostMs) << rtt_ms;
    // Too little for packets to change places.
    EXPECT_LE(excess_of(Duration::ms(rtt_ms), 0, Duration::us(200)).most, kMostMs) << rtt_ms;
  }
}

TEST(ControlDelay, IsShortWhileBulkIsLostAndRepeated) {
  for (const double loss : {0.01, 0.03}) {
    EXPECT_LE(excess_of(Duration::ms(20), loss).p99, kMostMs) << loss;
  }
  EXPECT_LE(excess_of(Duration::ms(100), 0.03).p99, kMostMs);
}

}  // namespace
}  // namespace godwit::transport::testing

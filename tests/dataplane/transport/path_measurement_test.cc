// BBR measures its path every ten seconds, unless round trips are as short as before, nearly.

#include "dataplane/transport/path_measurement.h"

#include <algorithm>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "dataplane/base/random.h"
#include "tests/dataplane/transport/pair.h"

namespace godwit::transport::testing {
namespace {

Instant at_ms(std::int64_t ms) {
  return Instant::from_ns(0) + Duration::ms(ms);
}

// An acknowledgement every 10 ms, of round trips of `us`.
void acknowledge(PathMeasurement& measurement,
                 std::int64_t from_ms,
                 std::int64_t to_ms,
                 std::int64_t us) {
  for (std::int64_t ms = from_ms; ms <= to_ms; ms += 10) {
    const Duration told = Duration::us(us) - measurement.earlier(at_ms(ms));
    measurement.on_acknowledgement(at_ms(ms), told, false);
  }
}

TEST(PathMeasurement, IsFarOffWhereARoundTripIsNearlyAsShortAsTheLeast) {
  PathMeasurement measurement;
  EXPECT_FALSE(measurement.is_near(at_ms(60'000))) << "nothing is known of the path";
  measurement.on_acknowledgement(at_ms(1'000), Duration::ms(100), false);
  acknowledge(measurement, 1'010, 3'500, 100'500);
  EXPECT_EQ(measurement.earlier(at_ms(3'500)), Duration::zero());
  EXPECT_EQ(measurement.earlier(at_ms(3'510)), Duration::us(500));
  acknowledge(measurement, 3'510, 8'990, 100'600);
  EXPECT_EQ(measurement.earlier(at_ms(9'000)), Duration::us(500));
  acknowledge(measurement, 9'000, 9'000, 100'400);
  EXPECT_EQ(measurement.earlier(at_ms(9'010)), Duration::zero());
  acknowledge(measurement, 9'010, 10'950, 100'500);
  EXPECT_FALSE(measurement.is_near(at_ms(18'890)));
  EXPECT_TRUE(measurement.is_near(at_ms(18'910)));
}

TEST(PathMeasurement, IsNearWhereNoRoundTripIs) {
  PathMeasurement measurement;
  measurement.on_acknowledgement(at_ms(1'000), Duration::ms(97), false);
  acknowledge(measurement, 1'010, 10'890, 100'500);
  EXPECT_EQ(measurement.earlier(at_ms(10'890)), Duration::zero()) << "3.5 ms are a queue";
  EXPECT_FALSE(measurement.is_near(at_ms(10'890)));
  EXPECT_TRUE(measurement.is_near(at_ms(10'902)));
  for (int round = 0; round < 100; ++round) {
    measurement.on_losses(4);
  }
  EXPECT_TRUE(measurement.is_near(at_ms(10'790))) << "repetitions take a second one";
}

// What is tolerated is counted from the path's own, so that it does not add up.
TEST(PathMeasurement, TheLibraryIsNotToldEverShorterRoundTrips) {
  PathMeasurement measurement;
  measurement.on_acknowledgement(at_ms(0), Duration::ms(100), false);
  Duration most = Duration::zero();
  Random random(1);
  int measured = 0;
  for (std::int64_t ms = 10; ms < 1'000'000; ms += 10) {
    const Duration earlier = measurement.earlier(at_ms(ms));
    most = std::max(most, earlier);
    measured += measurement.is_near(at_ms(ms)) ? 1 : 0;
    const auto jitter = static_cast<std::int64_t>(random.below(1'000));
    measurement.on_acknowledgement(at_ms(ms), Duration::us(100'000 + jitter) - earlier, false);
  }
  EXPECT_LE(most, Duration::us(100'000 / 32));
  EXPECT_LT(measured, 250) << "turns of 10 ms in 1,000 s; without it more than 1,000";
}

struct Load {
  double carried = 0;    // share of the cap, headers not counted
  int measuring_ms = 0;  // time with a window of four packets
};

// Full load for 24 s over 50 Mbit/s.
Load load_of(Duration rtt, double loss) {
  const BitRate rate = BitRate::mbps(50);
  Pair pair(11,
            {.delay = rtt / 2,
             .jitter = Duration::us(200),
             .rate = rate,
             .queue_bytes = 625'000,
             .loss = loss},
            rate);
  pair.b.keeps_transfers = false;
  keep_busy(pair.a, *pair.dialled, 60'000);
  pair.world.run(Duration::ms(4'000));
  const std::uint64_t before = pair.accepted->stats().bytes_received;
  Load load;
  constexpr int kMs = 24'000;
  for (int ms = 0; ms < kMs; ++ms) {
    pair.world.run(Duration::ms(1));
    const bool measures = pair.dialled->stats().congestion_window <= std::uint64_t{4} * 1'452;
    load.measuring_ms += measures ? 1 : 0;
  }
  load.carried = static_cast<double>(pair.accepted->stats().bytes_received - before) * 8 /
                 (static_cast<double>(rate.bits_per_second()) * kMs / 1000);
  fmt::print("{} ms, {} % lost: {:.3f} of the cap, measured for {} ms\n",
             rtt.count_ms(),
             100 * loss,
             load.carried,
             load.measuring_ms);
  return load;
}

TEST(PathMeasurement, IsNotNeededOnALinkThatKeepsBelowItsPathsRate) {
  for (const int rtt_ms : {20, 100}) {
    for (const double loss : {0.0, 0.01}) {
      const Load load = load_of(Duration::ms(rtt_ms), loss);
      EXPECT_EQ(load.measuring_ms, 0) << rtt_ms << " ms, " << loss;
    }
  }
}

}  // namespace
}  // namespace godwit::transport::testing

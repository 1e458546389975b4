// After a cut: dial again without end, and be back within a second and two round trips.

#include <gtest/gtest.h>

#include "dataplane/transport/redial.h"
#include "tests/dataplane/transport/world.h"

namespace godwit::transport::testing {
namespace {

TEST(Redial, DelaysStayBelowTheMaximumAndDifferByChance) {
  Random random(1);
  Redial redial(random);
  EXPECT_LE(redial.next_attempt(), Instant::from_ns(0));
  Duration longest = Duration::zero();
  Duration sum = Duration::zero();
  constexpr int kTries = 2000;
  Instant now = Instant::from_ns(1'000);
  for (int attempt = 0; attempt < kTries; ++attempt) {
    redial.on_attempt(now);
    EXPECT_EQ(redial.next_attempt(), Instant::never());
    redial.on_failure(now);
    const Duration delay = redial.next_attempt() - now;
    EXPECT_GE(delay, Duration::zero());
    longest = std::max(longest, delay);
    sum += delay;
    now = redial.next_attempt();
  }
  EXPECT_LE(longest, RedialOptions().delay_max);
  // Full jitter: uniform in [0, 500 ms], mean 250 ms.
  EXPECT_NEAR((sum / kTries).to_seconds(), 0.250, 0.015);
  EXPECT_EQ(redial.failures_in_a_row(), static_cast<std::uint64_t>(kTries));
}

TEST(Redial, SuccessBringsTheFirstDelayBack) {
  Random random(2);
  Redial redial(random);
  for (int attempt = 0; attempt < 20; ++attempt) {
    redial.on_failure(Instant::from_ns(0));
  }
  redial.on_success();
  EXPECT_EQ(redial.failures_in_a_row(), 0U);
  for (int attempt = 0; attempt < 100; ++attempt) {
    redial.on_success();
    redial.on_failure(Instant::from_ns(0));
    EXPECT_LE(redial.next_attempt() - Instant::from_ns(0), RedialOptions().delay_first);
  }
}

// A gateway's habit in small: dial when the policy says so, hint the last round trip.
class Dialer {
 public:
  Dialer(World& world, Site& from, const Site& to, Duration rtt = Duration::zero())
      : world_(world), from_(from), to_(to), redial_(world.random()), rtt_(rtt) {}

  void on_turn(Instant now) {
    if (session_ == nullptr && redial_.next_attempt() <= now) {
      session_ = world_.dial(from_, to_, rtt_);
      seen_ = from_.seen.back().get();
      redial_.on_attempt(now);
      ++attempts;
    }
    if (session_ != nullptr && seen_->is_closed) {
      session_ = nullptr;
      redial_.on_failure(now);
      is_up = false;
    } else if (session_ != nullptr && seen_->is_established) {
      redial_.on_success();
      rtt_ = session_->stats().rtt_min;
      is_up = true;
    }
    world_.next_tick = std::min(world_.next_tick, redial_.next_attempt());
  }
  bool is_up = false;
  int attempts = 0;

 private:
  World& world_;
  Site& from_;
  const Site& to_;
  Redial redial_;
  Session* session_ = nullptr;
  const Site::Seen* seen_ = nullptr;
  Duration rtt_;  // of the last session
};

TEST(Recovery, AfterACutOfThirtySecondsWithinASecondAndTwoRoundTrips) {
  for (const std::int64_t rtt_ms : {1, 73, 150, 328}) {
    Duration worst = Duration::zero();
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
      World world(seed);
      Site& a = world.site("fra");
      Site& b = world.site("nyc");
      const port::LinkConditions healthy{.delay = Duration::us(rtt_ms * 500)};
      world.join(a, b, healthy);
      Dialer dialer(world, a, b);
      a.on_turn = [&](Instant now, Site&) { dialer.on_turn(now); };
      ASSERT_TRUE(world.run_until([&] { return dialer.is_up; }, Duration::ms(10'000)));
      world.run(Duration::ms(1'000));
      port::LinkConditions cut = healthy;
      cut.cut = true;
      world.network().set_both(a.address, b.address, cut);
      world.run(Duration::ms(30'000));
      ASSERT_FALSE(dialer.is_up);
      world.network().set_both(a.address, b.address, healthy);
      const Instant healed = world.now();
      ASSERT_TRUE(world.run_until([&] { return dialer.is_up; }, Duration::ms(10'000)));
      worst = std::max(worst, world.now() - healed);
    }
    EXPECT_LE(worst, Duration::ms(1'000 + 2 * rtt_ms)) << "round trip " << rtt_ms << " ms";
  }
}

TEST(Recovery, AnAnswererThatDiesInTheMiddleOfAHandshakeIsDialledAgainSoon) {
  // The dialler waited ten seconds for an answer that its successor could not give.
  for (const std::int64_t rtt_ms : {20, 100, 328}) {
    for (const std::int64_t dies_at : {rtt_ms + 1, rtt_ms * 5 / 4}) {
      World world(static_cast<std::uint64_t>(rtt_ms));
      Site& a = world.site("fra");
      Site& b = world.site("nyc");
      world.join(a, b, {.delay = Duration::us(rtt_ms * 500)});
      Dialer dialer(world, a, b, Duration::ms(rtt_ms));
      a.on_turn = [&](Instant now, Site&) { dialer.on_turn(now); };
      world.run(Duration::ms(dies_at));
      ASSERT_FALSE(dialer.is_up);
      world.crash(b);
      world.start(b);
      const Duration silence = Duration::ms(4 * rtt_ms + 1'000);
      const Duration redial = Duration::ms(500 + 3 * rtt_ms);
      EXPECT_TRUE(world.run_until([&] { return dialer.is_up; }, silence + redial)) << rtt_ms;
    }
  }
}

TEST(Recovery, ConnectsInTheEndOverAHalfSecondPathWithFivePercentLoss) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    World world(seed);
    Site& a = world.site("fra");
    Site& b = world.site("nyc");
    world.join(a, b, {.delay = Duration::ms(250), .loss = 0.05});
    Dialer dialer(world, a, b);
    a.on_turn = [&](Instant now, Site&) { dialer.on_turn(now); };
    ASSERT_TRUE(world.run_until([&] { return dialer.is_up; }, Duration::ms(12'000)))
        << "seed " << seed;
  }
}

TEST(Recovery, NothingIsLeftBehindAfterManyFailedAttempts) {
  World world(3);
  Site& a = world.site("fra");
  Site& b = world.site("nyc");
  // Greetings arrive, answers do not: the acceptor's half-open handshakes must not pile up.
  world.join(a, b, {.delay = Duration::ms(10)});
  world.network().set_link(b.address, a.address, {.cut = true});
  Dialer dialer(world, a, b);
  a.on_turn = [&](Instant now, Site&) { dialer.on_turn(now); };
  world.run(Duration::ms(120'000));
  EXPECT_GE(dialer.attempts, 40);
  EXPECT_EQ(b.endpoint->counters().accepts_over_limit, 0U);
  world.network().set_link(b.address, a.address, {.delay = Duration::ms(10)});
  EXPECT_TRUE(world.run_until([&] { return dialer.is_up; }, Duration::ms(5'000)));
}

}  // namespace
}  // namespace godwit::transport::testing

// After a cut: dial again without end, and be back within a second and two round trips.

#include <algorithm>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "dataplane/transport/late_answers.h"
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

// What a gateway expects of a link that says nothing of its round trip.
constexpr Duration kRttDefault = Duration::ms(100);

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

// The path is dead for so long, then as it was.
void cut_for(Duration length, World& world, Site& a, Site& b, const port::LinkConditions& healthy) {
  port::LinkConditions cut = healthy;
  cut.cut = true;
  world.network().set_both(a.address, b.address, cut);
  world.run(length);
  world.network().set_both(a.address, b.address, healthy);
}

// Of seeds 1 to 12: the longest time from the end of a cut of 30 s until the link is up again.
Duration slowest_recovery(std::int64_t rtt_ms) {
  Duration worst = Duration::zero();
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    World world(seed);
    Site& a = world.site("fra");
    Site& b = world.site("nyc");
    const port::LinkConditions healthy{.delay = Duration::us(rtt_ms * 500)};
    world.join(a, b, healthy);
    Dialer dialer(world, a, b, kRttDefault);
    a.on_turn = [&](Instant now, Site&) { dialer.on_turn(now); };
    EXPECT_TRUE(world.run_until([&] { return dialer.is_up; }, Duration::ms(20'000)));
    world.run(Duration::ms(1'000));
    cut_for(Duration::ms(30'000), world, a, b, healthy);
    EXPECT_FALSE(dialer.is_up);
    const Instant healed = world.now();
    EXPECT_TRUE(world.run_until([&] { return dialer.is_up; }, Duration::ms(30'000)));
    worst = std::max(worst, world.now() - healed);
  }
  return worst;
}

TEST(Recovery, AfterACutOfThirtySecondsWithinASecondAndTwoRoundTrips) {
  for (const std::int64_t rtt_ms : {1, 73, 150, 328, 450}) {
    const std::int64_t worst_ms = slowest_recovery(rtt_ms).count_ms();
    EXPECT_LT(worst_ms, 1'000 + 2 * rtt_ms) << rtt_ms << " ms";
  }
}

TEST(Recovery, OverALongPathWithinASecondAndThreeRoundTrips) {
  for (const std::int64_t rtt_ms : {800, 3'000}) {
    const std::int64_t worst_ms = slowest_recovery(rtt_ms).count_ms();
    EXPECT_LT(worst_ms, 1'000 + 3 * rtt_ms) << rtt_ms << " ms";
  }
}

TEST(Recovery, APathOfSecondsComesUpWhateverIsExpectedOfIt) {
  // Every dial was given up before its answer came, and the next one waited no longer.
  for (const std::int64_t rtt_ms : {500, 600, 800, 1'500, 3'000, 4'500}) {
    for (const Duration expected : {Duration::zero(), Duration::ms(20), kRttDefault}) {
      World world(static_cast<std::uint64_t>(rtt_ms));
      Site& a = world.site("fra");
      Site& b = world.site("nyc");
      world.join(a, b, {.delay = Duration::us(rtt_ms * 500)});
      Dialer dialer(world, a, b, expected);
      a.on_turn = [&](Instant now, Site&) { dialer.on_turn(now); };
      // A late answer, at most a pause of 0.5 s, and a handshake of two round trips.
      EXPECT_TRUE(world.run_until([&] { return dialer.is_up; }, Duration::ms(1'000 + 3 * rtt_ms)))
          << rtt_ms << " ms, expected " << expected.count_ms() << " ms";
      // It stays so: both ends have learned how long silence lasts there.
      world.run(Duration::ms(30'000));
      EXPECT_TRUE(dialer.is_up) << rtt_ms;
      // An answer that nobody waits for any more is no stranger's greeting.
      EXPECT_EQ(a.endpoint->counters().sessions_accepted, 0U);
    }
  }
}

TEST(Recovery, APathOfSecondsComesUpInTheEndWithFivePercentLoss) {
  for (const std::int64_t rtt_ms : {800, 3'000}) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      World world(seed);
      Site& a = world.site("fra");
      Site& b = world.site("nyc");
      world.join(a, b, {.delay = Duration::us(rtt_ms * 500), .loss = 0.05});
      Dialer dialer(world, a, b, kRttDefault);
      a.on_turn = [&](Instant now, Site&) { dialer.on_turn(now); };
      ASSERT_TRUE(world.run_until([&] { return dialer.is_up; }, Duration::ms(12 * rtt_ms)))
          << rtt_ms << " ms, seed " << seed;
    }
  }
}

// The path is another one after the cut.
TEST(Recovery, APathThatIsLongerAfterTheCutComesUp) {
  for (const std::int64_t rtt_ms : {800, 3'000}) {
    World world(4);
    Site& a = world.site("fra");
    Site& b = world.site("nyc");
    world.join(a, b, {.delay = Duration::ms(10)});
    Dialer dialer(world, a, b, kRttDefault);
    a.on_turn = [&](Instant now, Site&) { dialer.on_turn(now); };
    ASSERT_TRUE(world.run_until([&] { return dialer.is_up; }, Duration::ms(2'000)));
    world.network().set_both(a.address, b.address, {.cut = true});
    world.run(Duration::ms(10'000));
    ASSERT_FALSE(dialer.is_up);
    world.network().set_both(a.address, b.address, {.delay = Duration::us(rtt_ms * 500)});
    EXPECT_TRUE(world.run_until([&] { return dialer.is_up; }, Duration::ms(2'000 + 3 * rtt_ms)))
        << rtt_ms;
  }
}

// What a long path taught must not make a short one wait.
TEST(Recovery, APathThatIsShorterAfterwardsRecoversAsAShortOne) {
  constexpr std::int64_t kShortMs = 73;
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    World world(seed);
    Site& a = world.site("fra");
    Site& b = world.site("nyc");
    world.join(a, b, {.delay = Duration::ms(1'500)});
    Dialer dialer(world, a, b, kRttDefault);
    a.on_turn = [&](Instant now, Site&) { dialer.on_turn(now); };
    ASSERT_TRUE(world.run_until([&] { return dialer.is_up; }, Duration::ms(20'000)));
    const port::LinkConditions shorter{.delay = Duration::us(kShortMs * 500)};
    world.network().set_both(a.address, b.address, shorter);
    world.run(Duration::ms(30'000));
    ASSERT_TRUE(dialer.is_up);
    cut_for(Duration::ms(40'000), world, a, b, shorter);
    ASSERT_FALSE(dialer.is_up);
    EXPECT_TRUE(world.run_until([&] { return dialer.is_up; }, Duration::ms(1'000 + 2 * kShortMs)))
        << seed;
  }
}

std::size_t count_of(std::string_view what, std::string_view text) {
  std::size_t count = 0;
  for (auto at = text.find(what); at != std::string_view::npos; at = text.find(what, at + 1)) {
    ++count;
  }
  return count;
}

TEST(Recovery, LateAnswersFillNoLog) {
  // Both ends wrote a line for every dial, for ever.
  ::testing::internal::CaptureStderr();
  World world(5);
  Site& a = world.site("fra");
  Site& b = world.site("nyc");
  constexpr std::int64_t kTooLongMs = LateAnswers::kRttMax.count_ms() + 500;
  world.join(a, b, {.delay = Duration::us(kTooLongMs * 500)});
  Dialer dialer(world, a, b, kRttDefault);
  a.on_turn = [&](Instant now, Site&) { dialer.on_turn(now); };
  constexpr std::int64_t kMinutes = 5;
  world.run(Duration::ms(kMinutes * 60'000));
  EXPECT_GE(dialer.attempts, 200);
  EXPECT_GE(a.endpoint->counters().packets_late, 200U);
  EXPECT_EQ(a.endpoint->counters().sessions_accepted, 0U);
  // A path that can be waited for is told once, when it is found out.
  world.network().set_both(a.address, b.address, {.delay = Duration::ms(1'500)});
  EXPECT_TRUE(world.run_until([&] { return dialer.is_up; }, Duration::ms(30'000)));
  const std::string text = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(count_of("dials wait longer now", text), 1U) << text;
  EXPECT_LE(count_of("handshake from", text), 5U + kMinutes + 1U) << text;
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

#include "dataplane/port/idle.h"

#include <vector>

#include <gtest/gtest.h>

namespace godwit::port {
namespace {

constexpr Duration kLong = Duration::seconds(1);

// Empty turns one after the other, each after the sleep that the last one asked for.
std::vector<std::int64_t> sleeps(Idle& idle, Instant& now, std::size_t turns) {
  std::vector<std::int64_t> microseconds;
  for (std::size_t turn = 0; turn < turns; ++turn) {
    const Duration sleep = idle.after_turn(now, 0, kLong);
    microseconds.push_back(sleep.count_us());
    now += sleep;
  }
  return microseconds;
}

class IdleTest : public ::testing::Test {
 protected:
  Instant now_ = Instant::from_ns(5'000'000'000);
};

TEST_F(IdleTest, WaitsAtOnceWhereWhatComesEndsTheSleep) {
  Idle idle(IdleLadder::waiting(IdleMode::kWait));
  EXPECT_EQ(idle.after_turn(now_, 64, kLong), kLong);
  EXPECT_EQ(idle.after_turn(now_, 0, Duration::ms(7)), Duration::ms(7));
}

TEST_F(IdleTest, ClimbsTheLadderWhereSomebodyMustAsk) {
  Idle idle(IdleLadder::polling(IdleMode::kWait));
  EXPECT_EQ(sleeps(idle, now_, 10),
            (std::vector<std::int64_t>{20, 40, 80, 160, 320, 640, 1280, 2000, 2000, 2000}));
}

TEST_F(IdleTest, BeginsAtTheFootOfTheLadderWhenSomethingCame) {
  Idle idle(IdleLadder::polling(IdleMode::kWait));
  sleeps(idle, now_, 10);
  EXPECT_EQ(idle.after_turn(now_, 1, kLong), Duration::us(20));
  EXPECT_EQ(sleeps(idle, now_, 2), (std::vector<std::int64_t>{40, 80}));
}

TEST_F(IdleTest, NeverSleepsLongerThanItMay) {
  Idle idle(IdleLadder::polling(IdleMode::kWait));
  EXPECT_EQ(idle.after_turn(now_, 0, Duration::us(3)), Duration::us(3));
  EXPECT_EQ(idle.after_turn(now_, 0, Duration::zero()), Duration::zero());
  EXPECT_EQ(idle.after_turn(now_, 0, Duration::ms(-4)), Duration::zero());
}

TEST_F(IdleTest, SpinsForAsLongAsWhatCameHasEarned) {
  Idle idle({.spin_per_item = Duration::us(10),
             .spin_max = Duration::us(500),
             .nap_min = kLong,
             .nap_max = kLong});
  EXPECT_EQ(idle.after_turn(now_, 3, kLong), Duration::zero());
  EXPECT_EQ(idle.after_turn(now_ + Duration::us(29), 0, kLong), Duration::zero());
  EXPECT_EQ(idle.after_turn(now_ + Duration::us(30), 0, kLong), kLong);
}

TEST_F(IdleTest, AFloodEarnsNoMoreThanTheMost) {
  for (const std::size_t flood : {std::size_t{50}, std::size_t{51}, SIZE_MAX}) {
    Idle idle({.spin_per_item = Duration::us(10),
               .spin_max = Duration::us(500),
               .nap_min = kLong,
               .nap_max = kLong});
    idle.after_turn(now_, flood, kLong);
    idle.after_turn(now_, flood, kLong);
    EXPECT_EQ(idle.after_turn(now_ + Duration::us(499), 0, kLong), Duration::zero());
    EXPECT_EQ(idle.after_turn(now_ + Duration::us(500), 0, kLong), kLong);
  }
}

// A keep-alive and its answer every 700 ms: 20 µs of spinning each, 0.003 % of a core.
TEST_F(IdleTest, ATrickleCostsNextToNothing) {
  Idle idle(IdleLadder::waiting(IdleMode::kAdaptive));
  Duration spun = Duration::zero();
  for (int packet = 0; packet < 100; ++packet) {
    Duration sleep = idle.after_turn(now_, 2, Duration::ms(700));
    while (sleep == Duration::zero()) {
      now_ += Duration::us(1);
      spun += Duration::us(1);
      sleep = idle.after_turn(now_, 0, Duration::ms(700));
    }
    now_ += sleep;
  }
  EXPECT_EQ(spun, Duration::us(100 * 20));
}

TEST_F(IdleTest, SpinningForEverNeverSleeps) {
  for (const auto& ladder :
       {IdleLadder::waiting(IdleMode::kSpin), IdleLadder::polling(IdleMode::kSpin)}) {
    Idle idle(ladder);
    for (int turn = 0; turn < 100; ++turn) {
      now_ += kLong;
      EXPECT_EQ(idle.after_turn(now_, 0, kLong), Duration::zero());
    }
  }
}

TEST(IdleMode, IsReadByName) {
  for (const IdleMode mode : {IdleMode::kWait, IdleMode::kAdaptive, IdleMode::kSpin}) {
    EXPECT_EQ(parse_idle_mode(name(mode)).value(), mode);
  }
  EXPECT_EQ(parse_idle_mode("wait").value(), IdleMode::kWait);
  EXPECT_FALSE(parse_idle_mode("sleep").has_value());
}

}  // namespace
}  // namespace godwit::port

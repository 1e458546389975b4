// What a link sends next: classes, deadlines, significance, age, depth.
#include "scheduler/queue/link_queue.h"

#include <vector>

#include <gtest/gtest.h>

#include "tests/scheduler/samples.h"
#include "tests/support/instants.h"

namespace godwit::scheduler {
namespace {

KeyUpdate due(double energy, Instant deadline) {
  return {.energy = energy, .elements = kTile, .deadline = deadline};
}

// Serves everything that can be chosen at `now`, draining each key, and returns the tiles.
std::vector<std::uint32_t> drain(LinkQueue& queue, Instant now) {
  std::vector<std::uint32_t> tiles;
  while (const auto choice = queue.next(now, kLink)) {
    tiles.push_back(choice->key.tile);
    queue.on_sent(now, choice->key, 0, choice->budget);
  }
  return tiles;
}

TEST(LinkQueue, GivesNothingWhenNothingIsPending) {
  LinkQueue queue;
  EXPECT_FALSE(queue.next(at_ms(0), kLink));
  EXPECT_EQ(queue.next_wakeup(), Instant::never());
  EXPECT_EQ(queue.oldest_age(at_ms(5)), Duration::zero());
}

TEST(LinkQueue, IgnoresMergesWithoutEnergy) {
  LinkQueue queue;
  queue.on_merge(at_ms(0), {1, 0}, update(0));
  queue.on_merge(at_ms(0), {1, 1}, update(-3));
  EXPECT_EQ(queue.pending_keys(), 0U);
}

TEST(LinkQueue, SendsTheMostSignificantPerByteFirst) {
  LinkQueue queue;
  queue.on_merge(at_ms(0), {1, 0}, update(10));
  queue.on_merge(at_ms(0), {1, 1}, update(1000));
  queue.on_merge(at_ms(0), {1, 2}, update(100));
  EXPECT_EQ(drain(queue, at_ms(1)), (std::vector<std::uint32_t>{1, 2, 0}));
}

TEST(LinkQueue, PrefersFewerBytesAtEqualEnergy) {
  LinkQueue queue;
  // Both are visited once; tile 0 turns out to code in 1,000 bytes, tile 1 in 100.
  queue.on_merge(at_ms(0), {1, 0}, update(50));
  queue.on_sent(at_ms(0), {1, 0}, 0, Bytes(1000));
  queue.on_merge(at_ms(0), {1, 1}, update(50));
  queue.on_sent(at_ms(0), {1, 1}, 0, Bytes(100));
  queue.on_merge(at_ms(100), {1, 0}, update(50));
  queue.on_merge(at_ms(100), {1, 1}, update(50));
  EXPECT_EQ(drain(queue, at_ms(100)), (std::vector<std::uint32_t>{1, 0}));
}

TEST(LinkQueue, AddsEnergiesOfMerges) {
  LinkQueue queue;
  queue.on_merge(at_ms(0), {1, 0}, update(3));
  queue.on_merge(at_ms(50), {1, 0}, update(4));
  EXPECT_EQ(queue.pending_energy({1, 0}), 7.0);
  EXPECT_EQ(queue.pending_energy(), 7.0);
  EXPECT_EQ(queue.pending_keys(), 1U);
  queue.on_sent(at_ms(60), {1, 0}, 2.5, Bytes(100));
  EXPECT_EQ(queue.pending_energy({1, 0}), 2.5);
}

TEST(LinkQueue, GivesTheSameChoiceUntilSomethingIsSent) {
  LinkQueue queue;
  queue.on_merge(at_ms(0), {1, 0}, update(10));
  queue.on_merge(at_ms(0), {1, 1}, update(11));
  const auto first = queue.next(at_ms(1), kLink);
  const auto second = queue.next(at_ms(1), kLink);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->key, second->key);
  EXPECT_EQ(first->budget, second->budget);
}

TEST(LinkQueue, ServesClassesStrictly) {
  LinkQueue queue;
  queue.on_merge(at_ms(0), {1, 0}, update(1e9, Class::kBulk));
  queue.on_merge(at_ms(0), {1, 1}, update(1e6, Class::kNormal));
  queue.on_merge(at_ms(0), {1, 2}, update(1, Class::kUrgent));
  EXPECT_EQ(drain(queue, at_ms(1)), (std::vector<std::uint32_t>{2, 1, 0}));
}

TEST(LinkQueue, KeepsTheMoreUrgentClassWhenMerging) {
  LinkQueue queue;
  queue.on_merge(at_ms(0), {1, 0}, update(1, Class::kUrgent));
  queue.on_merge(at_ms(0), {1, 0}, update(1, Class::kBulk));
  queue.on_merge(at_ms(0), {1, 1}, update(100, Class::kNormal));
  EXPECT_EQ(queue.next(at_ms(1), kLink)->key.tile, 0U);
  // After it was sent the class starts anew.
  queue.on_sent(at_ms(1), {1, 0}, 0, Bytes(10));
  queue.on_merge(at_ms(2), {1, 0}, update(1e9, Class::kBulk));
  EXPECT_EQ(queue.next(at_ms(2), kLink)->key.tile, 1U);
}

TEST(LinkQueue, ServesNearDeadlinesEarliestFirst) {
  LinkQueue queue;
  queue.on_merge(at_ms(0), {1, 0}, update(1e9));
  queue.on_merge(at_ms(0), {1, 1}, due(1, at_ms(20)));
  queue.on_merge(at_ms(0), {1, 2}, due(1, at_ms(10)));
  EXPECT_EQ(queue.next(at_ms(0), kLink)->reason, Reason::kDeadline);
  EXPECT_EQ(drain(queue, at_ms(0)), (std::vector<std::uint32_t>{2, 1, 0}));
  EXPECT_EQ(queue.stats().deadlines_met, 2U);
}

TEST(LinkQueue, LetsSignificanceGoFirstWhileADeadlineHasSlack) {
  LinkQueue queue;
  queue.on_merge(at_ms(0), {1, 0}, update(1e9));
  queue.on_merge(at_ms(0), {1, 1}, due(1, at_ms(3'600'000)));
  EXPECT_EQ(queue.next(at_ms(0), kLink)->key.tile, 0U);
  EXPECT_EQ(queue.next(at_ms(0), kLink)->reason, Reason::kSignificance);
}

TEST(LinkQueue, KeepsTheEarlierDeadlineWhenMerging) {
  LinkQueue queue;
  queue.on_merge(at_ms(0), {1, 0}, due(1, at_ms(30)));
  queue.on_merge(at_ms(0), {1, 1}, due(1, at_ms(40)));
  queue.on_merge(at_ms(1), {1, 1}, due(1, at_ms(20)));
  queue.on_merge(at_ms(2), {1, 1}, due(1, at_ms(60)));
  EXPECT_EQ(drain(queue, at_ms(2)), (std::vector<std::uint32_t>{1, 0}));
}

TEST(LinkQueue, KeepsAChangeWhoseDeadlineExpired) {
  LinkQueue queue;
  queue.on_merge(at_ms(0), {1, 0}, due(5, at_ms(10)));
  const auto choice = queue.next(at_ms(11), kLink);
  ASSERT_TRUE(choice);
  EXPECT_EQ(choice->reason, Reason::kSignificance);
  EXPECT_EQ(queue.stats().deadlines_expired, 1U);
  EXPECT_EQ(queue.pending_energy(), 5.0);
}

TEST(LinkQueue, TellsTheEarliestDeadlineOfAChoiceAlsoWhenItHasPassed) {
  LinkQueue queue;
  queue.on_merge(at_ms(0), {1, 0}, due(5, at_ms(30)));
  queue.on_merge(at_ms(0), {1, 0}, due(5, at_ms(10)));
  EXPECT_EQ(queue.next(at_ms(9), kLink)->deadline, at_ms(10));
  EXPECT_EQ(queue.next(at_ms(11), kLink)->deadline, at_ms(10));
  queue.on_merge(at_ms(12), {1, 0}, due(5, at_ms(50)));
  EXPECT_EQ(queue.next(at_ms(12), kLink)->deadline, at_ms(10));
  EXPECT_EQ(queue.next(at_ms(45), kLink)->reason, Reason::kDeadline) << "the one that is left";
  queue.on_sent(at_ms(45), {1, 0}, 0, Bytes(10));
  queue.on_merge(at_ms(46), {1, 0}, update(5));
  EXPECT_EQ(queue.next(at_ms(46), kLink)->deadline, Instant::never()) << "those were sent";
  queue.on_merge(at_ms(46), {1, 1}, due(1e9, at_ms(40)));
  EXPECT_EQ(queue.next(at_ms(46), kLink)->deadline, at_ms(40)) << "late when it was merged";
}

TEST(LinkQueue, ReckonsWithTheDelayOfTheLink) {
  LinkView far = kLink;
  far.delay = Duration::ms(80);
  LinkQueue queue;
  queue.on_merge(at_ms(0), {1, 0}, update(1e9));
  queue.on_merge(at_ms(0), {1, 1}, due(1, at_ms(100)));
  EXPECT_EQ(queue.next(at_ms(0), kLink)->reason, Reason::kSignificance);
  EXPECT_EQ(queue.next(at_ms(0), far)->reason, Reason::kDeadline);
}

TEST(LinkQueue, CountsADeadlineAsMetWhenTheChangeArrivesByIt) {
  LinkView far = kLink;
  far.delay = Duration::ms(80);
  LinkQueue queue;
  for (const std::int64_t sent_ms : {20, 21}) {
    queue.on_merge(at_ms(0), {1, static_cast<std::uint32_t>(sent_ms)}, due(1, at_ms(100)));
    const auto choice = queue.next(at_ms(sent_ms), far);
    ASSERT_TRUE(choice);
    queue.on_sent(at_ms(sent_ms), choice->key, 0, choice->budget);
  }
  EXPECT_EQ(queue.stats().deadlines_met, 1U);
  EXPECT_EQ(queue.stats().deadlines_expired, 1U);
}

TEST(LinkQueue, PromotesAStarvingKeyAfterTheAgeCap) {
  LinkQueue queue({.age_cap = Duration::ms(500), .depth = {}});
  queue.on_merge(at_ms(0), {1, 7}, update(1, Class::kBulk));
  for (std::int64_t ms = 0; ms < 500; ms += 10) {
    queue.on_merge(at_ms(ms), {1, 0}, update(1e6, Class::kUrgent));
    const auto choice = queue.next(at_ms(ms), kLink);
    ASSERT_EQ(choice->key.tile, 0U) << ms;
    queue.on_sent(at_ms(ms), choice->key, 0, choice->budget);
  }
  queue.on_merge(at_ms(500), {1, 0}, update(1e6, Class::kUrgent));
  const auto choice = queue.next(at_ms(500), kLink);
  EXPECT_EQ(choice->key.tile, 7U);
  EXPECT_EQ(choice->reason, Reason::kAge);
}

TEST(LinkQueue, ChoosesNothingBelowTheLeastClassThatMayGo) {
  LinkQueue queue({.age_cap = Duration::ms(100), .depth = {}});
  LinkView link = kLink;
  link.least = Class::kNormal;
  queue.on_merge(at_ms(0), {1, 7}, update(1, Class::kBulk));
  EXPECT_FALSE(queue.next(at_ms(200), link)) << "not by its age either";
  EXPECT_EQ(queue.next(at_ms(200), kLink)->key.tile, 7U);
  // Who starves behind it has its turn.
  queue.on_merge(at_ms(200), {1, 5}, update(1, Class::kNormal));
  queue.on_merge(at_ms(300), {1, 0}, update(1e6, Class::kUrgent));
  const auto choice = queue.next(at_ms(300), link);
  ASSERT_TRUE(choice);
  EXPECT_EQ(choice->key.tile, 5U);
  EXPECT_EQ(choice->reason, Reason::kAge);
  EXPECT_EQ(queue.next(at_ms(300), kLink)->key.tile, 7U) << "the oldest of all";
  EXPECT_EQ(queue.oldest_age(at_ms(300)), Duration::ms(300));
}

TEST(LinkQueue, GivesStarvingKeysAtMostEveryFourthVisit) {
  LinkQueue queue({.age_cap = Duration::ms(100), .depth = {}});
  for (std::uint32_t tile = 0; tile < 100; ++tile) {
    queue.on_merge(at_ms(0), {1, tile}, update(1, Class::kBulk));
  }
  int by_age = 0;
  for (int visit = 0; visit < 80; ++visit) {
    queue.on_merge(at_ms(200), {2, 0}, update(1, Class::kUrgent));
    const auto choice = queue.next(at_ms(200), kLink);
    by_age += choice->reason == Reason::kAge ? 1 : 0;
    queue.on_sent(at_ms(200), choice->key, 0, choice->budget);
  }
  EXPECT_EQ(by_age, 20);
}

// Ten tiles change every 100 ms; 4 Mbit/s carry 50,000 bytes in that time, 95 % for payload.
const LinkView kSlowLink{.rate = BitRate::mbps(4), .quantum = Bytes::kib(64)};

LinkQueue with_ten_tiles() {
  LinkQueue queue;
  for (std::int64_t round = 0; round < 5; ++round) {
    for (std::uint32_t tile = 0; tile < 10; ++tile) {
      queue.on_merge(at_ms(100 * round), {1, tile}, update(1));
    }
  }
  return queue;
}

TEST(LinkQueue, SplitsTheLinkOverTheTilesOfOneUpdate) {
  LinkQueue queue = with_ten_tiles();
  std::uint64_t bytes = 0;
  while (const auto choice = queue.next(at_ms(400), kSlowLink)) {
    bytes += choice->budget.count();
    queue.on_sent(at_ms(400), choice->key, 0.1, choice->budget);
  }
  EXPECT_NEAR(static_cast<double>(bytes), 50'000 * 0.95, 10);
}

TEST(LinkQueue, SendsAShallowPartOfEveryTileBeforeTheRestOfAny) {
  LinkQueue queue = with_ten_tiles();
  for (int visit = 0; visit < 20; ++visit) {
    const auto choice = queue.next(at_ms(400), kSlowLink);
    ASSERT_TRUE(choice) << visit;
    const double part = visit < 10 ? 1.0 / 3 : 2.0 / 3;
    EXPECT_NEAR(static_cast<double>(choice->budget.count()), part * 4'750, 1) << visit;
    EXPECT_EQ(choice->reason, visit < 10 ? Reason::kSignificance : Reason::kDeepen) << visit;
    queue.on_sent(at_ms(400), choice->key, 0.1, choice->budget);
  }
  EXPECT_FALSE(queue.next(at_ms(400), kSlowLink));
}

TEST(LinkQueue, DropsTheSecondPartWhenTheTileChangesAgain) {
  LinkQueue queue = with_ten_tiles();
  const auto first = queue.next(at_ms(400), kSlowLink);
  queue.on_sent(at_ms(400), first->key, 0.1, first->budget);
  queue.on_merge(at_ms(500), first->key, update(1e9));
  const auto again = queue.next(at_ms(500), kSlowLink);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->key, first->key);
  EXPECT_EQ(again->reason, Reason::kSignificance);
  EXPECT_NEAR(static_cast<double>(again->budget.count()), 4'750.0 / 3, 1);
}

TEST(LinkQueue, SendsWhatHasADeadlineInOnePart) {
  LinkQueue queue = with_ten_tiles();
  queue.on_merge(at_ms(400), {1, 3}, due(1, at_ms(410)));
  const auto choice = queue.next(at_ms(400), kSlowLink);
  ASSERT_TRUE(choice);
  EXPECT_EQ(choice->key.tile, 3U);
  EXPECT_NEAR(static_cast<double>(choice->budget.count()), 4'750, 1);
}

TEST(LinkQueue, GivesAChangingTileOnAFastLinkWhatItsUpdateIsWorth) {
  LinkQueue queue = with_ten_tiles();
  const LinkView fast{.rate = BitRate::mbps(1000), .quantum = Bytes::kib(64)};
  for (int visit = 0; visit < 10; ++visit) {
    const auto choice = queue.next(at_ms(400), fast);
    ASSERT_TRUE(choice) << visit;
    EXPECT_EQ(choice->budget, Bytes(kTile * 2 / 8)) << visit;  // two bits, at once
    queue.on_sent(at_ms(400), choice->key, 0.1, choice->budget);
  }
  EXPECT_FALSE(queue.next(at_ms(400), fast));
  // No update came: the tiles rest, and what is left of them goes as deep as the link allows.
  const auto rest = queue.next(at_ms(600), fast);
  ASSERT_TRUE(rest);
  EXPECT_EQ(rest->reason, Reason::kDeepen);
  EXPECT_EQ(rest->budget, fast.quantum);
}

TEST(LinkQueue, HoldsATileThatRestedAndChangesAgainToWhatItsUpdateIsWorth) {
  LinkQueue queue = with_ten_tiles();
  const LinkView fast{.rate = BitRate::mbps(1000), .quantum = Bytes::kib(64)};
  while (const auto choice = queue.next(at_ms(400), fast)) {
    queue.on_sent(at_ms(400), choice->key, 0.1, choice->budget);
  }
  const auto rest = queue.next(at_ms(600), fast);
  ASSERT_TRUE(rest);
  EXPECT_EQ(rest->budget, fast.quantum);
  queue.on_merge(at_ms(600), rest->key, update(1e9));
  const auto again = queue.next(at_ms(600), fast);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->key, rest->key);
  EXPECT_EQ(again->budget, Bytes(kTile * 2 / 8));
}

TEST(LinkQueue, GivesAChangingTileWithADeadlineAllThatTheLinkAllows) {
  LinkQueue queue = with_ten_tiles();
  queue.on_merge(at_ms(400), {1, 3}, due(1, at_ms(410)));
  const LinkView fast{.rate = BitRate::mbps(1000), .quantum = Bytes::kib(64)};
  const auto choice = queue.next(at_ms(400), fast);
  ASSERT_TRUE(choice);
  EXPECT_EQ(choice->key.tile, 3U);
  EXPECT_EQ(choice->budget, fast.quantum);
}

TEST(LinkQueue, SendsWhatRestsToItsEndWithoutAPause) {
  LinkQueue queue = with_ten_tiles();
  const LinkView narrow{.rate = BitRate::mbps(100), .quantum = Bytes(4'096)};
  for (int visit = 0; visit < 20; ++visit) {  // two quanta make a changing tile's two bits
    const auto choice = queue.next(at_ms(400), narrow);
    ASSERT_TRUE(choice) << visit;
    queue.on_sent(at_ms(400), choice->key, 0.1, choice->budget);
  }
  ASSERT_FALSE(queue.next(at_ms(400), narrow));
  // Nothing has changed for an interval: what is left goes at once, beyond the budget of one visit,
  // and the link is never idle while something is left.
  for (int visit = 0; visit < 1'000; ++visit) {
    const auto choice = queue.next(at_ms(600), narrow);
    ASSERT_TRUE(choice) << visit;
    EXPECT_EQ(choice->reason, Reason::kDeepen);
    queue.on_sent(at_ms(600), choice->key, 0.1, choice->budget);
  }
  while (const auto choice = queue.next(at_ms(600), narrow)) {
    queue.on_sent(at_ms(600), choice->key, 0, choice->budget);
  }
  EXPECT_EQ(queue.pending_keys(), 0U);
}

TEST(LinkQueue, GivesATileThatChangedOnceAllThatTheLinkAllows) {
  LinkQueue queue;
  queue.on_merge(at_ms(0), {1, 0}, update(1));
  const LinkView fast{.rate = BitRate::mbps(1000), .quantum = Bytes::kib(64)};
  EXPECT_EQ(queue.next(at_ms(0), fast)->budget, fast.quantum);
}

TEST(LinkQueue, NeverGivesMoreThanTheQuantum) {
  LinkQueue queue;
  queue.on_merge(at_ms(0), {1, 0}, update(1));
  const LinkView narrow{.rate = BitRate::mbps(1000), .quantum = Bytes(1400)};
  EXPECT_EQ(queue.next(at_ms(0), narrow)->budget, Bytes(1400));
  EXPECT_FALSE(queue.next(at_ms(0), {.rate = BitRate::mbps(1), .quantum = Bytes(0)}));
}

TEST(LinkQueue, GoesOnWithAVisitThatTheQuantumCut) {
  LinkQueue queue;
  queue.on_merge(at_ms(0), {1, 0}, update(100));
  const LinkView narrow{.rate = BitRate::mbps(16), .quantum = Bytes(1400)};
  // 16 Mbit/s for the initial 100 ms, one tile: 190,000 bytes planned, so the visit is not over.
  queue.on_sent(at_ms(0), queue.next(at_ms(0), narrow)->key, 50, Bytes(1400));
  const auto choice = queue.next(at_ms(0), narrow);
  ASSERT_TRUE(choice);
  EXPECT_EQ(choice->reason, Reason::kSignificance);
}

TEST(LinkQueue, HoldsWhatAVisitLeftForOneUpdateInterval) {
  LinkQueue queue;
  queue.on_merge(at_ms(0), {1, 0}, update(100));
  const auto choice = queue.next(at_ms(0), kLink);
  // The whole budget is used (a tile of 190,000 bytes is cut by the quantum, so give it all).
  queue.on_sent(at_ms(0), choice->key, 1, Bytes(190'000));
  EXPECT_FALSE(queue.next(at_ms(0), kLink));
  // The interval is 100 ms until one is learned; holds are powers of two of 10 ms.
  EXPECT_EQ(queue.next_wakeup(), at_ms(160));
  EXPECT_FALSE(queue.next(at_ms(159), kLink));
  const auto deeper = queue.next(at_ms(160), kLink);
  ASSERT_TRUE(deeper);
  EXPECT_EQ(deeper->reason, Reason::kDeepen);
}

TEST(LinkQueue, DeepensDownToTheTolerance) {
  LinkQueue queue;
  queue.configure_lane(1, {.weight = 1, .tolerance_per_element = 1e-3});
  queue.on_merge(at_ms(0), {1, 0}, update(100));
  queue.next(at_ms(0), kLink);
  queue.on_sent(at_ms(0), {1, 0}, 1e-3 * kTile + 0.1, Bytes(190'000));
  ASSERT_TRUE(queue.next(at_ms(200), kLink));
  queue.on_sent(at_ms(200), {1, 0}, 1e-3 * kTile, Bytes(190'000));
  EXPECT_EQ(queue.pending_keys(), 0U);
  EXPECT_FALSE(queue.next(at_ms(9'000), kLink));
}

TEST(LinkQueue, PrefersChangedKeysToDeepening) {
  LinkQueue queue;
  queue.on_merge(at_ms(0), {1, 0}, update(1e9));
  queue.next(at_ms(0), kLink);
  queue.on_sent(at_ms(0), {1, 0}, 1e8, Bytes(190'000));
  queue.on_merge(at_ms(300), {1, 1}, update(1));
  EXPECT_EQ(queue.next(at_ms(300), kLink)->key.tile, 1U);
}

TEST(LinkQueue, DoesNotAskAgainAtOnceAfterAVisitWithoutBytes) {
  LinkQueue queue;
  queue.set_draining(at_ms(0), 1, true);
  queue.on_merge(at_ms(0), {1, 0}, update(100));
  queue.next(at_ms(0), kLink);
  queue.on_sent(at_ms(0), {1, 0}, 100, Bytes(0));
  EXPECT_FALSE(queue.next(at_ms(0), kLink));
  EXPECT_TRUE(queue.next(queue.next_wakeup(), kLink));
}

TEST(LinkQueue, CountsEachVisitByItsReason) {
  LinkQueue queue;
  queue.on_merge(at_ms(0), {1, 0}, update(1));
  queue.on_merge(at_ms(0), {1, 1}, due(1, at_ms(5)));
  drain(queue, at_ms(0));
  EXPECT_EQ(queue.stats().decisions[static_cast<std::size_t>(Reason::kDeadline)], 1U);
  EXPECT_EQ(queue.stats().decisions[static_cast<std::size_t>(Reason::kSignificance)], 1U);
}

TEST(LinkQueue, SurvivesTimesThatGoBack) {
  LinkQueue queue;
  queue.on_merge(at_ms(100), {1, 0}, update(1));
  queue.on_merge(at_ms(50), {1, 0}, update(1));
  EXPECT_TRUE(queue.next(at_ms(10), kLink));
  EXPECT_EQ(queue.oldest_age(at_ms(150)), Duration::ms(50));
}

}  // namespace
}  // namespace godwit::scheduler

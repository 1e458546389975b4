// The door: numbering, duplicates, head-room, and merging in pieces.
#include <limits>
#include <numeric>

#include <gtest/gtest.h>

#include "tests/dataplane/ledger/support.h"

namespace godwit::ledger::test {
namespace {

class Publish : public testing::Test {
 protected:
  Begin begin(const PublishRequest& request) { return site->begin_publish(inbox, request).value(); }
  void publish_unmerged(InboxIndex to,
                        std::uint64_t number,
                        std::uint64_t first,
                        const std::vector<std::int64_t>& values) {
    ASSERT_EQ(site->begin_publish(
                      to, {.number = number, .step = 0, .first = first, .count = values.size()})
                  .value(),
              Begin::kFresh);
    ASSERT_TRUE(site->stage(to, first, values).has_value());
    ASSERT_TRUE(site->commit_publish(to).has_value());
  }

  Site site{"fra"};
  InboxIndex inbox = site->open_inbox(PublisherId(1), {1, 1}).value();
};

TEST_F(Publish, AddsEveryRangeToTheSum) {
  std::vector<std::int64_t> values(40'000);
  std::iota(values.begin(), values.end(), -20'000);
  site.publish(inbox, 1, 4'000, values);
  site.publish(inbox, 2, 30'000, values);
  const auto sum = site.sum();
  for (std::size_t e = 0; e < sum.size(); ++e) {
    std::int64_t expected = 0;
    for (const std::size_t first : {4'000U, 30'000U}) {
      expected += e >= first && e < first + values.size() ? values[e - first] : 0;
    }
    ASSERT_EQ(sum[e], expected) << e;
  }
  site.scrub();
  EXPECT_EQ(site.defects(), 0U);
}

TEST_F(Publish, MergesARepeatedNumberOnce) {
  site.publish(inbox, 1, 0, {5});
  EXPECT_EQ(begin({.number = 1, .step = 0, .first = 0, .count = 1}), Begin::kDuplicate);
  site.restart();
  EXPECT_EQ(site->open_inbox(PublisherId(1), {1, 1}).value(), inbox);
  EXPECT_EQ(begin({.number = 1, .step = 0, .first = 0, .count = 1}), Begin::kDuplicate);
  EXPECT_EQ(site.sum()[0], 5);
}

TEST_F(Publish, RemembersAStepOverThePublishersNewIncarnation) {
  ASSERT_EQ(begin({.number = 1, .step = 10, .first = 0, .count = 1}), Begin::kFresh);
  const std::vector<std::int64_t> one = {1};
  ASSERT_TRUE(site->stage(inbox, 0, one).has_value());
  ASSERT_TRUE(site->commit_publish(inbox).has_value());
  site->merge_some(10);
  ASSERT_EQ(site->open_inbox(PublisherId(1), {2, 5}).value(), inbox);
  EXPECT_EQ(site->inbox(inbox).last_number, 0U);
  EXPECT_EQ(begin({.number = 1, .step = 10, .first = 0, .count = 1}), Begin::kDuplicateStep);
  EXPECT_EQ(begin({.number = 1, .step = 11, .first = 0, .count = 1}), Begin::kFresh);
}

// Two processes that both found {1, 1} begin; what their incarnations are says nothing of the
// order.
TEST_F(Publish, AProcessThatCameBackReplacesOnlyTheOneThatItFound) {
  const auto come_back = [this](Incarnation life, Incarnation found) {
    return site->open_inbox(PublisherId(1), life, PublisherKind::kNamed, found);
  };
  site.publish(inbox, 1, 0, {5});
  EXPECT_EQ(come_back({7, 7}, {1, 1}).value(), inbox);
  EXPECT_EQ(come_back({0, 8}, {1, 1}).error().code, Code::kRefused);
  site.restart();
  EXPECT_EQ(come_back({0, 8}, {1, 1}).error().code, Code::kRefused);
  EXPECT_EQ(come_back({7, 7}, {1, 1}).value(), inbox) << "it holds the slot already";
  EXPECT_EQ(come_back({0, 8}, {7, 7}).value(), inbox);
  EXPECT_EQ(come_back({7, 7}, {1, 1}).error().code, Code::kRefused);
}

TEST_F(Publish, IsSafeOnceCommittedAndIsMergedAfterARestart) {
  publish_unmerged(inbox, 1, 0, std::vector<std::int64_t>(20'000, 3));
  EXPECT_TRUE(site->merge_some(2));  // of five blocks
  EXPECT_EQ(site->merged_through(), PublishNumber(0));
  site.restart();
  EXPECT_EQ(begin({.number = 1, .step = 0, .first = 0, .count = 1}), Begin::kDuplicate);
  EXPECT_EQ(begin({.number = 2, .step = 0, .first = 0, .count = 1}), Begin::kBusy);
  EXPECT_TRUE(site->merge_some(2));
  EXPECT_FALSE(site->merge_some(1));
  EXPECT_EQ(site->merged_through(), PublishNumber(1));
  const auto sum = site.sum();
  EXPECT_EQ(std::count(sum.begin(), sum.end(), 3), 20'000);
  EXPECT_EQ(site.defects(), 0U);
}

TEST_F(Publish, LeavesNothingOfWhatWasNotCommitted) {
  ASSERT_EQ(begin({.number = 1, .step = 0, .first = 0, .count = 2}), Begin::kFresh);
  const std::vector<std::int64_t> one = {1};
  ASSERT_TRUE(site->stage(inbox, 0, one).has_value());
  EXPECT_EQ(site->commit_publish(inbox).error().code, Code::kInvalid);  // one value is missing
  site->abandon_publish(inbox);
  EXPECT_EQ(site->stage(inbox, 1, one).error().code, Code::kInvalid);
  EXPECT_EQ(site->last_publish(), PublishNumber(0));
  EXPECT_EQ(site.sum()[0], 0);
}

TEST_F(Publish, WantsItsValuesInOrderAndInsideTheShape) {
  const std::vector<std::int64_t> two = {1, 2};
  EXPECT_FALSE(site->begin_publish(inbox, {.number = 1, .step = 0, .first = 69'999, .count = 2}));
  EXPECT_FALSE(site->begin_publish(inbox, {.number = 0, .step = 0, .first = 0, .count = 1}));
  EXPECT_FALSE(site->begin_publish(inbox, {.number = 1, .step = 0, .first = 0, .count = 0}));
  EXPECT_FALSE(site->begin_publish(
      inbox,
      {.number = 1, .step = 0, .first = 1, .count = std::numeric_limits<std::uint64_t>::max()}));
  ASSERT_EQ(begin({.number = 1, .step = 0, .first = 10, .count = 3}), Begin::kFresh);
  EXPECT_FALSE(site->stage(inbox, 11, two).has_value());
  ASSERT_TRUE(site->stage(inbox, 10, two).has_value());
  EXPECT_FALSE(site->stage(inbox, 12, two).has_value());
}

TEST_F(Publish, IsRefusedAsAWholeWithIndexAndValueBeyondTheHeadRoom) {
  const std::int64_t most = (std::int64_t{1} << 62U) / 3;  // three sites are configured
  site.publish(inbox, 1, 100, {most, -most});
  ASSERT_EQ(begin({.number = 2, .step = 0, .first = 99, .count = 3}), Begin::kFresh);
  const std::vector<std::int64_t> values = {7, -1, -1};
  ASSERT_TRUE(site->stage(inbox, 99, values).has_value());
  BeyondRange beyond;
  const auto refused = site->commit_publish(inbox, &beyond);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::kRefused);
  EXPECT_EQ(beyond.element, 101U);
  EXPECT_EQ(beyond.value, -1);
  EXPECT_NE(refused.error().message.find("value -1 quanta at element 101"), std::string::npos)
      << refused.error().message;
  EXPECT_EQ(site.sum()[99], 0);
  // The same number may be used for something else, and the other direction is free.
  site.publish(inbox, 2, 100, {-1, 1});
  EXPECT_EQ(site.sum()[100], most - 1);
}

TEST_F(Publish, CountsCommittedPublishesOfOthersIntoTheHeadRoom) {
  const std::int64_t most = (std::int64_t{1} << 62U) / 3;
  const InboxIndex other = site->open_inbox(PublisherId(2), {1, 1}).value();
  publish_unmerged(inbox, 1, 0, {most - 5});
  ASSERT_EQ(site->begin_publish(other, {.number = 1, .step = 0, .first = 0, .count = 1}).value(),
            Begin::kFresh);
  const std::vector<std::int64_t> six = {6};
  ASSERT_TRUE(site->stage(other, 0, six).has_value());
  EXPECT_EQ(site->commit_publish(other).error().code, Code::kRefused);
  // After a restart nothing is known of P's extremes: the door looks, and still knows.
  site.restart();
  ASSERT_TRUE(site->begin_publish(other, {.number = 1, .step = 0, .first = 0, .count = 1}));
  ASSERT_TRUE(site->stage(other, 0, six).has_value());
  EXPECT_EQ(site->commit_publish(other).error().code, Code::kRefused);
  publish_unmerged(other, 1, 0, {5});
}

TEST_F(Publish, RefusesTheLeastInteger) {
  ASSERT_EQ(begin({.number = 1, .step = 0, .first = 0, .count = 1}), Begin::kFresh);
  const std::vector<std::int64_t> least = {std::numeric_limits<std::int64_t>::min()};
  ASSERT_TRUE(site->stage(inbox, 0, least).has_value());
  EXPECT_EQ(site->commit_publish(inbox).error().code, Code::kRefused);
}

TEST_F(Publish, ReusesTheLongestClosedInboxWhenAllAreTaken) {
  const InboxIndex second = site->open_inbox(PublisherId(2), {1, 1}).value();
  const InboxIndex third = site->open_inbox(PublisherId(3), {1, 1}).value();
  EXPECT_EQ(site->open_inbox(PublisherId(4), {1, 1}).error().code, Code::kFull);
  site->close_inbox(third);
  site->close_inbox(second);
  EXPECT_EQ(site->publishers_forgotten(), 0U);
  EXPECT_EQ(site->open_inbox(PublisherId(4), {1, 1}).value(), third);
  EXPECT_EQ(site->publishers_forgotten(), 1U);
  EXPECT_EQ(site->open_inbox(PublisherId(2), {1, 1}).value(), second);
  EXPECT_EQ(site->publishers_forgotten(), 1U) << "its own";
  site.restart();
  EXPECT_EQ(site->publishers_forgotten(), 1U);
  EXPECT_EQ(site->inbox(inbox).publisher, PublisherId(1));
}

// What a name promises must hold: rather no room for a newcomer than a step that merges twice.
TEST_F(Publish, NeverForgetsTheStepOfANamedPublisher) {
  const auto publish_step = [&](InboxIndex to, std::uint64_t step) {
    const std::vector<std::int64_t> one = {1};
    ASSERT_EQ(site->begin_publish(to, {.number = 1, .step = step, .first = 0, .count = 1}).value(),
              Begin::kFresh);
    ASSERT_TRUE(site->stage(to, 0, one).has_value());
    ASSERT_TRUE(site->commit_publish(to).has_value());
    site->merge_some(1);
  };
  publish_step(inbox, 7);
  site->close_inbox(inbox);
  // Of two slots left one is of a named publisher without steps, the other of an unnamed one.
  const InboxIndex stepless = site->open_inbox(PublisherId(2), {1, 1}).value();
  site.publish(stepless, 1, 0, {1});
  site->close_inbox(stepless);
  for (std::uint64_t id = 3; id < 20; ++id) {
    const InboxIndex passing =
        site->open_inbox(PublisherId(id), {1, 1}, PublisherKind::kUnnamed).value();
    EXPECT_NE(passing, inbox) << id;
    publish_step(passing, 5);
    site->close_inbox(passing);
  }
  const InboxIndex second = site->open_inbox(PublisherId(20), {1, 1}).value();
  const InboxIndex third = site->open_inbox(PublisherId(21), {1, 1}).value();
  publish_step(second, 1);
  site->close_inbox(second);
  site.restart();
  EXPECT_EQ(site->open_inbox(PublisherId(22), {1, 1}).error().code, Code::kFull);
  site->close_inbox(third);
  EXPECT_EQ(site->open_inbox(PublisherId(22), {1, 1}).value(), third);
  ASSERT_EQ(site->open_inbox(PublisherId(1), {2, 5}).value(), inbox);
  EXPECT_EQ(begin({.number = 1, .step = 7, .first = 0, .count = 1}), Begin::kDuplicateStep);
}

TEST_F(Publish, ReportsWhatChangedPerTileOnce) {
  site.publish(inbox, 1, 0, {3, -4});
  site.publish(inbox, 2, 32'767, {2, 1});
  std::vector<TileActivity> activity(8);
  ASSERT_EQ(site->poll_activity(activity), 2U);
  EXPECT_EQ(activity[0].tile, 0U);
  EXPECT_EQ(activity[0].energy, 9.0 + 16.0 + 4.0);
  EXPECT_EQ(activity[0].max, 4U);
  EXPECT_EQ(activity[0].last, PublishNumber(2));
  EXPECT_EQ(activity[1].tile, 1U);
  EXPECT_FALSE(activity[1].applied);
  EXPECT_EQ(site->poll_activity(activity), 0U);
}

}  // namespace
}  // namespace godwit::ledger::test

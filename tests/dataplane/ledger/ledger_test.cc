// Attaching: what is created, kept, refused; storage and its bound; recovery of each half-done
// thing.
#include <algorithm>
#include <cstring>

#include <gtest/gtest.h>

#include "dataplane/ledger/layout.h"
#include "tests/dataplane/ledger/support.h"
#include "tests/support/allocation_guard.h"

namespace godwit::ledger::test {
namespace {

TEST(Ledger, KeepsItsIncarnationOverARestart) {
  Site site("fra");
  EXPECT_FALSE(site->recovered());
  site.life = {9, 9};
  site.restart();
  EXPECT_TRUE(site->recovered());
  EXPECT_EQ(site->incarnation(), (Incarnation{1, 77}));
}

TEST(Ledger, RefusesAnotherShapeByNameAndChangesNothing) {
  Site site("fra");
  const auto inbox = site->open_inbox(PublisherId(1), {1, 1}).value();
  site.publish(inbox, 1, 0, {5});
  site.ledger.reset();
  const std::vector<std::byte> before(site.mapping.bytes().begin(),
                                      site.mapping.bytes().begin() + (1 << 20));
  const auto refused = [&](auto change) {
    Shape other = site.shape;
    change(other);
    const auto attached = Ledger::attach(site.mapping, other, site.life, site.workspace);
    EXPECT_FALSE(attached.has_value());
    return attached ? std::string() : attached.error().message;
  };
  EXPECT_NE(refused([](Shape& s) { s.topic = TopicId(1); }).find("topic"), std::string::npos);
  EXPECT_NE(refused([](Shape& s) { s.element_count -= 1; }).find("element_count"),
            std::string::npos);
  EXPECT_NE(refused([](Shape& s) { s.site = SiteId(1); }).find("site"), std::string::npos);
  EXPECT_NE(refused([](Shape& s) { s.lanes_in = 1; }).find("lanes_in"), std::string::npos);
  EXPECT_NE(refused([](Shape& s) { s.ring_bytes *= 2; }).find("ring_bytes"), std::string::npos);
  EXPECT_EQ(std::memcmp(before.data(), site.mapping.bytes().data(), before.size()), 0);
  site.restart();
  EXPECT_EQ(site.sum()[0], 5);
}

TEST(Ledger, RefusesAnUnknownLayoutVersion) {
  Site site("fra");
  site.ledger.reset();
  reinterpret_cast<HeaderRecord*>(site.mapping.bytes().data())->version = kLayoutVersion + 1;
  const auto attached = Ledger::attach(site.mapping, site.shape, site.life, site.workspace);
  ASSERT_FALSE(attached.has_value());
  EXPECT_EQ(attached.error().code, Code::kUnsupported);
}

TEST(Ledger, RefusesARedoSlotThatNoStepWrote) {
  Site site("fra");
  site.ledger.reset();
  const Layout layout(site.shape);
  auto* record = reinterpret_cast<RedoRecord*>(site.mapping.bytes().data() + layout.redo);
  record->commit = 1;
  record->range_count = 1;
  record->word_count = 0;
  record->ranges[0] = {.offset = layout.total - 8, .bytes = 16, .is_lines = 0};
  const auto attached = Ledger::attach(site.mapping, site.shape, site.life, site.workspace);
  ASSERT_FALSE(attached.has_value());
  EXPECT_EQ(attached.error().code, Code::kCorrupt);
}

TEST(Shape, TheSumAndWhatIsOpenStayWithin62Bits) {
  Shape shape;
  for (shape.site_count = 1; shape.site_count <= 64; ++shape.site_count) {
    const auto most = static_cast<std::uint64_t>(shape.magnitude_max());
    EXPECT_LE(shape.site_count * most, std::uint64_t{1} << 62U) << shape.site_count;
    EXPECT_LT(3 * most, std::uint64_t{1} << 62U) << "P against twice as much in S";
  }
}

TEST(Ledger, RefusesShapesOutOfRange) {
  Shape shape = small_shape("fra");
  EXPECT_TRUE(check_shape(shape).has_value());
  for (auto* field : {&shape.lanes_out, &shape.lanes_in, &shape.inboxes, &shape.site_count}) {
    const auto kept = *field;
    *field = 0;
    EXPECT_FALSE(check_shape(shape).has_value());
    *field = kept;
  }
  shape.element_count = 0;
  EXPECT_FALSE(check_shape(shape).has_value());
  shape.element_count = kElementsMax + 1;
  EXPECT_FALSE(check_shape(shape).has_value());
}

TEST(Ledger, OccupiesNoMoreThanItsBoundAndNothingForElementsNotTouched) {
  Shape shape = small_shape("fra");
  shape.element_count = 1U << 30U;  // 8 GiB per array if it were dense
  Site site(shape, {1, 1});
  const std::uint64_t empty = site->bytes_used();
  const auto inbox = site->open_inbox(PublisherId(1), {1, 1}).value();
  site.publish(inbox, 1, 500'000'000, {1, 2, 3});
  // A tile of P and a granule of staging.
  EXPECT_EQ(site->bytes_used() - empty, kTileBytes + kBlockBytes);
  EXPECT_LE(site->bytes_used(), site->bytes_bound());
}

// Elements so many that nothing else counts: P, R, an S for each lane, the staging of each
// publisher.
TEST(Ledger, SaysABoundThatIsTheDesigns) {
  Shape shape = small_shape("fra");
  shape.element_count = 1U << 30U;
  for (const std::uint32_t lanes : {0U, 1U, 3U}) {
    for (const std::uint32_t inboxes : {0U, 2U}) {
      const Occupancy who = {.site_lanes = lanes, .lane_slots = lanes, .inboxes = inboxes};
      const auto arrays = static_cast<double>(storage_bound(shape, who)) /
                          static_cast<double>(shape.element_count * sizeof(std::int64_t));
      EXPECT_NEAR(arrays, 2.0 + lanes + inboxes, 0.02) << lanes << " lanes, " << inboxes;
    }
  }
}

TEST(Ledger, WorksWithTheMemoryThatItSaysAndNoMore) {
  for (const std::uint64_t elements : {1U, 70'000U, 5'000'000U}) {
    Shape shape = small_shape("fra");
    shape.element_count = elements;
    auto mapping = memory_for(shape);
    SparseDecoder decoder;
    Workspace workspace(decoder);
    const testing_support::AllocationGuard guard;
    const auto ledger = Ledger::attach(mapping, shape, {1, 1}, workspace);
    ASSERT_TRUE(ledger.has_value());
    EXPECT_LE(guard.bytes(), work_bytes(shape) + 64) << elements << ": and the handle";
    EXPECT_GE(guard.bytes() * 100, work_bytes(shape) * 99) << elements;
  }
}

TEST(Ledger, CountsPublishesOverAllItsLives) {
  Site site("fra");
  const auto inbox = site->open_inbox(PublisherId(1), {1, 1}).value();
  site.publish(inbox, 1, 0, {1, 2, 3});
  site.restart();
  site.publish(inbox, 2, 0, {1, 2});
  EXPECT_EQ(site->publishes(), 2U);
  EXPECT_EQ(site->elements_published(), 5U);
  EXPECT_EQ(site->begin_publish(inbox, {.number = 2, .step = 0, .first = 0, .count = 2}).value(),
            Begin::kDuplicate);
  EXPECT_EQ(site->publishes(), 2U);
}

TEST(Ledger, NeedsNoMoreForSubscribersAndPublishersThatHaveGone) {
  Site site("fra");
  const std::uint64_t alone = site->bytes_bound();
  const auto inbox = site->open_inbox(PublisherId(1), {1, 1}).value();
  const auto lane = site->open_lane({LaneKind::kSubscriber, 5, {1, 1}}).value();
  const std::uint64_t both = site->bytes_bound();
  EXPECT_EQ(site->occupancy().subscriber_lanes, 1U);
  EXPECT_EQ(site->occupancy().inboxes, 1U);
  site.publish(inbox, 1, 0, std::vector<std::int64_t>(70'000, 1));
  EXPECT_LE(site->bytes_used(), both);
  site->close_lane(lane);
  site->close_inbox(inbox);
  const std::uint64_t tables = 2 * memory::kGranuleBytes + kBlockBytes;
  EXPECT_LE(site->bytes_bound(), alone + tables) << "the tables of the lane stay";
  EXPECT_LE(site->bytes_used(), site->bytes_bound());
  EXPECT_EQ(site->occupancy().inboxes, 0U);
}

// What it staged is still to be merged when it goes; afterwards nobody needs it.
TEST(Ledger, GivesTheStagingOfAClosedPublisherBackOnceItIsMerged) {
  Site site("fra");
  const std::uint64_t empty = site->bytes_used();
  const std::vector<std::int64_t> values(70'000, 1);
  const auto commit = [&](std::uint64_t publisher) {
    const auto inbox = site->open_inbox(PublisherId(publisher), {1, 1}).value();
    EXPECT_TRUE(site->begin_publish(inbox, {.number = 1, .step = 0, .first = 0, .count = 70'000})
                    .has_value());
    EXPECT_TRUE(site->stage(inbox, 0, values).has_value());
    EXPECT_TRUE(site->commit_publish(inbox).has_value());
    site->close_inbox(inbox);
    EXPECT_EQ(site->occupancy().inboxes, 1U);
  };
  const auto merged = [&] {
    while (site->merge_some(100)) {
    }
    EXPECT_EQ(site->occupancy().inboxes, 0U);
    EXPECT_EQ(site->bytes_used(), empty + (site.shape.tile_count() * kTileBytes)) << "P alone";
  };
  commit(1);
  merged();
  commit(2);
  site.restart();
  merged();
  EXPECT_EQ(site.sum()[69'999], 2);
}

TEST(Ledger, AFullStoreRefusesAPublishAndAcceptsItLater) {
  Site site("fra");
  const auto inbox = site->open_inbox(PublisherId(1), {1, 1}).value();
  site.publish(inbox, 1, 0, {1});
  site.mapping.set_storage_max(site.mapping.storage_bytes());
  const std::vector<std::int64_t> values(100, 4);
  ASSERT_EQ(
      site->begin_publish(inbox, {.number = 2, .step = 0, .first = 60'000, .count = 100}).value(),
      Begin::kFresh);
  const auto staged = site->stage(inbox, 60'000, values);
  ASSERT_FALSE(staged.has_value());
  EXPECT_EQ(staged.error().code, Code::kFull);
  site.mapping.set_storage_max(site.mapping.storage_bytes() + kBlockBytes);
  ASSERT_TRUE(site->stage(inbox, 60'000, values).has_value());
  const auto committed = site->commit_publish(inbox);
  ASSERT_FALSE(committed.has_value());
  EXPECT_EQ(committed.error().code, Code::kFull);
  site.mapping.set_storage_max(1U << 30U);
  EXPECT_TRUE(site->commit_publish(inbox).has_value());
  site->merge_some(100);
  EXPECT_EQ(site.sum()[60'099], 4);
  EXPECT_EQ(site.defects(), 0U);
}

TEST(Ledger, KeepsASeedBesideTheSums) {
  Shape shape = small_shape("fra");
  shape.seed = true;
  Site site(shape, {1, 1});
  const std::vector<float> seed = {1.5F, -2.0F};
  ASSERT_TRUE(site->write_seed(32'767, seed).has_value());
  site.restart();
  std::vector<float> tile(kTileElements);
  ASSERT_TRUE(site->read_seed(0, tile).has_value());
  EXPECT_EQ(tile[32'767], 1.5F);
  ASSERT_TRUE(site->read_seed(1, tile).has_value());
  EXPECT_EQ(tile[0], -2.0F);
  EXPECT_FALSE(site->write_seed(69'999, seed).has_value());
  Site without("fra");
  EXPECT_EQ(without->read_seed(0, tile).error().code, Code::kNotFound);
}

}  // namespace
}  // namespace godwit::ledger::test

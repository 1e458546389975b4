// The proof: the scrubber finds a flipped bit anywhere, and no change under its cursor misleads it.
#include <gtest/gtest.h>

#include "dataplane/base/random.h"
#include "dataplane/ledger/layout.h"
#include "tests/dataplane/ledger/support.h"

namespace godwit::ledger::test {
namespace {

class Audit : public testing::Test {
 protected:
  Audit() {
    a.publish(inbox, 1, 0, std::vector<std::int64_t>(5'000, 9));
    a.freeze_all(ab.lane, {0});
    EXPECT_TRUE(ab.deliver(1).has_value());
    EXPECT_TRUE(ab.receipt().has_value());
  }
  Site a{"fra"};
  Site b{"iad"};
  Pair ab{a, b};
  InboxIndex inbox = a->open_inbox(PublisherId(1), {1, 1}).value();
};

TEST_F(Audit, FindsNothingWrongInASoundLedger) {
  for (Site* site : {&a, &b}) {
    site->scrub();
    site->scrub();
    EXPECT_EQ(site->defects(), 0U);
  }
  const Conservation proof = a->conservation();
  EXPECT_EQ(proof.published, 45'000.0);
  EXPECT_EQ(proof.sent, 45'000.0);
  EXPECT_EQ(proof.in_flight, 0.0);
  EXPECT_EQ(b->conservation().applied, 45'000.0);
  EXPECT_EQ(b->conservation().checksum_applied, proof.checksum_published);
}

TEST_F(Audit, FindsAFlippedBitInEveryArray) {
  const Layout layout(a.shape);
  const auto flip_is_found = [](Site& site, std::uint64_t offset, std::uint32_t bit) {
    site.restart();
    std::byte& byte = site.mapping.bytes()[offset + (bit / 8)];
    byte ^= std::byte{1} << (bit % 8);
    site.scrub();
    site.scrub();
    const bool found = site.defects() > 0;
    byte ^= std::byte{1} << (bit % 8);
    site.restart();
    site.scrub();
    EXPECT_EQ(site.defects(), 0U);
    return found;
  };
  Random random(4);
  for (int i = 0; i < 20; ++i) {
    const std::uint64_t element = random.below(kTileElements) * 8;
    const auto bit = static_cast<std::uint32_t>(random.below(64));
    EXPECT_TRUE(flip_is_found(a, layout.p + element, bit));
    EXPECT_TRUE(flip_is_found(a, layout.lane_s(ab.lane.value()) + element, bit));
    EXPECT_TRUE(flip_is_found(b, layout.r + element, bit));
  }
}

TEST_F(Audit, StaysRightWhileTheSumsChangeUnderItsCursor) {
  Random random(5);
  std::uint64_t number = 1;
  for (int i = 0; i < 300; ++i) {
    a->audit(static_cast<std::uint32_t>(1 + random.below(5)));
    b->audit(static_cast<std::uint32_t>(1 + random.below(5)));
    a.publish(inbox, ++number, random.below(69'000), std::vector<std::int64_t>(1'000, i));
    if (!a->window_full(ab.lane) && random.chance(0.5)) {
      const auto tile = static_cast<std::uint32_t>(random.below(3));
      if (a->dirty(ab.lane, tile) && a->measure_open(ab.lane, tile).max > 0) {
        ASSERT_TRUE(a->begin_transfer(ab.lane, {}).has_value());
        std::vector<std::int64_t> open(kTileElements);
        a->read_open(ab.lane, tile, open);
        std::fill(open.begin() + 5'000, open.end(), 0);
        ASSERT_TRUE(a->append(ab.lane, tile, 0, sparse_code(open), open, 1).has_value());
        ASSERT_TRUE(ab.deliver(a->seal(ab.lane).value()).has_value());
        ASSERT_TRUE(ab.receipt().has_value());
      }
    }
  }
  EXPECT_GT(a->conservation().scrub_passes, 2U);
  EXPECT_GT(b->conservation().scrub_passes, 2U);
  EXPECT_EQ(a.defects(), 0U);
  EXPECT_EQ(b.defects(), 0U);
}

TEST_F(Audit, MeasuresWhatIsOpen) {
  a.publish(inbox, 2, 0, {-4, 6});
  a.scrub();
  a.scrub();
  EXPECT_EQ(a->conservation().open, 10.0);
}

}  // namespace
}  // namespace godwit::ledger::test

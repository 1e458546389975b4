#include "dataplane/base/ids.h"

#include <cstdint>
#include <type_traits>
#include <unordered_set>

#include <gtest/gtest.h>

namespace godwit {
namespace {

TEST(Ids, AreTheHashThatThePublishedVectorsOfFnvGive) {
  // draft-eastlake-fnv, appendix C: FNV-1a, 64 bits.
  EXPECT_EQ(fnv1a(""), 0xcbf29ce484222325U);
  EXPECT_EQ(fnv1a("a"), 0xaf63dc4c8601ec8cU);
  EXPECT_EQ(fnv1a("foobar"), 0x85944171f73967e8U);
  EXPECT_EQ(TopicId::of("foobar").value(), 0x85944171f73967e8U);
}

TEST(Ids, NarrowOnesFoldBothHalvesOfTheHash) {
  EXPECT_EQ(SiteId::of("foobar").value(), 0x85944171U ^ 0xf73967e8U);
}

TEST(Ids, BytesAboveOneHundredAndTwentySevenHashAsUnsigned) {
  const std::uint64_t step = (0xcbf29ce484222325U ^ 0xffU) * 0x100000001b3U;

  EXPECT_EQ(fnv1a("\xff"), step);
}

TEST(Ids, OfDifferentKindsDoNotMix) {
  EXPECT_FALSE((std::is_convertible_v<TopicId, PublisherId>));
  EXPECT_FALSE((std::is_convertible_v<std::uint64_t, TopicId>));
  EXPECT_FALSE((std::is_convertible_v<TopicId, std::uint64_t>));
}

TEST(Ids, AreKeysOfHashedContainers) {
  const std::unordered_set<SiteId> sites = {
      SiteId::of("fra"), SiteId::of("sin"), SiteId::of("fra")};

  EXPECT_EQ(sites.size(), 2U);
}

TEST(Incarnation, PacksTheCounterAboveTheNonce) {
  const Incarnation incarnation{.counter = 0x01020304, .nonce = 0xa0b0c0d0};

  EXPECT_EQ(incarnation.packed(), 0x01020304a0b0c0d0U);
  EXPECT_EQ(Incarnation::from_packed(incarnation.packed()), incarnation);
}

TEST(Incarnation, ALaterCounterIsGreaterWhateverTheNonce) {
  EXPECT_LT((Incarnation{.counter = 1, .nonce = 9}), (Incarnation{.counter = 2, .nonce = 0}));
  EXPECT_NE((Incarnation{.counter = 1, .nonce = 9}), (Incarnation{.counter = 1, .nonce = 8}));
}

}  // namespace
}  // namespace godwit

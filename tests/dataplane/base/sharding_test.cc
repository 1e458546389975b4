#include "dataplane/base/sharding.h"

#include <set>

#include <gtest/gtest.h>

#include "dataplane/ledger/types.h"

namespace godwit {
namespace {

static_assert(kShardTileElements == ledger::kTileElements, "shards are made of the ledger's tiles");

TEST(Sharding, GivesEachShardAMillionElementsAndATopicAtMost64) {
  constexpr std::uint64_t kTile = 32'768;
  EXPECT_EQ(Sharding::default_shards(1), 1U);
  EXPECT_EQ(Sharding::default_shards(2'000'000), 1U);
  EXPECT_EQ(Sharding::default_shards(63 * kTile), 1U);
  EXPECT_EQ(Sharding::default_shards(64 * kTile), 2U);
  EXPECT_EQ(Sharding::default_shards(127 * kTile), 2U);
  EXPECT_EQ(Sharding::default_shards(128 * kTile), 4U);
  EXPECT_EQ(Sharding::default_shards(64 * 32 * kTile), 64U);
  EXPECT_EQ(Sharding::default_shards(std::uint64_t{1} << 40), 64U);
}

TEST(Sharding, IsNotValidWithAShardThatHasNoTileOrACountThatIsNoPowerOfTwo) {
  EXPECT_TRUE((Sharding{.element_count = 1, .shards = 1}.is_valid()));
  EXPECT_TRUE((Sharding{.element_count = 32'769, .shards = 2}.is_valid()));
  EXPECT_FALSE((Sharding{.element_count = 32'768, .shards = 2}.is_valid()));
  EXPECT_FALSE((Sharding{.element_count = 1 << 30, .shards = 0}.is_valid()));
  EXPECT_FALSE((Sharding{.element_count = 1 << 30, .shards = 3}.is_valid()));
  EXPECT_FALSE((Sharding{.element_count = 1 << 30, .shards = 128}.is_valid()));
}

// Two and a half tiles in two shards: 0 has tiles 0 and 2, 1 has tile 1.
TEST(Sharding, CountsAsThePictureOfItsHeaderDoes) {
  const Sharding two{.element_count = 32'768 * 2 + 16'384, .shards = 2};
  EXPECT_EQ(two.tiles(), 3U);
  EXPECT_EQ(two.elements(0), 32'768U + 16'384U);
  EXPECT_EQ(two.elements(1), 32'768U);
  EXPECT_EQ(two.shard_of(32'767), 0U);
  EXPECT_EQ(two.shard_of(32'768), 1U);
  EXPECT_EQ(two.to_local(32'768), 0U);
  EXPECT_EQ(two.to_local(65'536 + 5), 32'768U + 5);
  EXPECT_EQ(two.to_global(1, 7), 32'768U + 7);
}

// api/local/SPEC.md, section 7.
TEST(Sharding, TheWorkedExampleOfTheSpecificationHolds) {
  const Sharding four{.element_count = 131'072, .shards = 4};
  EXPECT_EQ(four.shard_of(70'000), 2U);
  EXPECT_EQ(four.to_local(70'000), 4'464U);
  EXPECT_EQ(TopicId::of("w").value(), 0xaf63ea4c86020456U);
  EXPECT_EQ(worker_of(TopicId::of("w"), 2, 4), 0U);
}

TEST(Sharding, NeighbouringShardsAndTopicsFallToDifferentWorkers) {
  std::set<std::uint32_t> workers;
  for (std::uint32_t shard = 0; shard < 64; ++shard) {
    workers.insert(worker_of(TopicId(~std::uint64_t{0}), shard, 64));
  }
  EXPECT_EQ(workers.size(), 64U);
  EXPECT_EQ(worker_of(TopicId(67), 0, 4), 3U);
  EXPECT_EQ(worker_of(TopicId(67), 2, 4), 1U);
  EXPECT_EQ(worker_of(TopicId(67), 2, 1), 0U);
}

}  // namespace
}  // namespace godwit

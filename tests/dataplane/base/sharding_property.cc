#include <algorithm>
#include <array>
#include <cstdint>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "dataplane/base/sharding.h"

namespace godwit {
namespace {

Sharding any_sharding() {
  const auto shards = std::uint32_t{1} << *rc::gen::inRange(0U, 7U);
  const auto least = (shards - 1) * kShardTileElements + 1;
  return {.element_count = least + *rc::gen::inRange<std::uint64_t>(0, 300 * kShardTileElements),
          .shards = shards};
}

std::uint64_t element_of(const Sharding& sharding) {
  return *rc::gen::inRange<std::uint64_t>(0, sharding.element_count);
}

RC_GTEST_PROP(ShardingProperty, EveryElementHasOnePlaceInItsShardAndComesBack, ()) {
  const Sharding sharding = any_sharding();
  RC_ASSERT(sharding.is_valid());
  const std::uint64_t element = element_of(sharding);

  const std::uint32_t shard = sharding.shard_of(element);
  const std::uint64_t local = sharding.to_local(element);

  RC_ASSERT(shard < sharding.shards);
  RC_ASSERT(local < sharding.elements(shard));
  RC_ASSERT(sharding.to_global(shard, local) == element);
}

RC_GTEST_PROP(ShardingProperty, TheShardsTogetherHoldTheTopicAndNoneIsEmpty, ()) {
  const Sharding sharding = any_sharding();
  std::uint64_t sum = 0;
  std::uint64_t smallest = sharding.element_count;
  std::uint64_t largest = 0;
  for (std::uint32_t shard = 0; shard < sharding.shards; ++shard) {
    const std::uint64_t elements = sharding.elements(shard);
    const std::uint64_t last = sharding.to_global(shard, elements - 1);
    RC_ASSERT(elements > 0U);
    RC_ASSERT(last < sharding.element_count);
    RC_ASSERT(sharding.shard_of(last) == shard);
    sum += elements;
    smallest = std::min(smallest, elements);
    largest = std::max(largest, elements);
  }
  RC_ASSERT(sum == sharding.element_count);
  RC_ASSERT(largest - smallest <= kShardTileElements);
}

// Walks a short range element by element: in each shard it is [elements_below(first),
// elements_below(end)), without a gap and in order.
RC_GTEST_PROP(ShardingProperty, ARangeIsOneContiguousRangeInEachShard, ()) {
  const Sharding sharding = any_sharding();
  const std::uint64_t middle = element_of(sharding);
  const std::uint64_t tile = middle / kShardTileElements * kShardTileElements;
  const std::uint64_t first = middle % 2 == 0 ? std::max<std::uint64_t>(tile, 40) - 40 : middle;
  const std::uint64_t end =
      std::min(first + *rc::gen::inRange<std::uint64_t>(1, 70'000), sharding.element_count);
  std::array<std::uint64_t, kShardsMax> next{};
  for (std::uint32_t shard = 0; shard < sharding.shards; ++shard) {
    next.at(shard) = sharding.elements_below(shard, first);
  }
  for (std::uint64_t element = first; element < end; ++element) {
    RC_ASSERT(sharding.to_local(element) == next.at(sharding.shard_of(element))++);
  }
  for (std::uint32_t shard = 0; shard < sharding.shards; ++shard) {
    RC_ASSERT(next.at(shard) == sharding.elements_below(shard, end));
  }
}

RC_GTEST_PROP(ShardingProperty, EveryShardHasOneWorkerAndWorkersShareEvenly, (std::uint64_t id)) {
  const auto workers = std::uint32_t{1} << *rc::gen::inRange(0U, 7U);
  std::array<std::uint32_t, kShardsMax> served{};
  for (std::uint32_t shard = 0; shard < kShardsMax; ++shard) {
    ++served.at(worker_of(TopicId(id), shard, workers));
  }
  for (std::uint32_t worker = 0; worker < workers; ++worker) {
    RC_ASSERT(served.at(worker) == kShardsMax / workers);
  }
}

}  // namespace
}  // namespace godwit

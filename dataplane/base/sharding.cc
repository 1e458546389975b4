#include "dataplane/base/sharding.h"

#include <algorithm>

#include "dataplane/base/topic_shard.h"

namespace godwit {

std::uint32_t Sharding::default_shards(std::uint64_t element_count) {
  const std::uint64_t wanted = Sharding{.element_count = element_count}.tiles() / kTilesPerShard;
  const std::uint64_t shards = std::bit_floor(std::max<std::uint64_t>(wanted, 1));
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(shards, kShardsMax));
}

std::uint64_t Sharding::tiles() const {
  return (element_count + kShardTileElements - 1) / kShardTileElements;
}

bool Sharding::is_valid() const {
  return is_shard_count(shards) && shards <= tiles();
}

std::uint32_t Sharding::shard_of(std::uint64_t element) const {
  return static_cast<std::uint32_t>(element / kShardTileElements % shards);
}

std::uint64_t Sharding::to_local(std::uint64_t element) const {
  const std::uint64_t tile = element / kShardTileElements;
  return tile / shards * kShardTileElements + element % kShardTileElements;
}

std::uint64_t Sharding::to_global(std::uint32_t shard, std::uint64_t local) const {
  const std::uint64_t tile = local / kShardTileElements * shards + shard;
  return tile * kShardTileElements + local % kShardTileElements;
}

std::uint64_t Sharding::elements_below(std::uint32_t shard, std::uint64_t end) const {
  const std::uint64_t whole = end / kShardTileElements;  // tiles that lie below `end` as a whole
  const std::uint64_t of_shard = (whole + shards - 1 - shard) / shards;
  const bool in_last = whole % shards == shard;
  return of_shard * kShardTileElements + (in_last ? end % kShardTileElements : 0);
}

std::uint32_t worker_of(TopicId topic, std::uint32_t shard, std::uint32_t workers) {
  return TopicShard(topic, static_cast<std::uint16_t>(shard)).slot() % workers;
}

}  // namespace godwit

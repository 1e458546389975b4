// How a topic's elements fall into shards, and which worker of a gateway serves a shard.
//
//   tile      0    1    2    3    4    5    6        tile t lies in shard t mod S,
//   shard     0    1    2    3    0    1    2        there as local tile t / S
//   local     0    0    0    0    1    1    1        (S = 4, seven tiles, the last one short)
//
// Tiles are dealt out in turn, so shards are of equal size to within a tile whatever part of a
// model changes, and a range of the topic is one contiguous range in each shard.
#pragma once

#include <bit>
#include <cstdint>

#include "dataplane/base/ids.h"

namespace godwit {

// The ledger's and the codec's tile: shards are made of whole ones.
inline constexpr std::uint64_t kShardTileElements = 32'768;
// Shards of a topic, and workers of a gateway, at most. Powers of two, so that either may change
// and every shard still has one worker.
inline constexpr std::uint32_t kShardsMax = 64;
// Tiles that each shard keeps when a topic is divided. Chosen: a shard has a mapping, lanes and a
// clock of its own, and fewer than a million elements are merged in less than a millisecond.
inline constexpr std::uint64_t kTilesPerShard = 32;

struct Sharding {
  std::uint64_t element_count = 0;  // of the topic, in [1, 2^40]
  std::uint32_t shards = 1;         // a power of two in [1, kShardsMax]

  // The largest power of two that leaves each shard kTilesPerShard tiles, in [1, kShardsMax]: one
  // below two million elements.
  static std::uint32_t default_shards(std::uint64_t element_count);

  std::uint64_t tiles() const;  // the last one may be short
  // Whether `shards` is in its range and every shard has a tile. What follows asks for it.
  bool is_valid() const;

  std::uint32_t shard_of(std::uint64_t element) const;
  // An element of the topic as its shard counts it, and back.
  std::uint64_t to_local(std::uint64_t element) const;
  std::uint64_t to_global(std::uint32_t shard, std::uint64_t local) const;
  // How many of the topic's elements below `end` lie in the shard. The part of [first, end) in it
  // is [elements_below(shard, first), elements_below(shard, end)), counted as the shard does.
  std::uint64_t elements_below(std::uint32_t shard, std::uint64_t end) const;
  std::uint64_t elements(std::uint32_t shard) const { return elements_below(shard, element_count); }

  bool operator==(const Sharding&) const = default;
};

// True for what may be a number of shards or workers.
constexpr bool is_shard_count(std::uint32_t count) {
  return std::has_single_bit(count) && count <= kShardsMax;
}

// The worker, in [0, workers), that serves a shard; `workers` as is_shard_count(). Topics of one
// shard are spread by their ids.
std::uint32_t worker_of(TopicId topic, std::uint32_t shard, std::uint32_t workers);

}  // namespace godwit

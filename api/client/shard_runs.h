// A shard's elements as runs of neighbouring elements of its topic: what lies in one tile lies
// together in both. Of a topic with one shard everything is one run.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "api/client/block_sums.h"
#include "dataplane/base/sharding.h"

namespace godwit::client {

// Calls `use(element, offset, count)` for the runs of the shard's range [first, first + count), in
// rising order: `element` is the topic's, `offset` counts from `first`.
template <class Use>
void for_each_run(const Sharding& sharding,
                  std::uint32_t shard,
                  std::uint64_t first,
                  std::uint64_t count,
                  Use&& use) {
  if (sharding.shards == 1) {
    use(first, std::uint64_t{0}, count);
    return;
  }
  for (std::uint64_t offset = 0; offset < count;) {
    const std::uint64_t local = first + offset;
    const std::uint64_t run =
        std::min(count - offset, kShardTileElements - local % kShardTileElements);
    use(sharding.to_global(shard, local), offset, run);
    offset += run;
  }
}

// Calls `use(element, values)` for a received section of the shard, as for_each_piece() does, with
// elements of the topic.
template <class Use>
void for_each_piece_of_topic(const Sharding& sharding,
                             std::uint32_t shard,
                             const local::Section& section,
                             Use&& use) {
  for_each_piece(section, [&](std::uint64_t first, std::span<const std::int64_t> values) {
    for_each_run(sharding,
                 shard,
                 first,
                 values.size(),
                 [&](std::uint64_t element, std::uint64_t offset, std::uint64_t count) {
                   use(element, values.subspan(offset, count));
                 });
  });
}

}  // namespace godwit::client

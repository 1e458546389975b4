// One shard of a topic: what a ledger, its lanes, a worker and a connection hold of it.
//
// A topic of one shard is its shard 0, so a topic's id stands for it.
#pragma once

#include <compare>
#include <cstdint>

#include "dataplane/base/ids.h"
#include "dataplane/base/sharding.h"

namespace godwit {

struct TopicShard {
  constexpr TopicShard() = default;
  // NOLINTNEXTLINE(google-explicit-constructor): a topic of one shard.
  constexpr TopicShard(TopicId whole, std::uint16_t index = 0) : topic(whole), shard(index) {}

  // Which worker and which connection has it: this modulo their number, a power of two up to
  // kShardsMax. Neighbouring shards lie in neighbouring slots, small topics anywhere.
  constexpr std::uint32_t slot() const {
    return static_cast<std::uint32_t>((topic.value() + shard) % kShardsMax);
  }

  constexpr auto operator<=>(const TopicShard&) const = default;

  TopicId topic;
  std::uint16_t shard = 0;
};

}  // namespace godwit

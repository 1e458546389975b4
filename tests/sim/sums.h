// Sums of a topic's elements, as vectors, and what publishes make of them.
//
// Thread: any; pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "dataplane/base/sharding.h"
#include "tests/sim/client_actor.h"

namespace godwit::sim {

using Sums = std::vector<std::int64_t>;

void add(Sums& sums, const Published& published, std::int64_t sign = 1);

// What of elements [first, first + values) lies in a shard, in its order.
Sums part_of(const Sharding& sharding,
             std::uint32_t shard,
             std::uint64_t first,
             std::span<const std::int64_t> values);

// Linear: equal sums have equal ones, and it adds up as sums do (modulo 2^64).
std::uint64_t fingerprint(const Sums& sums);

// "none", or where they begin to differ.
std::string first_difference(const Sums& expected, const Sums& found);

// One life of one client that died without knowing what became of its last publishes: some number
// of them, from the oldest on, are in.
using Group = std::vector<Published>;

// Finds the prefix of each group with which `rest` becomes zero, and subtracts them.
bool explain(Sums& rest, const std::vector<Group>& groups);

}  // namespace godwit::sim

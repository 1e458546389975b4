#include "tests/sim/sums.h"

#include <algorithm>

#include <fmt/format.h>

namespace godwit::sim {
namespace {

bool is_zero(const Sums& sums) {
  return std::all_of(sums.begin(), sums.end(), [](std::int64_t value) { return value == 0; });
}

std::uint64_t weight(std::uint64_t element) {
  std::uint64_t z = (element + 1) * 0x9e3779b97f4a7c15U;
  z = (z ^ (z >> 29U)) * 0xbf58476d1ce4e5b9U;
  return z ^ (z >> 32U);
}

std::uint64_t fingerprint_at(std::uint64_t first, std::span<const std::int64_t> values) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    sum += weight(first + i) * static_cast<std::uint64_t>(values[i]);
  }
  return sum;
}

std::uint64_t fingerprint(const Published& published) {
  return fingerprint_at(published.first, published.values);
}

}  // namespace

void add(Sums& sums, const Published& published, std::int64_t sign) {
  for (std::size_t i = 0; i < published.values.size(); ++i) {
    sums[published.first + i] += sign * published.values[i];
  }
}

Sums part_of(const Sharding& sharding,
             std::uint32_t shard,
             std::uint64_t first,
             std::span<const std::int64_t> values) {
  const std::uint64_t begin = sharding.elements_below(shard, first);
  const std::uint64_t end = sharding.elements_below(shard, first + values.size());
  Sums part;
  part.reserve(end - begin);
  for (std::uint64_t i = begin; i < end; ++i) {
    part.push_back(values[sharding.to_global(shard, i) - first]);
  }
  return part;
}

std::uint64_t fingerprint(const Sums& sums) {
  return fingerprint_at(0, sums);
}

std::string first_difference(const Sums& expected, const Sums& found) {
  std::size_t count = 0;
  std::size_t first = expected.size();
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (expected[i] != found[i]) {
      first = count++ == 0 ? i : first;
    }
  }
  return count == 0 ? "none"
                    : fmt::format("{} elements differ, the first is {}: {} instead of {}",
                                  count,
                                  first,
                                  found[first],
                                  expected[first]);
}

bool explain(Sums& rest, const std::vector<Group>& groups) {
  if (is_zero(rest)) {
    return true;
  }
  std::uint64_t missing = fingerprint(rest);
  std::vector<std::size_t> taken(groups.size(), 0);
  for (;;) {
    std::size_t at = 0;
    while (at < groups.size() && taken[at] == groups[at].size()) {
      for (const Published& published : groups[at]) {
        missing += fingerprint(published);
      }
      taken[at++] = 0;
    }
    if (at == groups.size()) {
      return false;
    }
    missing -= fingerprint(groups[at][taken[at]++]);
    if (missing != 0) {
      continue;
    }
    for (std::size_t i = 0; i < groups.size(); ++i) {
      for (std::size_t j = 0; j < taken[i]; ++j) {
        add(rest, groups[i][j], -1);
      }
    }
    return is_zero(rest);
  }
}

}  // namespace godwit::sim

// The least of many numbers that change one at a time: a tournament tree over fixed slots.
//
// A lane keeps, per tile, the change since which the tile is dirty; its coverage is the least of
// them. Clean slots hold kNone.
//
// Memory: two words per slot, allocated once. Time: O(log slots) per change, O(1) for the least.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <vector>

namespace godwit::ledger {

class MinTree {
 public:
  static constexpr std::uint64_t kNone = std::numeric_limits<std::uint64_t>::max();

  static constexpr std::uint64_t bytes(std::uint32_t slots) {
    return std::uint64_t{std::bit_ceil(std::max(slots, 1U))} * 2 * sizeof(std::uint64_t);
  }

  explicit MinTree(std::uint32_t slots)
      : leaves_(std::bit_ceil(std::max(slots, 1U))), nodes_(std::size_t{leaves_} * 2, kNone) {}

  std::uint64_t least() const { return nodes_[1]; }
  std::uint64_t at(std::uint32_t slot) const { return nodes_[leaves_ + slot]; }

  void set(std::uint32_t slot, std::uint64_t value) {
    std::size_t node = std::size_t{leaves_} + slot;
    nodes_[node] = value;
    while (node > 1) {
      node /= 2;
      const std::uint64_t least_below = std::min(nodes_[node * 2], nodes_[(node * 2) + 1]);
      if (nodes_[node] == least_below) {
        break;
      }
      nodes_[node] = least_below;
    }
  }

  void clear() { std::fill(nodes_.begin(), nodes_.end(), kNone); }

 private:
  std::uint32_t leaves_;
  std::vector<std::uint64_t> nodes_;
};

}  // namespace godwit::ledger

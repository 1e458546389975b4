// A priority queue over quantised log2 of a rank: find-first-set over three levels, O(1).
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "scheduler/queue/slot_list.h"

namespace godwit::scheduler {

// 8,192 buckets of 1/16 octave cover indices from 2^-256 to 2^256; an order inside a bucket is
// first in, first out, so a choice is at most 6.3 % below the best index.
//
//   level 2   2 words   ┌ which words of level 1 are not empty
//   level 1   128 bits  │ which words of level 0 are not empty
//   level 0   8,192 bits└ which buckets are not empty
//
// Thread: one worker. Memory: 65 KiB, allocated once. Time: O(1).
class BucketQueue {
 public:
  static constexpr std::uint32_t kBuckets = 8192;
  static constexpr std::uint32_t kPerOctave = 16;

  BucketQueue() : lists_(kBuckets) {}

  // The bucket of an index: monotone, clamped at both ends; an index that is not > 0 gets 0.
  [[nodiscard]] static std::uint32_t bucket_of(double index);

  void push(SlotLinks& links, Slot slot, std::uint32_t bucket) {
    lists_[bucket].push_back(links, slot);
    words_[bucket / 64] |= bit(bucket);
    groups_[bucket / 4096] |= bit(bucket / 64);
  }

  void remove(SlotLinks& links, Slot slot, std::uint32_t bucket) {
    lists_[bucket].remove(links, slot);
    if (lists_[bucket].empty()) {
      words_[bucket / 64] &= ~bit(bucket);
      if (words_[bucket / 64] == 0) {
        groups_[bucket / 4096] &= ~bit(bucket / 64);
      }
    }
  }

  // The oldest slot of the highest bucket, or kNoSlot.
  [[nodiscard]] Slot top() const {
    for (std::size_t group = groups_.size(); group-- > 0;) {
      if (groups_[group] != 0) {
        const std::size_t word = group * 64 + highest(groups_[group]);
        return lists_[word * 64 + highest(words_[word])].first();
      }
    }
    return kNoSlot;
  }

  [[nodiscard]] bool empty() const { return (groups_[0] | groups_[1]) == 0; }

 private:
  static constexpr std::uint64_t bit(std::uint32_t index) {
    return std::uint64_t{1} << (index % 64);
  }
  static std::size_t highest(std::uint64_t word) {
    return static_cast<std::size_t>(63 - std::countl_zero(word));
  }

  std::vector<SlotList> lists_;
  std::array<std::uint64_t, kBuckets / 64> words_{};
  std::array<std::uint64_t, kBuckets / 4096> groups_{};
};

}  // namespace godwit::scheduler

// The queue's containers against those of the standard library, under random operations.
#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <utility>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "dataplane/base/random.h"
#include "scheduler/queue/bucket_queue.h"
#include "scheduler/queue/deadline_heap.h"
#include "scheduler/queue/key_table.h"

namespace godwit::scheduler {
namespace {

constexpr std::uint32_t kSlots = 64;

RC_GTEST_PROP(ContainersProperty, BucketQueueGivesTheMaximum, (std::uint64_t seed)) {
  Random random(seed);
  BucketQueue queue;
  SlotLinks links;
  links.resize(kSlots);
  std::map<Slot, std::pair<std::uint32_t, std::uint64_t>> model;  // Bucket and order of arrival.
  for (std::uint64_t step = 0; step < 500; ++step) {
    const auto slot = static_cast<Slot>(random.below(kSlots));
    if (model.contains(slot)) {
      queue.remove(links, slot, model[slot].first);
      model.erase(slot);
    } else {
      const auto bucket = static_cast<std::uint32_t>(
          random.chance(0.5) ? random.below(8) : random.below(BucketQueue::kBuckets));
      queue.push(links, slot, bucket);
      model[slot] = {bucket, step};
    }
    RC_ASSERT(queue.empty() == model.empty());
    const auto best =
        std::max_element(model.begin(), model.end(), [](const auto& a, const auto& b) {
          return a.second.first != b.second.first ? a.second.first < b.second.first
                                                  : a.second.second > b.second.second;
        });
    RC_ASSERT(queue.top() == (best == model.end() ? kNoSlot : best->first));
  }
}

RC_GTEST_PROP(ContainersProperty, DeadlineHeapGivesTheMinimum, (std::uint64_t seed)) {
  Random random(seed);
  DeadlineHeap heap;
  heap.resize(kSlots);
  std::map<Slot, std::int64_t> model;
  for (int step = 0; step < 500; ++step) {
    const auto slot = static_cast<Slot>(random.below(kSlots));
    if (random.chance(0.3)) {
      heap.remove(slot);
      model.erase(slot);
    } else {
      const auto deadline = static_cast<std::int64_t>(random.below(50));
      heap.set(slot, Instant::from_ns(deadline));
      model[slot] = deadline;
    }
    RC_ASSERT(heap.size() == model.size());
    if (!model.empty()) {
      const auto first = std::min_element(model.begin(), model.end(), [](auto& a, auto& b) {
        return std::pair(a.second, a.first) < std::pair(b.second, b.first);
      });
      RC_ASSERT(heap.top() == first->first);
    }
  }
}

RC_GTEST_PROP(ContainersProperty, KeyTableIsAMap, (std::uint64_t seed)) {
  Random random(seed);
  KeyTable table;
  std::map<Key, Slot> model;
  for (std::uint32_t step = 0; step < 1'000; ++step) {
    const Key key{static_cast<std::uint32_t>(random.below(3)),
                  static_cast<std::uint32_t>(random.below(100))};
    if (model.contains(key)) {
      table.erase(key);
      model.erase(key);
    } else {
      table.insert(key, step);
      model[key] = step;
    }
    const Key other{static_cast<std::uint32_t>(random.below(3)),
                    static_cast<std::uint32_t>(random.below(100))};
    RC_ASSERT(table.find(other) == (model.contains(other) ? model[other] : kNoSlot));
    RC_ASSERT(table.size() == model.size());
  }
}

}  // namespace
}  // namespace godwit::scheduler

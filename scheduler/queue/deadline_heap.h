// Keys by deadline, earliest first: a binary heap that can find and remove any of its keys.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "dataplane/base/units.h"
#include "scheduler/queue/slot_list.h"

namespace godwit::scheduler {

// Equal deadlines come out in the order of their slots, so that a run can be repeated.
// Thread: one worker. Memory: 20 B per slot. Time: O(log n) to change, O(1) to look.
class DeadlineHeap {
 public:
  void resize(std::size_t slots) { positions_.resize(slots, kNowhere); }

  void set(Slot slot, Instant deadline);  // Inserts, or moves to the new deadline.
  void remove(Slot slot);                 // Does nothing when it is not in the heap.
  [[nodiscard]] bool contains(Slot slot) const { return positions_[slot] != kNowhere; }
  [[nodiscard]] bool empty() const { return heap_.empty(); }
  [[nodiscard]] std::size_t size() const { return heap_.size(); }
  [[nodiscard]] Slot top() const { return heap_.front().slot; }  // Not empty.

 private:
  static constexpr std::uint32_t kNowhere = 0xffffffffU;
  struct Entry {
    Instant deadline;
    Slot slot;
    friend auto operator<=>(const Entry&, const Entry&) = default;
  };
  void put(std::size_t position, Entry entry);
  void sift_up(std::size_t position, Entry entry);
  void sift_down(std::size_t position, Entry entry);

  std::vector<Entry> heap_;
  std::vector<std::uint32_t> positions_;
};

}  // namespace godwit::scheduler

// The heap, with the position of every slot beside it.
#include "scheduler/queue/deadline_heap.h"

namespace godwit::scheduler {

void DeadlineHeap::put(std::size_t position, Entry entry) {
  heap_[position] = entry;
  positions_[entry.slot] = static_cast<std::uint32_t>(position);
}

void DeadlineHeap::sift_up(std::size_t position, Entry entry) {
  while (position > 0) {
    const std::size_t parent = (position - 1) / 2;
    if (heap_[parent] <= entry) {
      break;
    }
    put(position, heap_[parent]);
    position = parent;
  }
  put(position, entry);
}

void DeadlineHeap::sift_down(std::size_t position, Entry entry) {
  for (;;) {
    std::size_t child = 2 * position + 1;
    if (child >= heap_.size()) {
      break;
    }
    if (child + 1 < heap_.size() && heap_[child + 1] < heap_[child]) {
      ++child;
    }
    if (entry <= heap_[child]) {
      break;
    }
    put(position, heap_[child]);
    position = child;
  }
  put(position, entry);
}

void DeadlineHeap::set(Slot slot, Instant deadline) {
  remove(slot);
  heap_.push_back({});
  sift_up(heap_.size() - 1, {deadline, slot});
}

void DeadlineHeap::remove(Slot slot) {
  const std::uint32_t position = positions_[slot];
  if (position == kNowhere) {
    return;
  }
  positions_[slot] = kNowhere;
  const Entry moved = heap_.back();
  heap_.pop_back();
  if (position == heap_.size()) {
    return;  // It was the last one.
  }
  if (position > 0 && moved < heap_[(position - 1) / 2]) {
    sift_up(position, moved);
  } else {
    sift_down(position, moved);
  }
}

}  // namespace godwit::scheduler

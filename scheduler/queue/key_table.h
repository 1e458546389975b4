// From a key to its slot: open addressing with linear probing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "scheduler/queue/key.h"
#include "scheduler/queue/slot_list.h"

namespace godwit::scheduler {

// Grows by doubling when it is half full; erasing shifts back what follows, so there are no
// tombstones and look-ups stay short. Nothing depends on the order of its cells.
// Thread: one worker. Memory: 24–48 B per key. Time: O(1) expected.
class KeyTable {
 public:
  KeyTable() : cells_(64) {}

  [[nodiscard]] Slot find(Key key) const;  // kNoSlot when it is not there.
  void insert(Key key, Slot slot);         // The key must not be there.
  void erase(Key key);                     // Does nothing when it is not there.
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  struct Cell {
    Key key;
    Slot slot = kNoSlot;
  };
  [[nodiscard]] std::size_t home(Key key) const;
  void grow();

  std::vector<Cell> cells_;  // A power of two.
  std::size_t size_ = 0;
};

}  // namespace godwit::scheduler

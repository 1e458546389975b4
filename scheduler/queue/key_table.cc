// Linear probing with backward-shift deletion (Knuth, TAOCP 6.4, algorithm R).
#include "scheduler/queue/key_table.h"

#include <utility>

#include "dataplane/base/assert.h"

namespace godwit::scheduler {

std::size_t KeyTable::home(Key key) const {
  // The finaliser of SplitMix64: neighbouring tiles spread over the table.
  std::uint64_t z = (std::uint64_t{key.lane} << 32U) | key.tile;
  z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
  return (z ^ (z >> 31U)) & (cells_.size() - 1);
}

Slot KeyTable::find(Key key) const {
  for (std::size_t at = home(key); cells_[at].slot != kNoSlot;
       at = (at + 1) & (cells_.size() - 1)) {
    if (cells_[at].key == key) {
      return cells_[at].slot;
    }
  }
  return kNoSlot;
}

void KeyTable::insert(Key key, Slot slot) {
  GODWIT_ASSERT(slot != kNoSlot);
  if (2 * (size_ + 1) > cells_.size()) {
    grow();
  }
  std::size_t at = home(key);
  while (cells_[at].slot != kNoSlot) {
    GODWIT_ASSERT(cells_[at].key != key, "a key is inserted once");
    at = (at + 1) & (cells_.size() - 1);
  }
  cells_[at] = {key, slot};
  ++size_;
}

void KeyTable::erase(Key key) {
  const std::size_t mask = cells_.size() - 1;
  std::size_t hole = home(key);
  while (cells_[hole].slot != kNoSlot && cells_[hole].key != key) {
    hole = (hole + 1) & mask;
  }
  if (cells_[hole].slot == kNoSlot) {
    return;
  }
  for (std::size_t at = (hole + 1) & mask; cells_[at].slot != kNoSlot; at = (at + 1) & mask) {
    // A cell may move back into the hole unless its home lies behind the hole.
    const std::size_t from_home = (at - home(cells_[at].key)) & mask;
    const std::size_t from_hole = (at - hole) & mask;
    if (from_home >= from_hole) {
      cells_[hole] = cells_[at];
      hole = at;
    }
  }
  cells_[hole] = {};
  --size_;
}

void KeyTable::grow() {
  std::vector<Cell> old(cells_.size() * 2);
  std::swap(old, cells_);
  size_ = 0;
  for (const Cell& cell : old) {
    if (cell.slot != kNoSlot) {
      insert(cell.key, cell.slot);
    }
  }
}

}  // namespace godwit::scheduler

// Doubly linked lists of slots whose links live in one array: O(1) moves, no allocation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace godwit::scheduler {

// The index of a key's state; dense, reused after the key is forgotten.
using Slot = std::uint32_t;
inline constexpr Slot kNoSlot = 0xffffffffU;

// The links of all lists that share one array; a slot is in at most one of these lists.
struct SlotLinks {
  struct Link {
    Slot previous = kNoSlot;
    Slot next = kNoSlot;
  };
  std::vector<Link> of;

  void resize(std::size_t slots) { of.resize(slots); }
};

// One list, in the order of insertion. The caller knows which list a slot is in.
// Time: O(1) everywhere.
class SlotList {
 public:
  [[nodiscard]] bool empty() const { return first_ == kNoSlot; }
  [[nodiscard]] Slot first() const { return first_; }
  [[nodiscard]] static Slot after(const SlotLinks& links, Slot slot) { return links.of[slot].next; }

  void push_back(SlotLinks& links, Slot slot) {
    links.of[slot] = {last_, kNoSlot};
    if (last_ == kNoSlot) {
      first_ = slot;
    } else {
      links.of[last_].next = slot;
    }
    last_ = slot;
  }

  void remove(SlotLinks& links, Slot slot) {
    const SlotLinks::Link link = links.of[slot];
    (link.previous == kNoSlot ? first_ : links.of[link.previous].next) = link.next;
    (link.next == kNoSlot ? last_ : links.of[link.next].previous) = link.previous;
    links.of[slot] = {};
  }

 private:
  Slot first_ = kNoSlot;
  Slot last_ = kNoSlot;
};

}  // namespace godwit::scheduler

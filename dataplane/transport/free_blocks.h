// Blocks of memory that nobody uses now, by size: the next one who needs one takes the last one
// that was given back, which is still in the processor's caches.
//
//     size 0 ──▶ [next│    ] ──▶ [next│    ]      the lists lie in the blocks themselves
//     size 1 ──▶ [next│                ]
//
// AddressSanitizer knows idle blocks as poisoned: who uses one that he gave back is found.
//
// Thread: one. Memory: at most `idle_max` bytes are kept; what is given back beyond is freed.
#pragma once

#include <array>
#include <cstddef>
#include <span>

namespace godwit::transport {

class FreeBlocks {
 public:
  static constexpr std::size_t kSizesMax = 32;

  // `sizes`: bytes of each kind of block, ascending, at least a pointer's, at most kSizesMax; must
  // outlive this.
  FreeBlocks(std::span<const std::size_t> sizes, std::size_t idle_max);
  // Every block must have been given back.
  ~FreeBlocks();
  FreeBlocks(const FreeBlocks&) = delete;
  FreeBlocks& operator=(const FreeBlocks&) = delete;

  // The least size that holds `bytes`; the number of sizes when none does.
  std::size_t kind_of(std::size_t bytes) const;
  std::size_t size_of(std::size_t kind) const { return sizes_[kind]; }
  // A block of that kind, aligned as operator new aligns; nullptr: the system has no memory.
  std::byte* take(std::size_t kind);
  void give_back(std::byte* block, std::size_t kind);

  std::size_t bytes_in_use() const { return in_use_; }
  std::size_t bytes_idle() const { return idle_; }

 private:
  struct Idle {
    Idle* next = nullptr;
  };
  std::byte* unlink(std::size_t kind);

  std::span<const std::size_t> sizes_;
  std::array<Idle*, kSizesMax> idle_lists_{};
  std::size_t idle_max_;
  std::size_t in_use_ = 0;
  std::size_t idle_ = 0;
};

}  // namespace godwit::transport

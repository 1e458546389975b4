// Sums of received changes by block of 4,096 elements; memory only for blocks that were touched.
//
// Thread: one at a time.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "api/local/records.h"

namespace godwit::client {

// The atomic step of the ledger, so that a change seldom straddles two of ours.
inline constexpr std::uint64_t kBlockElements = 4096;

struct SumBlock {
  std::uint32_t low = kBlockElements;  // elements [low, high) of the block were touched
  std::uint32_t high = 0;
  std::array<std::int64_t, kBlockElements> values{};

  std::span<const std::int64_t> touched() const {
    return std::span(values).subspan(low, high - low);
  }
  void reset() {
    std::fill(values.begin() + low, values.begin() + std::max(low, high), 0);
    low = kBlockElements;
    high = 0;
  }
};

// Block number to block, in rising order.
using SumBlocks = std::map<std::uint64_t, std::unique_ptr<SumBlock>>;

class BlockSums {
 public:
  void add(std::uint64_t first, std::span<const std::int64_t> values);
  void add(const local::Section& section);

  // Copies the sums from element `first` on; zero where nothing was touched.
  void copy(std::uint64_t first, std::span<std::int64_t> out) const;

  // Hands over everything and starts again from zero.
  SumBlocks take();
  // Takes blocks back for reuse: fresh memory costs a page fault every 4 KiB.
  void recycle(SumBlocks blocks);
  void clear() { blocks_.clear(); }
  bool empty() const { return blocks_.empty(); }

 private:
  std::unique_ptr<SumBlock> fresh_block();

  SumBlocks blocks_;
  std::vector<std::unique_ptr<SumBlock>> spare_;  // all zero
};

// Calls `use(first, values)` for a section's values as int64, in one piece when they are stored so
// and otherwise in pieces of at most kBlockElements.
template <class Use>
void for_each_piece(const local::Section& section, Use&& use) {
  if (section.width == sizeof(std::int64_t)) {
    const void* const place = section.values.data();
    use(section.first,
        std::span<const std::int64_t>(static_cast<const std::int64_t*>(place), section.count));
    return;
  }
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): widen() writes what is read.
  std::array<std::int64_t, kBlockElements> wide;
  for (std::uint32_t at = 0; at < section.count;) {
    const std::uint32_t left = section.count - at;
    const std::uint32_t count = left < wide.size() ? left : std::uint32_t{wide.size()};
    local::Section piece{.first = section.first + at, .count = count, .width = section.width};
    piece.values =
        section.values.subspan(std::size_t{at} * section.width, std::size_t{count} * section.width);
    const auto out = std::span(wide).first(count);
    local::widen(piece, out);
    use(piece.first, std::span<const std::int64_t>(out));
    at += count;
  }
}

}  // namespace godwit::client

#include "api/client/block_sums.h"

#include <algorithm>
#include <utility>

namespace godwit::client {

void BlockSums::add(std::uint64_t first, std::span<const std::int64_t> values) {
  while (!values.empty()) {
    const std::uint64_t at = first % kBlockElements;
    const std::size_t count = std::min<std::size_t>(values.size(), kBlockElements - at);
    auto& block = blocks_[first / kBlockElements];
    if (block == nullptr) {
      block = fresh_block();
    }
    block->low = std::min(block->low, static_cast<std::uint32_t>(at));
    block->high = std::max(block->high, static_cast<std::uint32_t>(at + count));
    for (std::size_t i = 0; i < count; ++i) {
      // The gateway bounds sums far below 2^63; unsigned, so that even a wrong one is defined.
      std::int64_t& sum = block->values[at + i];
      sum = static_cast<std::int64_t>(static_cast<std::uint64_t>(sum) +
                                      static_cast<std::uint64_t>(values[i]));
    }
    first += count;
    values = values.subspan(count);
  }
}

void BlockSums::add(const local::Section& section) {
  for_each_piece(section, [this](std::uint64_t first, std::span<const std::int64_t> values) {
    add(first, values);
  });
}

void BlockSums::copy(std::uint64_t first, std::span<std::int64_t> out) const {
  while (!out.empty()) {
    const std::uint64_t at = first % kBlockElements;
    const std::size_t count = std::min<std::size_t>(out.size(), kBlockElements - at);
    const auto found = blocks_.find(first / kBlockElements);
    if (found == blocks_.end()) {
      std::fill_n(out.begin(), count, 0);
    } else {
      const auto part = std::span(found->second->values).subspan(at, count);
      std::copy(part.begin(), part.end(), out.begin());
    }
    first += count;
    out = out.subspan(count);
  }
}

SumBlocks BlockSums::take() {
  return std::exchange(blocks_, SumBlocks());
}

void BlockSums::recycle(SumBlocks blocks) {
  for (auto& entry : blocks) {
    entry.second->reset();
    spare_.push_back(std::move(entry.second));
  }
}

std::unique_ptr<SumBlock> BlockSums::fresh_block() {
  if (spare_.empty()) {
    return std::make_unique<SumBlock>();
  }
  auto block = std::move(spare_.back());
  spare_.pop_back();
  return block;
}

}  // namespace godwit::client

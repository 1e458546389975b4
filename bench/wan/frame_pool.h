// Memory for the Ethernet frames on their way: slots of one size, taken and given back.
//
// Memory: grows by chunks up to kFramesMax and keeps what it has.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace godwit::wan {

// The greatest Ethernet frame: an MTU of 1,500 bytes, the header, one VLAN tag, rounded up.
inline constexpr std::size_t kFrameBytesMax = 1536;

// 512 Ki frames are 768 MiB: six times kHeldBytesMax of full packets, for all links together.
inline constexpr std::size_t kFramesMax = std::size_t{512} << 10U;

class FramePool {
 public:
  // The number of a free slot, nothing when all are in use.
  std::optional<std::uint32_t> take() {
    if (free_.empty() && !grow()) {
      return std::nullopt;
    }
    const std::uint32_t frame = free_.back();
    free_.pop_back();
    return frame;
  }

  void give_back(std::uint32_t frame) { free_.push_back(frame); }

  std::span<std::byte, kFrameBytesMax> bytes(std::uint32_t frame) {
    return (*chunks_[frame / kChunkFrames])[frame % kChunkFrames];
  }

  std::size_t in_use() const { return chunks_.size() * kChunkFrames - free_.size(); }

 private:
  static constexpr std::size_t kChunkFrames = 256;
  using Chunk = std::array<std::array<std::byte, kFrameBytesMax>, kChunkFrames>;

  bool grow() {
    const std::size_t first = chunks_.size() * kChunkFrames;
    if (first >= kFramesMax) {
      return false;
    }
    chunks_.push_back(std::make_unique<Chunk>());
    for (std::size_t i = kChunkFrames; i-- > 0;) {
      free_.push_back(static_cast<std::uint32_t>(first + i));
    }
    return true;
  }

  std::vector<std::unique_ptr<Chunk>> chunks_;
  std::vector<std::uint32_t> free_;
};

}  // namespace godwit::wan

// The frame of the TCP baselines: a header, then the fp32 elements of one delta, host byte order.
//
// The baselines are given every kindness: no index, no checksum, no encryption.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "dataplane/base/result.h"

namespace godwit::baselines {

struct FrameHeader {
  std::uint32_t magic;
  std::uint32_t count;   // elements that follow
  std::uint64_t number;  // step or round
};
inline constexpr std::uint32_t kFrameMagic = 0x64656c74;  // "delt"
inline constexpr std::size_t kReadBytes = 256 * 1024;     // taken from a socket at once

// Takes a byte stream apart. Elements are handed on as they arrive: a receiver needs not wait for
// the end of a delta that takes seconds on a thin link.
class FrameReader {
 public:
  explicit FrameReader(std::size_t count) : count_(count) {}

  // Calls add(first_index, span<const float>) for the elements in `bytes`; returns how many bytes
  // were taken. Stops after the end of a frame when `one_frame`.
  template <class Add>
  Result<std::size_t> feed(std::span<const std::byte> bytes, bool one_frame, Add&& add);

  std::uint64_t frames() const { return frames_; }         // frames that have ended
  std::uint64_t number() const { return header_.number; }  // of the latest header

 private:
  static constexpr std::size_t kChunk = 4096;  // elements handed on at once

  std::size_t count_;
  std::uint64_t frames_ = 0;
  FrameHeader header_ = {};
  std::size_t header_bytes_ = 0;
  std::size_t payload_bytes_ = 0;
  alignas(float) std::byte partial_[sizeof(float)] = {};
};

template <class Add>
Result<std::size_t> FrameReader::feed(std::span<const std::byte> bytes, bool one_frame, Add&& add) {
  float chunk[kChunk];
  std::size_t taken = 0;
  while (taken < bytes.size()) {
    if (header_bytes_ < sizeof header_) {
      const std::size_t part = std::min(sizeof header_ - header_bytes_, bytes.size() - taken);
      std::memcpy(static_cast<std::byte*>(static_cast<void*>(&header_)) + header_bytes_,
                  bytes.data() + taken,
                  part);
      header_bytes_ += part;
      taken += part;
      if (header_bytes_ == sizeof header_ &&
          (header_.magic != kFrameMagic || header_.count != count_)) {
        return fail(Code::kCorrupt, "not the frame of a delta of {} elements", count_);
      }
      continue;
    }
    const std::size_t left = count_ * sizeof(float) - payload_bytes_;
    const std::size_t odd = payload_bytes_ % sizeof(float);
    if (odd != 0 || bytes.size() - taken < sizeof(float)) {
      // An element that lies across two reads.
      partial_[odd] = bytes[taken++];
      ++payload_bytes_;
      if (odd + 1 == sizeof(float)) {
        std::memcpy(chunk, partial_, sizeof(float));
        add(payload_bytes_ / sizeof(float) - 1, std::span<const float>(chunk, 1));
      }
    } else {
      const std::size_t elements =
          std::min({left, bytes.size() - taken, sizeof chunk}) / sizeof(float);
      std::memcpy(chunk, bytes.data() + taken, elements * sizeof(float));
      add(payload_bytes_ / sizeof(float), std::span<const float>(chunk, elements));
      taken += elements * sizeof(float);
      payload_bytes_ += elements * sizeof(float);
    }
    if (payload_bytes_ == count_ * sizeof(float)) {
      ++frames_;
      header_bytes_ = 0;
      payload_bytes_ = 0;
      if (one_frame) {
        break;
      }
    }
  }
  return taken;
}

}  // namespace godwit::baselines

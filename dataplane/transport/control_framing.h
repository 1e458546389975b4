// Cuts the ordered control stream into messages: u32 length (little endian), then that many bytes.
//
// Bytes come from outside in pieces of any size. A length of zero or above kControlBytesMax breaks
// the framing for good: the session closes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "dataplane/transport/buffer.h"

namespace godwit::transport {

inline constexpr std::size_t kControlHeaderBytes = 4;

// The header of a message of `bytes` bytes.
std::array<std::byte, kControlHeaderBytes> control_header(std::size_t bytes);

class ControlReader {
 public:
  explicit ControlReader(BufferPool& pool) : pool_(pool) {}

  // Takes from the front of `input` until a message is complete or the input is used up; returns
  // the message and advances `input`. nullopt: everything was taken, no message is complete; or
  // the framing is broken.
  std::optional<Buffer> next(std::span<const std::byte>& input);
  bool is_broken() const { return is_broken_; }

 private:
  BufferPool& pool_;
  std::array<std::byte, kControlHeaderBytes> header_{};
  std::size_t header_bytes_ = 0;
  std::size_t expected_ = 0;  // bytes of the message under way; 0 while the header is incomplete
  Buffer message_;
  bool is_broken_ = false;
};

}  // namespace godwit::transport

#include "dataplane/transport/control_framing.h"

#include <algorithm>
#include <utility>

#include "dataplane/base/assert.h"
#include "dataplane/base/bytes.h"
#include "dataplane/transport/session.h"

namespace godwit::transport {

std::array<std::byte, kControlHeaderBytes> control_header(std::size_t bytes) {
  GODWIT_ASSERT(bytes > 0 && bytes <= kControlBytesMax);
  std::array<std::byte, kControlHeaderBytes> header{};
  ByteWriter writer(header);
  writer.u32(static_cast<std::uint32_t>(bytes));
  return header;
}

std::optional<Buffer> ControlReader::next(std::span<const std::byte>& input) {
  while (!input.empty() && !is_broken_) {
    if (expected_ == 0) {
      const std::size_t count = std::min(input.size(), header_.size() - header_bytes_);
      std::copy_n(input.begin(), count, header_.begin() + header_bytes_);
      header_bytes_ += count;
      input = input.subspan(count);
      if (header_bytes_ < header_.size()) {
        return std::nullopt;
      }
      expected_ = ByteReader(header_).u32();
      if (expected_ == 0 || expected_ > kControlBytesMax) {
        is_broken_ = true;
        return std::nullopt;
      }
      message_ = pool_.take(std::min(expected_, BufferPool::kSizes.front()));
      continue;
    }
    const std::size_t count = std::min(input.size(), expected_ - message_.size());
    // Memory follows the bytes that came, not the length that was announced.
    message_ = pool_.grown(std::move(message_), count);
    message_.append(input.first(count));
    input = input.subspan(count);
    if (message_.size() == expected_) {
      header_bytes_ = 0;
      expected_ = 0;
      return std::move(message_);
    }
  }
  return std::nullopt;
}

}  // namespace godwit::transport

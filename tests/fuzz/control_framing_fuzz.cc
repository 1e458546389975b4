// The control stream's framing: however the bytes are cut, the same messages come out, and memory
// follows what came.
#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/base/assert.h"
#include "dataplane/transport/control_framing.h"
#include "dataplane/transport/session.h"

namespace godwit::transport {
namespace {

struct Parsed {
  std::vector<std::vector<std::byte>> messages;
  bool is_broken = false;
};

Parsed parse(std::span<const std::byte> bytes, std::size_t piece_bytes) {
  BufferPool pool;
  Parsed parsed;
  {
    ControlReader reader(pool);
    for (std::size_t at = 0; at < bytes.size(); at += piece_bytes) {
      auto piece = bytes.subspan(at, std::min(piece_bytes, bytes.size() - at));
      while (auto message = reader.next(piece)) {
        const auto content = message->bytes();
        GODWIT_ASSERT(!content.empty() && content.size() <= kControlBytesMax);
        parsed.messages.emplace_back(content.begin(), content.end());
      }
      GODWIT_ASSERT(piece.empty() || reader.is_broken());
    }
    GODWIT_ASSERT(pool.bytes_in_use() <= 8 * bytes.size() + BufferPool::kSizes.front());
    parsed.is_broken = reader.is_broken();
  }
  GODWIT_ASSERT(pool.bytes_in_use() == 0);
  return parsed;
}

}  // namespace
}  // namespace godwit::transport

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  const auto bytes = std::as_bytes(std::span(data, size));
  const std::size_t piece = std::to_integer<std::size_t>(bytes[0]) + 1;
  const auto whole = godwit::transport::parse(bytes.subspan(1), size);
  const auto pieces = godwit::transport::parse(bytes.subspan(1), piece);
  GODWIT_ASSERT(whole.messages == pieces.messages);
  GODWIT_ASSERT(whole.is_broken == pieces.is_broken);
  return 0;
}

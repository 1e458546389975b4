// Any bytes as the stream of a TCP baseline: every element is handed on once, in order and within
// the delta, and what becomes of the stream does not depend on how it was cut into reads.
//
// Input: u8 elements - 1, u8 bytes of a read - 1, then the stream.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "bench/baselines/frame.h"
#include "dataplane/base/assert.h"

namespace {

// What a reader made of a stream.
struct Seen {
  std::vector<std::uint32_t> elements;  // their bits: a NaN is not equal to itself
  std::uint64_t frames = 0;
  bool refused = false;
  bool operator==(const Seen&) const = default;
};

Seen read(std::span<const std::byte> stream, std::size_t count, std::size_t piece, bool one_frame) {
  godwit::baselines::FrameReader reader(count);
  Seen seen;
  std::size_t next = 0;
  const auto add = [&](std::size_t first, std::span<const float> values) {
    GODWIT_ASSERT(first == next && !values.empty() && first + values.size() <= count);
    next = (first + values.size()) % count;
    for (const float value : values) {
      std::uint32_t bits = 0;
      std::memcpy(&bits, &value, sizeof bits);
      seen.elements.push_back(bits);
    }
  };
  while (!stream.empty() && !seen.refused) {
    const auto part = stream.first(std::min(piece, stream.size()));
    const auto taken = reader.feed(part, one_frame, add);
    seen.refused = !taken.has_value();
    GODWIT_ASSERT(seen.refused || *taken == part.size() || one_frame);
    GODWIT_ASSERT(seen.refused || *taken > 0);
    stream = stream.subspan(seen.refused ? 0 : *taken);
  }
  seen.frames = reader.frames();
  GODWIT_ASSERT(seen.elements.size() / count == seen.frames);
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) {
    return 0;
  }
  const std::size_t count = std::size_t{data[0]} + 1;
  const std::size_t piece = std::size_t{data[1]} + 1;
  const auto stream = std::as_bytes(std::span(data, size)).subspan(2);
  const Seen whole = read(stream, count, size, false);
  GODWIT_ASSERT(read(stream, count, piece, false) == whole);
  GODWIT_ASSERT(read(stream, count, size, true) == whole, "frame by frame");
  return 0;
}

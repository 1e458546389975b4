#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "bench/wan/arp.h"
#include "dataplane/base/assert.h"

// A frame is answered or left as it is, and an answer is no question.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<std::byte> frame(size);
  std::transform(
      data, data + size, frame.begin(), [](std::uint8_t byte) { return std::byte{byte}; });
  const std::vector<std::byte> before = frame;
  const bool answered = godwit::wan::answer_arp(frame, 0, 3);
  GODWIT_ASSERT(answered || frame == before);
  GODWIT_ASSERT(!answered || !godwit::wan::answer_arp(frame, 0, 3));
  return 0;
}

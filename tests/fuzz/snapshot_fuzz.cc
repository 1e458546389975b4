// Any bytes as a snapshot: what is taken is a whole one of the size asked for, and its parameters
// are the file's own tail, bit by bit.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "bench/workloads/trainer/snapshot.h"
#include "dataplane/base/assert.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kHeaderBytes = 32;
  const auto file = std::as_bytes(std::span(data, size));
  std::size_t taken = 0;
  for (std::size_t count = 0; count < 6; ++count) {
    const auto snapshot = godwit::trainer::parse_snapshot(file, count);
    if (!snapshot) {
      GODWIT_ASSERT(!snapshot.error().message.empty());
      continue;
    }
    ++taken;
    GODWIT_ASSERT(snapshot->parameters.size() == count);
    GODWIT_ASSERT(size == kHeaderBytes + count * sizeof(float));
    GODWIT_ASSERT(
        count == 0 ||
        std::memcmp(snapshot->parameters.data(), data + kHeaderBytes, count * sizeof(float)) == 0);
  }
  GODWIT_ASSERT(taken <= 1, "a snapshot has one size");
  return 0;
}

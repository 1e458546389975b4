// Any bytes as a site's published sums: what is taken is a whole file of the size asked for, and
// its integers are the file's own tail.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "bench/workloads/through/published_sums.h"
#include "dataplane/base/assert.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kHeaderBytes = 8;
  const auto file = std::as_bytes(std::span(data, size));
  std::size_t taken = 0;
  for (std::size_t elements = 0; elements < 6; ++elements) {
    const auto sums = godwit::through::parse_sums(file, elements);
    if (!sums) {
      GODWIT_ASSERT(!sums.error().message.empty());
      continue;
    }
    ++taken;
    GODWIT_ASSERT(sums->size() == elements);
    GODWIT_ASSERT(size == kHeaderBytes * (1 + elements));
    GODWIT_ASSERT(elements == 0 ||
                  std::memcmp(sums->data(), data + kHeaderBytes, size - kHeaderBytes) == 0);
  }
  GODWIT_ASSERT(taken <= 1, "a log has one size");
  return 0;
}

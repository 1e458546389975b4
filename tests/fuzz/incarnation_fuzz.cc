// Any bytes as an incarnation file: refused with what is wrong, or the very bytes that a gateway
// writes for that incarnation.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "api/gateway/identity.h"
#include "dataplane/base/assert.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace godwit;
  const auto file = std::as_bytes(std::span(data, size));
  const auto decoded = gateway::decode_incarnation(file);
  if (!decoded) {
    GODWIT_ASSERT(decoded.error().code == Code::kCorrupt && !decoded.error().message.empty());
    return 0;
  }
  GODWIT_ASSERT(decoded->counter > 0);
  const auto again = gateway::encode_incarnation(*decoded);
  GODWIT_ASSERT(std::equal(file.begin(), file.end(), again.begin(), again.end()));
  return 0;
}

// Any bytes as the greeting of either side of the local channel: what is taken is a greeting that
// this build makes, and rings that can be mapped.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "api/local/greeting.h"
#include "dataplane/base/assert.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace godwit::local;
  const auto bytes = std::as_bytes(std::span(data, size));
  ClientGreeting client{};
  std::copy_n(bytes.begin(), std::min(size, client.size()), client.begin());
  if (accepts(client)) {
    const ClientGreeting ours = make_client_greeting();
    GODWIT_ASSERT(std::equal(client.begin(), client.begin() + 12, ours.begin()));
  }
  GatewayGreeting gateway{};
  std::copy_n(bytes.begin(), std::min(size, gateway.size()), gateway.begin());
  const auto shape = read_gateway_greeting(gateway);
  if (!shape) {
    GODWIT_ASSERT(!shape.error().message.empty());
    return 0;
  }
  GODWIT_ASSERT(shape->is_possible());
  GODWIT_ASSERT(shape->to_gateway_bytes <= kRingBytesMax &&
                shape->to_client_bytes <= kRingBytesMax);
  GatewayGreeting again = make_gateway_greeting(*shape);
  std::copy_n(gateway.begin() + 12, 4, again.begin() + 12);  // reserved: whatever stood there
  GODWIT_ASSERT(again == gateway);
  return 0;
}

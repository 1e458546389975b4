// Any bytes as a request of the command `godwit`: answered by one response of bounded size, which
// says what kind it is; the gateway goes on and its books balance.
#include <cstddef>
#include <cstdint>
#include <span>

#include "api/gateway/admin_server.h"
#include "api/gateway/report.h"
#include "dataplane/base/assert.h"
#include "dataplane/base/log.h"
#include "tests/api/gateway/one_gateway.h"

namespace {

// One for all inputs: a request changes nothing but that the gateway may be asked to stop.
godwit::gateway::OneGateway& one_gateway() {
  static godwit::gateway::OneGateway* const one = [] {
    godwit::log::set_level(godwit::log::Level::kError);
    auto* made = new godwit::gateway::OneGateway("b");
    const auto handle = made->declare("wire/v1", 70'000);
    made->publish(handle, 100, {1, -2, 3});
    made->greeted("a").control(godwit::gateway::OneGateway::announcement("wire/v1", 70'000));
    made->turn();
    return made;
  }();
  return *one;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace godwit;
  if (size > gateway::AdminServer::kRequestBytesMax) {
    return 0;  // the server hands over no longer ones
  }
  gateway::OneGateway& b = one_gateway();
  gateway::Reporter reporter(*b.gateway, b.now);
  const std::string answer = reporter.answer(b.now, std::as_bytes(std::span(data, size)));
  admin::AdminResponse response;
  GODWIT_ASSERT(response.ParseFromString(answer), "the answer is a response");
  GODWIT_ASSERT(response.kind_case() != admin::AdminResponse::KIND_NOT_SET);
  const auto drain = reporter.take_stop();
  GODWIT_ASSERT(drain.has_value() == response.has_stop());
  GODWIT_ASSERT(!drain || (*drain >= Duration::zero() && *drain <= Duration::seconds(86'400)));
  GODWIT_ASSERT(answer.size() <= 65'536 + 2 * size,
                "it grows with what is known, not what is asked");
  return 0;
}

// Any bytes as a gateway's answer to the command `godwit`: refused, or shown as text without
// control characters, as JSON that reads back, and judged by an exit status.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "api/cli/admin_client.h"
#include "api/cli/json.h"
#include "api/cli/report.h"
#include "dataplane/base/assert.h"

namespace {

using godwit::admin::AdminResponse;

std::string text_of(const AdminResponse& response) {
  using namespace godwit::cli;
  switch (response.kind_case()) {
    case AdminResponse::kStatus:
      return to_text(response.status());
    case AdminResponse::kTopics:
      return to_text(response.topics());
    case AdminResponse::kLinks:
      return to_text(response.links());
    case AdminResponse::kLedger:
      return to_text(response.ledger());
    case AdminResponse::kExplain:
      return to_text(response.explain());
    case AdminResponse::kPeers:
      return to_text(response.peers());
    case AdminResponse::kStop:
      return to_text(response.stop());
    default:
      return "";
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view body(static_cast<const char*>(static_cast<const void*>(data)), size);
  const auto response = godwit::cli::decode_answer(body);
  if (!response) {
    GODWIT_ASSERT(response.error().code == godwit::Code::kCorrupt);
    return 0;
  }
  const std::string text = text_of(*response);
  GODWIT_ASSERT(
      std::none_of(
          text.begin(),
          text.end(),
          [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\n') || c == 0x7f; }),
      "nothing steers the terminal");
  const std::string json = godwit::cli::to_json(*response).dump();
  GODWIT_ASSERT(nlohmann::json::parse(json, nullptr, false).is_object());
  const auto code = static_cast<int>(godwit::cli::verdict(*response));
  GODWIT_ASSERT(code == 0 || code == 1 || code == 2 || code == 10);
  return 0;
}

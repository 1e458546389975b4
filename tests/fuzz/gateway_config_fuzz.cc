// Any text as a configuration file: read, or refused with a place; what is read reads back.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "api/gateway/config.h"
#include "dataplane/base/assert.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(static_cast<const char*>(static_cast<const void*>(data)), size);
  const auto config = godwit::gateway::parse_config(text, "fuzz.toml");
  if (!config) {
    GODWIT_ASSERT(config.error().message.starts_with("fuzz.toml:"));
    return 0;
  }
  const std::string once = godwit::gateway::effective_config(*config);
  const auto again = godwit::gateway::parse_config(once, "fuzz.toml");
  GODWIT_ASSERT(again.has_value(), "what was read reads back");
  GODWIT_ASSERT(godwit::gateway::effective_config(*again) == once);
  return 0;
}

// Any line on the emulator's control socket gets an answer of one JSON object, and the WAN stays
// usable.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "bench/wan/control.h"
#include "bench/wan/presets.h"
#include "dataplane/base/assert.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace godwit;
  using namespace godwit::wan;
  PlanRequest request;
  request.preset = presets().front().name;
  request.sites = 2;
  request.names = {"a", "b"};
  Network network(*make_plan(request), 1);
  Control control(
      network,
      request,
      nlohmann::ordered_json::object(),
      [](std::size_t) { return TapFigures{}; },
      Instant());
  const std::string_view line(reinterpret_cast<const char*>(data), size);
  const std::string answer = control.answer(Instant::from_ns(1), line);
  GODWIT_ASSERT(nlohmann::json::parse(answer, nullptr, false).is_object());
  GODWIT_ASSERT(answer.find('\n') == std::string::npos);
  GODWIT_ASSERT(control.answer(Instant::from_ns(2), R"({"op":"stats"})").find("\"ok\":true") !=
                std::string::npos);
  return 0;
}

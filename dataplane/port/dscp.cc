#include "dataplane/port/dscp.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace godwit::port {
namespace {

struct Name {
  std::string_view text;
  std::uint8_t codepoint;
};

// One name for each value; "cs0" is read and written as "df".
constexpr std::array<Name, 23> kNames{{
    {"df", 0},    {"le", 1},    {"cs1", 8},   {"af11", 10}, {"af12", 12}, {"af13", 14},
    {"cs2", 16},  {"af21", 18}, {"af22", 20}, {"af23", 22}, {"cs3", 24},  {"af31", 26},
    {"af32", 28}, {"af33", 30}, {"cs4", 32},  {"af41", 34}, {"af42", 36}, {"af43", 38},
    {"cs5", 40},  {"va", 44},   {"ef", 46},   {"cs6", 48},  {"cs7", 56},
}};

}  // namespace

Result<std::uint8_t> parse_dscp(std::string_view text) {
  const auto named = std::find_if(
      kNames.begin(), kNames.end(), [text](const Name& name) { return name.text == text; });
  if (named != kNames.end()) {
    return named->codepoint;
  }
  if (text == "cs0") {
    return std::uint8_t{0};
  }
  std::uint8_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number > kDscpMax) {
    return fail(Code::kInvalid,
                "\"{}\" is no codepoint; allowed: df, le, cs0 to cs7, af11 to af43, va, ef, or 0 "
                "to 63",
                text);
  }
  return number;
}

std::string format_dscp(std::uint8_t codepoint) {
  const auto named = std::find_if(kNames.begin(), kNames.end(), [codepoint](const Name& name) {
    return name.codepoint == codepoint;
  });
  return named != kNames.end() ? std::string(named->text) : std::to_string(codepoint);
}

}  // namespace godwit::port

#include "api/cli/codec_bench/xml_text.h"

#include <bit>
#include <cstddef>
#include <cstdint>

namespace godwit::codec_bench {
namespace {

// Bytes of the character of XML that `text` begins with, 0 if there is none.
std::size_t character(std::string_view text) {
  const auto byte = [&](std::size_t i) {
    return std::uint32_t{static_cast<std::uint8_t>(text[i])};
  };
  const auto leading =
      static_cast<std::size_t>(std::countl_one(static_cast<std::uint8_t>(text[0])));
  if (leading == 0) {
    const bool allowed = byte(0) >= 0x20 || byte(0) == '\t' || byte(0) == '\n' || byte(0) == '\r';
    return allowed && byte(0) != 0x7F ? 1 : 0;
  }
  if (leading < 2 || leading > 4 || text.size() < leading) {
    return 0;
  }
  std::uint32_t code = byte(0) & (0x7FU >> leading);
  for (std::size_t i = 1; i < leading; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) {
      return 0;
    }
    code = code << 6U | (byte(i) & 0x3FU);
  }
  const std::uint32_t least = leading == 2 ? 0x80U : leading == 3 ? 0x800U : 0x10000U;
  const bool is_surrogate = code >= 0xD800U && code <= 0xDFFFU;
  const bool is_control = code < 0xA0U;
  return code < least || code > 0x10FFFFU || is_surrogate || is_control || code == 0xFFFEU ||
                 code == 0xFFFFU
             ? 0
             : leading;
}

}  // namespace

std::string xml_text(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t length = character(text);
    switch (text[0]) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += length == 0 ? "?" : text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return out;
}

}  // namespace godwit::codec_bench

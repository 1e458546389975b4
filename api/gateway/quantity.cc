#include "api/gateway/quantity.h"

#include <array>
#include <charconv>
#include <cmath>
#include <vector>

#include <fmt/ranges.h>

namespace godwit::gateway {
namespace {

struct Unit {
  std::string_view suffix;
  double factor;
};

// "<number><unit>", the number finite and >= 0; `kind` is what it is a quantity of.
template <std::size_t N>
Result<double> parse_quantity(std::string_view text,
                              const std::array<Unit, N>& units,
                              std::string_view kind,
                              std::string_view example) {
  for (const Unit& unit : units) {
    if (!text.ends_with(unit.suffix)) {
      continue;
    }
    const std::string_view digits = text.substr(0, text.size() - unit.suffix.size());
    double value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error == std::errc() && end == digits.data() + digits.size() && std::isfinite(value) &&
        value >= 0) {
      return value * unit.factor;
    }
    break;
  }
  std::vector<std::string_view> names;
  names.reserve(units.size());
  for (const Unit& unit : units) {
    names.push_back(unit.suffix);
  }
  return fail(Code::kInvalid,
              "\"{}\" is not a {} such as \"{}\": a number and, without a space, one of: {}",
              text,
              kind,
              example,
              fmt::join(names, ", "));
}

}  // namespace

Result<BitRate> parse_rate(std::string_view text) {
  static constexpr std::array<Unit, 4> kUnits{
      {{"Gbit/s", 1e9}, {"Mbit/s", 1e6}, {"kbit/s", 1e3}, {"bit/s", 1}}};
  const auto value = parse_quantity(text, kUnits, "rate", "20Mbit/s");
  if (!value) {
    return Failure(value.error());
  }
  if (*value > 1e13) {
    return fail(Code::kInvalid, "\"{}\" is over 10000Gbit/s", text);
  }
  return BitRate::bps(static_cast<std::uint64_t>(std::llround(*value)));
}

Result<Duration> parse_duration(std::string_view text) {
  static constexpr std::array<Unit, 5> kUnits{
      {{"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}}};
  const auto value = parse_quantity(text, kUnits, "duration", "250ms");
  if (!value) {
    return Failure(value.error());
  }
  if (*value > 1e18) {
    return fail(Code::kInvalid, "\"{}\" is over 30 years", text);
  }
  return Duration::ns(std::llround(*value));
}

Result<Bytes> parse_bytes(std::string_view text) {
  static constexpr std::array<Unit, 7> kUnits{{{"KiB", 1024.0},
                                               {"MiB", 1048576.0},
                                               {"GiB", 1073741824.0},
                                               {"kB", 1e3},
                                               {"MB", 1e6},
                                               {"GB", 1e9},
                                               {"B", 1}}};
  const auto value = parse_quantity(text, kUnits, "size", "64MiB");
  if (!value) {
    return Failure(value.error());
  }
  if (*value > 1e15) {
    return fail(Code::kInvalid, "\"{}\" is over 1000000GB", text);
  }
  return Bytes(static_cast<std::uint64_t>(std::llround(*value)));
}

}  // namespace godwit::gateway

#include "bench/wan/quantities.h"

#include <array>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>

namespace godwit::wan {

namespace {

struct Unit {
  std::string_view suffix;
  double factor;
};

// `text` as a number followed by one of `units`; longer suffixes first.
template <std::size_t N>
std::optional<double> parse(std::string_view text, const std::array<Unit, N>& units) {
  for (const Unit& unit : units) {
    if (!text.ends_with(unit.suffix)) {
      continue;
    }
    const std::string number(text.substr(0, text.size() - unit.suffix.size()));
    char* end = nullptr;
    const double value = std::strtod(number.c_str(), &end);
    if (number.empty() || number.size() > 32 || end != number.c_str() + number.size() ||
        !std::isfinite(value)) {
      return std::nullopt;
    }
    return value * unit.factor;
  }
  return std::nullopt;
}

constexpr std::string_view kRateAllowed =
    "0.001 to 100000 Mbit/s, as 500kbit, 16.76mbit, 1gbit, or none";
constexpr std::string_view kDelayAllowed = "0 to 10000 ms one way, as 164ms, 500us or 1s";
constexpr std::string_view kLossAllowed = "a probability from 0 to 1, as 0.01 or 1%";
constexpr std::string_view kQueueAllowed = "1500 bytes to 64 MiB, as 65536, 64KiB or 1MiB";

}  // namespace

Result<BitRate> check_rate_mbit(double mbit) {
  const double bps = std::round(mbit * 1e6);
  if (!(bps >= static_cast<double>(kRateMin.bits_per_second()) &&
        bps <= static_cast<double>(kRateMax.bits_per_second()))) {
    return fail(Code::kInvalid, "rate {} Mbit/s; allowed: {}", mbit, kRateAllowed);
  }
  return BitRate::bps(static_cast<std::uint64_t>(bps));
}

Result<Duration> check_delay_ms(double ms) {
  if (!(ms >= 0 && ms <= static_cast<double>(kDelayMax.count_ms()))) {
    return fail(Code::kInvalid, "delay {} ms; allowed: {}", ms, kDelayAllowed);
  }
  return Duration::ns(std::llround(ms * 1e6));
}

Result<double> check_loss(double loss) {
  if (!(loss >= 0 && loss <= 1)) {
    return fail(Code::kInvalid, "loss {}; allowed: {}", loss, kLossAllowed);
  }
  return loss;
}

Result<Bytes> check_queue_bytes(double bytes) {
  if (!(bytes >= static_cast<double>(kQueueMin.count()) &&
        bytes <= static_cast<double>(kQueueMax.count()))) {
    return fail(Code::kInvalid, "queue {} bytes; allowed: {}", bytes, kQueueAllowed);
  }
  return Bytes(static_cast<std::uint64_t>(bytes));
}

Result<BitRate> parse_rate(std::string_view text) {
  if (text == "none") {
    return BitRate::unlimited();
  }
  static constexpr std::array<Unit, 3> kUnits{{{"kbit", 1e-3}, {"mbit", 1}, {"gbit", 1e3}}};
  const auto mbit = parse(text, kUnits);
  if (!mbit) {
    return fail(Code::kInvalid, "rate '{}'; allowed: {}", text, kRateAllowed);
  }
  return check_rate_mbit(*mbit);
}

Result<Duration> parse_delay(std::string_view text) {
  static constexpr std::array<Unit, 3> kUnits{{{"ms", 1}, {"us", 1e-3}, {"s", 1e3}}};
  const auto ms = parse(text, kUnits);
  if (!ms) {
    return fail(Code::kInvalid, "delay '{}'; allowed: {}", text, kDelayAllowed);
  }
  return check_delay_ms(*ms);
}

Result<double> parse_loss(std::string_view text) {
  static constexpr std::array<Unit, 2> kUnits{{{"%", 1e-2}, {"", 1}}};
  const auto loss = parse(text, kUnits);
  if (!loss) {
    return fail(Code::kInvalid, "loss '{}'; allowed: {}", text, kLossAllowed);
  }
  return check_loss(*loss);
}

Result<Bytes> parse_queue(std::string_view text) {
  static constexpr std::array<Unit, 3> kUnits{{{"KiB", 1024}, {"MiB", 1048576}, {"", 1}}};
  const auto bytes = parse(text, kUnits);
  if (!bytes) {
    return fail(Code::kInvalid, "queue '{}'; allowed: {}", text, kQueueAllowed);
  }
  return check_queue_bytes(*bytes);
}

}  // namespace godwit::wan

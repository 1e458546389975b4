#include "api/local/value_range.h"

#include <algorithm>
#include <cmath>

namespace godwit::local {
namespace {

// Quanta; sums of all sites are below it.
constexpr std::int64_t kSumRange = std::int64_t{1} << 62U;

template <class Values, class IsGood>
std::optional<std::size_t> find_bad(Values values, IsGood is_good) {
  const auto wrong = std::find_if_not(values.begin(), values.end(), is_good);
  return wrong == values.end() ? std::nullopt
                               : std::optional(static_cast<std::size_t>(wrong - values.begin()));
}

// The largest float of at most so many quanta.
float largest_float(std::int64_t magnitude_max, std::uint32_t fraction_bits) {
  const auto nearest = static_cast<float>(units(magnitude_max, fraction_bits));
  // Of this size every float is a whole number of quanta.
  const float quanta = std::ldexp(nearest, static_cast<int>(fraction_bits));
  const bool is_above = static_cast<std::int64_t>(quanta) > magnitude_max;
  return is_above ? std::nextafter(nearest, 0.0F) : nearest;
}

}  // namespace

double units(std::int64_t quanta, std::uint32_t fraction_bits) {
  return std::ldexp(static_cast<double>(quanta), -static_cast<int>(fraction_bits));
}

std::int64_t magnitude_max_of(std::size_t sites) {
  return kSumRange / static_cast<std::int64_t>(std::max<std::size_t>(3, sites));
}

std::optional<std::size_t> find_out_of_range(std::span<const float> values,
                                             std::uint32_t fraction_bits,
                                             std::int64_t magnitude_max) {
  const float most = largest_float(magnitude_max, fraction_bits);
  return find_bad(values, [most](float value) {
    return std::fabs(value) <= most;  // NaN is not
  });
}

std::optional<std::size_t> find_out_of_range(std::span<const std::int64_t> quanta,
                                             std::int64_t magnitude_max) {
  return find_bad(quanta, [magnitude_max](std::int64_t value) {
    return value >= -magnitude_max && value <= magnitude_max;
  });
}

std::string out_of_range(double value, std::uint32_t fraction_bits, std::int64_t magnitude_max) {
  return fmt::format("{} is not finite, or beyond the topic's range of {} to {}",
                     value,
                     units(-magnitude_max, fraction_bits),
                     units(magnitude_max, fraction_bits));
}

Result<void> check_seed(std::uint64_t first,
                        std::span<const float> values,
                        std::uint32_t fraction_bits) {
  const auto wrong = find_out_of_range(values, fraction_bits, kSumRange - 1);
  if (!wrong) {
    return {};
  }
  return fail(Code::kInvalid,
              "element {} of the seed is {}; a value must be finite and below 2^{} in magnitude, "
              "the topic's range with {} fraction bits",
              first + *wrong,
              values[*wrong],
              62 - static_cast<int>(fraction_bits),
              fraction_bits);
}

}  // namespace godwit::local

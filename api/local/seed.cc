#include "api/local/seed.h"

#include <algorithm>
#include <cmath>

namespace godwit::local {

std::optional<std::size_t> find_out_of_range(std::span<const float> values,
                                             std::uint32_t fraction_bits) {
  const float range = std::ldexp(1.0F, 62 - static_cast<int>(fraction_bits));
  const auto wrong = std::find_if(values.begin(), values.end(), [range](float value) {
    return !(std::fabs(value) < range);  // NaN is below nothing
  });
  return wrong == values.end() ? std::nullopt
                               : std::optional(static_cast<std::size_t>(wrong - values.begin()));
}

std::optional<std::size_t> find_out_of_range(std::span<const std::int64_t> quanta) {
  constexpr std::int64_t kRange = std::int64_t{1} << 62U;
  const auto wrong = std::find_if(quanta.begin(), quanta.end(), [](std::int64_t value) {
    return value <= -kRange || value >= kRange;
  });
  return wrong == quanta.end() ? std::nullopt
                               : std::optional(static_cast<std::size_t>(wrong - quanta.begin()));
}

Result<void> check_seed(std::uint64_t first,
                        std::span<const float> values,
                        std::uint32_t fraction_bits) {
  const auto wrong = find_out_of_range(values, fraction_bits);
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

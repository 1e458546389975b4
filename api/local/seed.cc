#include "api/local/seed.h"

#include <algorithm>
#include <cmath>

namespace godwit::local {

Result<void> check_seed(std::uint64_t first,
                        std::span<const float> values,
                        std::uint32_t fraction_bits) {
  const int range_log2 = 62 - static_cast<int>(fraction_bits);
  const float range = std::ldexp(1.0F, range_log2);
  const auto wrong = std::find_if(values.begin(), values.end(), [range](float value) {
    return !(std::fabs(value) < range);  // NaN is below nothing
  });
  if (wrong == values.end()) {
    return {};
  }
  return fail(Code::kInvalid,
              "element {} of the seed is {}; a value must be finite and below 2^{} in magnitude, "
              "the topic's range with {} fraction bits",
              first + static_cast<std::uint64_t>(wrong - values.begin()),
              *wrong,
              range_log2,
              fraction_bits);
}

}  // namespace godwit::local

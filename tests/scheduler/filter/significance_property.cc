// The vectorised mask does what its sentence says, element by element.
#include <cmath>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "scheduler/filter/significance.h"

namespace godwit::scheduler {
namespace {

RC_GTEST_PROP(SignificanceProperty, ZeroesExactlyWhatIsBelowTheThreshold, ()) {
  const auto open =
      *rc::gen::container<std::vector<std::int64_t>>(rc::gen::inRange<std::int64_t>(-1'000, 1'000));
  const auto threshold = *rc::gen::inRange(0, 100) / 100.0;
  std::vector<double> value(open.size());
  for (double& v : value) {
    v = *rc::gen::inRange(-5'000, 5'000);
  }
  std::vector<std::int64_t> out(open.size(), 42);
  const std::size_t kept = mask_insignificant(open, value, threshold, out);
  std::size_t expected = 0;
  for (std::size_t i = 0; i < open.size(); ++i) {
    const bool small = std::fabs(static_cast<double>(open[i])) < threshold * std::fabs(value[i]);
    RC_ASSERT(out[i] == (small && value[i] != 0 ? 0 : open[i]));
    expected += out[i] != 0 ? 1U : 0U;
  }
  RC_ASSERT(kept == expected);
}

}  // namespace
}  // namespace godwit::scheduler

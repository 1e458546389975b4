#include "bench/workloads/through/audit.h"

#include <limits>

#include "dataplane/base/assert.h"

namespace godwit::through {

Audit audit(std::span<const std::vector<std::int64_t>> held,
            std::span<const std::vector<std::int64_t>> published) {
  GODWIT_ASSERT(!held.empty() && !published.empty());
  __extension__ using Wide = __int128;
  const std::size_t elements = held[0].size();
  Audit result;
  Wide defect = 0;
  for (std::size_t i = 0; i < elements; ++i) {
    Wide expected = 0;
    for (const auto& log : published) {
      expected += log[i];
    }
    for (const auto& sums : held) {
      result.identical = result.identical && sums[i] == held[0][i];
      const Wide difference = sums[i] < expected ? expected - sums[i] : sums[i] - expected;
      defect += difference;
      result.elements_wrong += difference != 0 ? 1U : 0U;
    }
  }
  constexpr Wide kMost = std::numeric_limits<std::int64_t>::max();
  result.conservation_defect = static_cast<std::int64_t>(defect < kMost ? defect : kMost);
  return result;
}

}  // namespace godwit::through

#include "codec/row/structure.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <numeric>
#include <span>

namespace godwit::codec::row {
namespace {

// Runs of touched rows that are looked at. Chosen: half of them may have borders that mislead.
constexpr std::size_t kRunsMax = 64;
// Of all pairs of distances, at least one in so many agrees. Chosen: chance makes one in thirty.
constexpr std::size_t kAgreeing = 8;

struct Vote {
  std::size_t value = 0;
  std::size_t count = 0;
};

// The value that occurs most often; sorts.
Vote most_common(std::span<std::size_t> values) {
  std::sort(values.begin(), values.end());
  Vote best;
  for (auto at = values.begin(); at != values.end();) {
    const auto end = std::upper_bound(at, values.end(), *at);
    const auto count = static_cast<std::size_t>(end - at);
    if (count > best.count) {
      best = {*at, count};
    }
    at = end;
  }
  return best;
}

// What divides all distances, or the divisor that most neighbouring ones have in common; 0 if that
// is less than kGapMin or few do.
std::size_t width_of(std::span<const std::size_t> distances) {
  std::size_t of_all = 0;
  std::array<std::size_t, 2 * kRunsMax> of_pairs{};
  std::size_t pairs = 0;
  for (std::size_t i = 0; i < distances.size(); ++i) {
    of_all = std::gcd(of_all, distances[i]);
    if (i > 0) {
      const std::size_t divisor = std::gcd(distances[i - 1], distances[i]);
      if (divisor >= kGapMin) {
        of_pairs[pairs++] = divisor;
      }
    }
  }
  if (of_all >= kGapMin) {
    return of_all;
  }
  const Vote vote = most_common(std::span(of_pairs).first(pairs));
  return kAgreeing * vote.count >= distances.size() ? vote.value : 0;
}

}  // namespace

std::optional<Rows> find_rows(const BitMap& nonzero, std::size_t elements) {
  std::array<std::size_t, 2 * kRunsMax> borders{};
  std::size_t count = 0;
  // The tile's own ends are none.
  for (Run run = next_run(nonzero, 0, elements);
       run.first < elements && count + 2 <= borders.size();
       run = next_run(nonzero, run.end, elements)) {
    if (run.first != 0) {
      borders[count++] = run.first;
    }
    if (run.end != elements) {
      borders[count++] = run.end;
    }
  }
  if (count < 2) {
    return std::nullopt;
  }
  std::array<std::size_t, 2 * kRunsMax> distances{};
  std::adjacent_difference(
      borders.begin(), borders.begin() + static_cast<std::ptrdiff_t>(count), distances.begin());
  const std::size_t width = width_of(std::span(distances).subspan(1, count - 1));
  if (width == 0) {
    return std::nullopt;
  }
  for (std::size_t& border : std::span(borders).first(count)) {
    border %= width;
  }
  return Rows{elements, width, most_common(std::span(borders).first(count)).value};
}

}  // namespace godwit::codec::row

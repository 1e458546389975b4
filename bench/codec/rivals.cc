#include "bench/codec/rivals.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "dataplane/base/assert.h"
#include "dataplane/base/random.h"

namespace godwit::bench_codec {
namespace {

constexpr std::size_t kBlock = 256;  // values that share a scale
constexpr double kScaleBytes = 2;    // as bfloat16

// Calls visit(block of values, block of result) for each block.
template <class Visit>
void for_each_block(std::span<const float> values, std::span<float> result, Visit&& visit) {
  for (std::size_t first = 0; first < values.size(); first += kBlock) {
    const std::size_t count = std::min(kBlock, values.size() - first);
    visit(values.subspan(first, count), result.subspan(first, count));
  }
}

double blocks_of(std::size_t count) {
  return std::ceil(static_cast<double>(count) / kBlock);
}

float largest_of(std::span<const float> values) {
  float largest = 0;
  for (const float value : values) {
    largest = std::max(largest, std::abs(value));
  }
  return largest;
}

// Rounds to multiples of largest / most.
void round_to_integers(std::span<const float> values, float most, std::span<float> out) {
  const float step = largest_of(values) / most;
  for (std::size_t i = 0; i < values.size(); ++i) {
    out[i] = step > 0 ? std::round(values[i] / step) * step : 0;
  }
}

// Positions of the `count` largest magnitudes, in order.
std::vector<std::size_t> largest(std::span<const float> values, std::size_t count) {
  std::vector<std::size_t> positions(values.size());
  std::iota(positions.begin(), positions.end(), 0U);
  count = std::min(count, positions.size());
  std::nth_element(positions.begin(),
                   positions.begin() + static_cast<std::ptrdiff_t>(count),
                   positions.end(),
                   [&](auto a, auto b) { return std::abs(values[a]) > std::abs(values[b]); });
  positions.resize(count);
  std::sort(positions.begin(), positions.end());
  return positions;
}

// Bits of the positions by the Rice code that suits them best.
double position_bits(std::span<const std::size_t> positions) {
  double best = std::numeric_limits<double>::infinity();
  for (unsigned k = 0; k < 24; ++k) {
    double bits = 0;
    std::size_t next = 0;
    for (const std::size_t position : positions) {
      bits += static_cast<double>(((position - next) >> k) + 1 + k);
      next = position + 1;
    }
    best = std::min(best, bits);
  }
  return positions.empty() ? 0 : best;
}

double log2_factorial(double n) {
  int sign = 0;
  return ::lgamma_r(n + 1, &sign) / std::log(2.0);
}

// Bits of the same positions at the least that any coder takes who knows how many there are in each
// block, for the length of blocks that is best: the choice of so many of a block, and their number.
double fewest_position_bits(std::span<const std::size_t> positions, std::size_t elements) {
  double best = std::numeric_limits<double>::infinity();
  for (std::size_t block = 256; block <= 65'536; block *= 4) {
    double bits = 0;
    auto at = positions.begin();
    for (std::size_t first = 0; first < elements; first += block) {
      const std::size_t count = std::min(block, elements - first);
      const auto end = std::lower_bound(at, positions.end(), first + count);
      const auto named = static_cast<double>(end - at);
      const auto all = static_cast<double>(count);
      bits += log2_factorial(all) - log2_factorial(named) - log2_factorial(all - named) +
              std::log2(all + 1);
      at = end;
    }
    best = std::min(best, bits);
  }
  return best;
}

// Bytes of positions for whom the best index coding there is counts.
double place_bytes(std::span<const std::size_t> positions, std::size_t elements) {
  return std::min(position_bits(positions), fewest_position_bits(positions, elements)) / 8;
}

// Orthonormal, in place; its own inverse. The size is a power of two.
void hadamard(std::span<float> values) {
  for (std::size_t half = 1; half < values.size(); half *= 2) {
    for (std::size_t i = 0; i < values.size(); i += 2 * half) {
      for (std::size_t j = i; j < i + half; ++j) {
        const float a = values[j];
        const float b = values[j + half];
        values[j] = a + b;
        values[j + half] = a - b;
      }
    }
  }
  const float scale = 1 / std::sqrt(static_cast<float>(values.size()));
  for (float& value : values) {
    value *= scale;
  }
}

// The centroids above zero of the best quantiser of a standard normal variate with 2^bits levels
// (Max 1960, table I; Lloyd 1982).
std::span<const double> normal_levels(unsigned bits) {
  static constexpr std::array<double, 1> kOne = {0.7979};
  static constexpr std::array<double, 2> kTwo = {0.4528, 1.510};
  static constexpr std::array<double, 4> kThree = {0.2451, 0.7560, 1.344, 2.152};
  static constexpr std::array<double, 8> kFour = {
      0.1284, 0.3881, 0.6568, 0.9424, 1.256, 1.618, 2.069, 2.733};
  switch (bits) {
    case 1:
      return kOne;
    case 2:
      return kTwo;
    case 3:
      return kThree;
    default:
      return kFour;
  }
}

double entropy_bits(const std::map<long, double>& counts) {
  double total = 0;
  for (const auto& [symbol, count] : counts) {
    total += count;
  }
  double bits = 0;
  for (const auto& [symbol, count] : counts) {
    bits -= count * std::log2(count / total);
  }
  return bits;
}

}  // namespace

double relative_error(std::span<const float> values, std::span<const float> kept) {
  double before = 0;
  double left = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double value = values[i];
    before += value * value;
    left += (value - kept[i]) * (value - kept[i]);
  }
  return before > 0 ? std::sqrt(left / before) : 0;
}

Lossy top_k_8bit(std::span<const float> values, std::size_t count) {
  const auto positions = largest(values, count);
  std::vector<float> chosen;
  chosen.reserve(positions.size());
  for (const std::size_t position : positions) {
    chosen.push_back(values[position]);
  }
  std::vector<float> rounded(chosen.size());
  for_each_block(chosen, rounded, [](auto block, auto out) { round_to_integers(block, 127, out); });
  Lossy result{place_bytes(positions, values.size()) + static_cast<double>(positions.size()) +
                   kScaleBytes * blocks_of(positions.size()),
               std::vector<float>(values.size())};
  for (std::size_t i = 0; i < positions.size(); ++i) {
    result.values[positions[i]] = rounded[i];
  }
  return result;
}

Lossy filter(std::span<const float> values, std::span<const float> parameters, double threshold) {
  GODWIT_ASSERT(values.size() == parameters.size());
  std::vector<std::size_t> positions;
  Lossy result{0, std::vector<float>(values.size())};
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] != 0 && std::abs(values[i]) >= threshold * std::abs(parameters[i])) {
      positions.push_back(i);
      result.values[i] = values[i];
    }
  }
  result.bytes =
      place_bytes(positions, values.size()) + static_cast<double>(positions.size() * sizeof(float));
  return result;
}

Lossy ternary(std::span<const float> values, std::size_t count) {
  const auto positions = largest(values, count);
  double sum = 0;
  for (const std::size_t position : positions) {
    sum += std::abs(values[position]);
  }
  const auto mean =
      static_cast<float>(sum / static_cast<double>(std::max<std::size_t>(1, positions.size())));
  Lossy result{
      (position_bits(positions) + static_cast<double>(positions.size())) / 8 + sizeof(float),
      std::vector<float>(values.size())};
  for (const std::size_t position : positions) {
    result.values[position] = std::copysign(mean, values[position]);
  }
  return result;
}

Lossy e3m0(std::span<const float> values) {
  Lossy result{static_cast<double>(values.size()) / 2 + kScaleBytes * blocks_of(values.size()),
               std::vector<float>(values.size())};
  for_each_block(values, result.values, [](auto block, auto out) {
    const float scale = largest_of(block);
    for (std::size_t i = 0; i < block.size(); ++i) {
      // Zero, or 2^-6 to 1 of the scale, whichever is nearest.
      const float size = scale > 0 ? std::abs(block[i]) / scale : 0;
      float nearest = 0;
      for (int exponent = -6; exponent <= 0; ++exponent) {
        const float level = std::ldexp(1.0F, exponent);
        if (std::abs(size - level) < std::abs(size - nearest)) {
          nearest = level;
        }
      }
      out[i] = std::copysign(nearest * scale, block[i]);
    }
  });
  return result;
}

Lossy integers(std::span<const float> values, unsigned bits) {
  const auto most = static_cast<float>((1U << (bits - 1)) - 1);
  Lossy result{
      static_cast<double>(values.size()) * bits / 8 + kScaleBytes * blocks_of(values.size()),
      std::vector<float>(values.size())};
  for_each_block(
      values, result.values, [most](auto block, auto out) { round_to_integers(block, most, out); });
  return result;
}

Lossy sign(std::span<const float> values) {
  Lossy result{static_cast<double>(values.size()) / 8 + kScaleBytes * blocks_of(values.size()),
               std::vector<float>(values.size())};
  for_each_block(values, result.values, [](auto block, auto out) {
    double sum = 0;
    for (const float value : block) {
      sum += std::abs(value);
    }
    const auto mean = static_cast<float>(sum / static_cast<double>(block.size()));
    for (std::size_t i = 0; i < block.size(); ++i) {
      out[i] = std::copysign(mean, block[i]);
    }
  });
  return result;
}

Lossy eden(std::span<const float> values, unsigned bits) {
  constexpr std::size_t kRotated = 1024;
  const auto levels = normal_levels(bits);
  Random random(1);
  Lossy result{0, std::vector<float>(values.size())};
  for (std::size_t first = 0; first < values.size(); first += kRotated) {
    const std::size_t count = std::min(kRotated, values.size() - first);
    std::array<float, kRotated> rotated{};
    std::array<bool, kRotated> flipped{};
    for (std::size_t i = 0; i < kRotated; ++i) {
      flipped[i] = random.chance(0.5);
    }
    double energy = 0;
    for (std::size_t i = 0; i < count; ++i) {
      rotated[i] = flipped[i] ? -values[first + i] : values[first + i];
      energy += static_cast<double>(rotated[i]) * rotated[i];
    }
    hadamard(rotated);
    const double deviation = std::sqrt(energy / kRotated);
    for (float& value : rotated) {
      const double size = deviation > 0 ? std::abs(value) / deviation : 0;
      const double* const nearest = std::min_element(
          levels.data(), levels.data() + levels.size(), [size](double a, double b) {
            return std::abs(a - size) < std::abs(b - size);
          });
      value = std::copysign(static_cast<float>(*nearest * deviation), value);
    }
    hadamard(rotated);
    for (std::size_t i = 0; i < count; ++i) {
      result.values[first + i] = flipped[i] ? -rotated[i] : rotated[i];
    }
    result.bytes += static_cast<double>(count) * bits / 8 + sizeof(float);
  }
  return result;
}

Lossy ideal(std::span<const float> values, double step) {
  constexpr std::size_t kContexts = 8;
  std::vector<long> cells(values.size());
  std::map<long, std::pair<double, double>> means;  // sum and count
  std::array<std::map<long, double>, kContexts> counts;
  for (std::size_t i = 0; i < values.size(); ++i) {
    cells[i] = std::lround(values[i] / step);
    means[cells[i]].first += values[i];
    means[cells[i]].second += 1;
    const auto near = static_cast<std::uint64_t>((i > 0 ? std::abs(cells[i - 1]) : 0) +
                                                 (i > 1 ? std::abs(cells[i - 2]) : 0));
    const std::size_t context = static_cast<unsigned>(std::bit_width(near));
    counts[std::min(context, kContexts - 1)][cells[i]] += 1;
  }
  Lossy result{0, std::vector<float>(values.size())};
  for (const auto& context : counts) {
    result.bytes += entropy_bits(context) / 8;
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto& [sum, count] = means[cells[i]];
    result.values[i] = cells[i] == 0 ? 0 : static_cast<float>(sum / count);
  }
  return result;
}

}  // namespace godwit::bench_codec

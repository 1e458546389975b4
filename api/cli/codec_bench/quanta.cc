#include "api/cli/codec_bench/quanta.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace godwit::codec_bench {
namespace {

using codec::kTileElements;

// A value this small against a quantum loses a millionth of itself to rounding, less than float32's
// own; chosen.
constexpr double kQuantaOfTypical = 1U << 20U;

struct Magnitudes {
  double largest = 0;
  std::uint64_t largest_index = 0;
  double energy = 0;
  double sum = 0;
  std::uint64_t nonzero = 0;

  // Of those that are not zero. Squares of the least doubles would be 0.
  double typical() const { return nonzero == 0 ? 0 : sum / static_cast<double>(nonzero); }
};

// Whether a value has a place with so many fraction bits.
bool fits(double magnitude, int fraction_bits) {
  return std::ldexp(magnitude, fraction_bits) <= static_cast<double>(kQuantaMax);
}

Result<Magnitudes> magnitudes_of(const Sample& sample) {
  Magnitudes found;
  std::vector<double> values(kTileElements);
  for (std::size_t tile = 0; tile < sample.tiles.size(); ++tile) {
    sample.values_of(tile, values);
    for (std::size_t i = 0; i < sample.elements_of(tile); ++i) {
      const double magnitude = std::fabs(values[i]);
      if (!std::isfinite(magnitude)) {
        return fail(Code::kInvalid,
                    "value {} is {}; a topic takes finite values only",
                    sample.index_of(tile * kTileElements + i),
                    values[i]);
      }
      if (magnitude > found.largest) {
        found.largest = magnitude;
        found.largest_index = sample.index_of(tile * kTileElements + i);
      }
      found.energy += magnitude * magnitude;
      found.sum += magnitude;
      found.nonzero += magnitude > 0 ? 1 : 0;
    }
  }
  return found;
}

int most_fraction_bits(double largest) {
  int bits = kFractionBitsMax;
  while (bits >= 0 && !fits(largest, bits)) {
    --bits;
  }
  return bits;
}

void choose(const Magnitudes& found, bool integers, Quanta& quanta) {
  const int most = most_fraction_bits(found.largest);
  if (integers) {
    quanta.fraction_bits = 0;
    quanta.why = "they are integers";
    return;
  }
  quanta.fraction_bits = std::min(kTopicFractionBits, most);
  quanta.why = most < kTopicFractionBits ? "the largest value needs the room"
                                         : "as a topic has that does not say";
  if (found.nonzero > 0 && std::ldexp(found.typical(), quanta.fraction_bits) < kQuantaOfTypical &&
      quanta.fraction_bits < most) {
    const int wanted =
        static_cast<int>(std::ceil(std::log2(kQuantaOfTypical) - std::log2(found.typical())));
    quanta.fraction_bits = std::min(wanted, most);
    quanta.why = "the values are small; declare the topic so, too";
  }
}

// Sums of squares of integers beyond 2^53 are no issue; the integers themselves must stay exact.
void convert(const Sample& sample, Quanta& quanta) {
  quanta.values.resize(sample.count);
  std::vector<double> values(kTileElements);
  const double scale = std::ldexp(1.0, quanta.fraction_bits);
  for (std::size_t tile = 0; tile < sample.tiles.size(); ++tile) {
    const std::size_t count = sample.elements_of(tile);
    const auto out = std::span(quanta.values).subspan(tile * kTileElements, count);
    if (!tensor::is_float(sample.type)) {
      tensor::read_integers(sample.type, sample.bytes_of(tile), out);
      for (std::int64_t& value : out) {
        value *= std::int64_t{1} << static_cast<unsigned>(quanta.fraction_bits);
      }
      continue;
    }
    sample.values_of(tile, values);
    for (std::size_t i = 0; i < count; ++i) {
      out[i] = static_cast<std::int64_t>(std::nearbyint(values[i] * scale));
    }
  }
}

}  // namespace

Result<Quanta> quanta_of(const Sample& sample, std::optional<int> fraction_bits) {
  const auto found = magnitudes_of(sample);
  if (!found) {
    return Failure(found.error());
  }
  const int most = most_fraction_bits(found->largest);
  if (most < 0) {
    return fail(Code::kInvalid,
                "value {} is {} in magnitude, more than any topic takes (2^62 / 3); divide the "
                "tensor by something",
                found->largest_index,
                found->largest);
  }
  Quanta quanta;
  quanta.energy = found->energy;
  if (fraction_bits) {
    quanta.fraction_bits = *fraction_bits;
    if (*fraction_bits > most) {
      return fail(Code::kInvalid,
                  "value {} is {} in magnitude and has no place with {} fraction bits; at most {}",
                  found->largest_index,
                  found->largest,
                  *fraction_bits,
                  most);
    }
  } else {
    choose(*found, !tensor::is_float(sample.type), quanta);
  }
  convert(sample, quanta);
  if (found->nonzero > 0 &&
      std::all_of(quanta.values.begin(), quanta.values.end(), [](auto x) { return x == 0; })) {
    return fail(Code::kInvalid,
                "the largest value, {} at {}, is less than half of 2^-{} and all round to 0; {}",
                found->largest,
                found->largest_index,
                quanta.fraction_bits,
                fraction_bits ? "take more fraction bits" : "multiply the tensor by something");
  }
  return quanta;
}

}  // namespace godwit::codec_bench

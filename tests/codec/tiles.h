// Tiles to try codecs on: the shapes that model updates have, and the ones that break things.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "codec/codec.h"
#include "dataplane/base/random.h"

namespace godwit::codec::testing {

using Bytes = std::vector<std::byte>;
using Integers = std::vector<std::int64_t>;

inline Bytes bytes(const std::vector<unsigned>& values) {
  Bytes result;
  for (const unsigned value : values) {
    result.push_back(static_cast<std::byte>(value));
  }
  return result;
}

struct Tile {
  std::string name;
  std::vector<std::int64_t> values;
};

// The magnitude of any value, of the least one too.
inline std::uint64_t size_of(std::int64_t value) {
  return value < 0 ? ~static_cast<std::uint64_t>(value) + 1 : static_cast<std::uint64_t>(value);
}

// A standard normal variate (Box-Muller).
inline double normal(Random& random) {
  const double u = 1.0 - random.uniform();
  return std::sqrt(-2 * std::log(u)) * std::cos(6.283185307179586 * random.uniform());
}

// Zero-mean values of the given standard deviation.
inline std::vector<std::int64_t> gaussian(std::size_t count, double deviation, Random& random) {
  std::vector<std::int64_t> values(count);
  for (auto& value : values) {
    value = std::llround(normal(random) * deviation);
  }
  return values;
}

// Products of normals to the third power: kurtosis as of raw gradients.
inline std::vector<std::int64_t> heavy_tailed(std::size_t count, double scale, Random& random) {
  std::vector<std::int64_t> values(count);
  for (auto& value : values) {
    const double x = normal(random);
    value = std::llround(x * x * x * scale);
  }
  return values;
}

// Rows of 100 of which one in `every` is touched, as in matrix factorisation.
inline std::vector<std::int64_t> row_sparse(std::size_t count,
                                            std::uint64_t every,
                                            double deviation,
                                            Random& random) {
  std::vector<std::int64_t> values(count);
  bool touched = false;
  for (std::size_t i = 0; i < count; ++i) {
    touched = i % 100 == 0 ? random.below(every) == 0 : touched;
    values[i] = touched ? std::llround(normal(random) * deviation) : 0;
  }
  return values;
}

inline std::vector<std::int64_t> constant(std::size_t count, std::int64_t size, Random& random) {
  std::vector<std::int64_t> values(count);
  for (auto& value : values) {
    value = random.chance(0.5) ? size : -size;
  }
  return values;
}

inline std::vector<std::int64_t> uniform(std::size_t count, unsigned bits, Random& random) {
  std::vector<std::int64_t> values(count);
  for (auto& value : values) {
    value = static_cast<std::int64_t>(random.next() >> (64U - bits));
    value = random.chance(0.5) ? -value : value;
  }
  return values;
}

inline std::vector<std::int64_t> single(std::size_t count, std::size_t at, std::int64_t value) {
  std::vector<std::int64_t> values(count);
  values[at] = value;
  return values;
}

// Every kind at every interesting length.
inline std::vector<Tile> tiles() {
  std::vector<Tile> result;
  Random random(20);
  for (const std::size_t count : {std::size_t{1},
                                  std::size_t{63},
                                  std::size_t{64},
                                  std::size_t{257},
                                  std::size_t{4096},
                                  std::size_t{30001},
                                  kTileElements}) {
    const std::string suffix = " of " + std::to_string(count);
    const auto add = [&](const std::string& name, std::vector<std::int64_t> values) {
      result.push_back({name + suffix, std::move(values)});
    };
    add("zeros", std::vector<std::int64_t>(count));
    add("ones", constant(count, 1, random));
    add("largest", constant(count, kValueLimit - 1, random));
    add("narrow gaussian", gaussian(count, 3, random));
    add("gaussian", gaussian(count, 1e7, random));
    add("wide gaussian", gaussian(count, 1e16, random));
    add("heavy tails", heavy_tailed(count, 1e6, random));
    add("rows", row_sparse(count, 10, 1e5, random));
    add("uniform 16 bits", uniform(count, 16, random));
    add("uniform 62 bits", uniform(count, 62, random));
    add("last only", single(count, count - 1, -12345678901));
    add("first only", single(count, 0, 1));
  }
  return result;
}

}  // namespace godwit::codec::testing

// Tensors to try XH on: what training leaves behind, and what breaks things.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "codec/xh/format.h"
#include "dataplane/base/random.h"
#include "tests/codec/tiles.h"

namespace godwit::codec::testing {

struct Tensor {
  std::string name;
  xh::Type type;
  Bytes values;
  Bytes base;  // empty: none
};

template <class T>
Bytes bytes_of_all(const std::vector<T>& values) {
  Bytes bytes(values.size() * sizeof(T));
  if (!bytes.empty()) {
    std::memcpy(bytes.data(), values.data(), bytes.size());
  }
  return bytes;
}

inline std::vector<float> weights(std::size_t count, double deviation, Random& random) {
  std::vector<float> values(count);
  for (float& value : values) {
    value = static_cast<float>(normal(random) * deviation);
  }
  return values;
}

inline Bytes noise(std::size_t bytes, Random& random) {
  Bytes result(bytes);
  for (std::byte& byte : result) {
    byte = static_cast<std::byte>(random.next());
  }
  return result;
}

// `values` of which one element in `every` has one bit flipped.
inline Bytes touched(Bytes values, std::size_t width, std::uint64_t every, Random& random) {
  for (std::size_t i = 0; i < values.size(); i += width) {
    if (random.below(every) == 0) {
      values[i + random.below(width)] ^= static_cast<std::byte>(1U << random.below(8));
    }
  }
  return values;
}

// Every type at every interesting length, with and without a base.
inline std::vector<Tensor> tensors() {
  std::vector<Tensor> result;
  Random random(31);
  for (std::size_t type_index = 0; type_index < xh::kTypes; ++type_index) {
    const auto type = static_cast<xh::Type>(type_index);
    const std::size_t width = xh::bytes_of(type);
    for (const std::size_t count : {std::size_t{1},
                                    std::size_t{3},
                                    std::size_t{65},
                                    std::size_t{4099},
                                    std::size_t{30000},
                                    xh::kChunkElements}) {
      const std::size_t bytes = count * width;
      const std::string suffix =
          std::string(" of ") + std::to_string(count) + " " + std::string(to_string(type));
      const auto add = [&](const std::string& name, Bytes values, Bytes base) {
        result.push_back({name + suffix, type, std::move(values), std::move(base)});
      };
      // Floats of any width have their exponent in their highest bytes, as these weights do.
      Bytes typical = bytes_of_all(weights((bytes + 3) / 4, 0.02, random));
      typical.resize(bytes);
      add("zeros", Bytes(bytes), {});
      add("equal", Bytes(bytes, std::byte{0x81}), {});
      add("noise", noise(bytes, random), {});
      add("weights", typical, {});
      add("few", touched(Bytes(bytes), width, 9, random), {});
      add("base itself", typical, typical);
      add("a few of the base", touched(typical, width, 20, random), typical);
      add("another base", noise(bytes, random), typical);
    }
  }
  return result;
}

}  // namespace godwit::codec::testing

// Samples without files.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "api/cli/codec_bench/sample.h"
#include "dataplane/base/random.h"

namespace godwit::codec_bench {

template <class Stored>
Sample sample_of(tensor::ElementType type, const std::vector<Stored>& values) {
  Sample sample;
  sample.type = type;
  sample.count = values.size();
  sample.file_count = values.size();
  sample.bytes.resize(values.size() * sizeof(Stored));
  if (!values.empty()) {
    std::memcpy(sample.bytes.data(), values.data(), sample.bytes.size());
  }
  for (std::size_t first = 0; first < values.size(); first += codec::kTileElements) {
    sample.tiles.push_back(first);
  }
  return sample;
}

inline std::vector<float> gaussian(std::size_t count, double deviation) {
  Random random(1);
  std::vector<float> values(count);
  for (float& value : values) {
    value = static_cast<float>(deviation * std::sqrt(-2 * std::log(1 - random.uniform())) *
                               std::cos(6.283185307179586 * random.uniform()));
  }
  return values;
}

inline Sample floats(const std::vector<float>& values) {
  return sample_of(tensor::ElementType::kFloat32, values);
}

}  // namespace godwit::codec_bench

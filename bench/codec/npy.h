// One-dimensional NumPy files of float32, version 1.0 (NEP 1): how the programs here hand each
// other tensors, and what a person can look at.
//
// Thread: pure functions. Memory: the tensor.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "dataplane/base/result.h"

namespace godwit::bench_codec {

// kIo, with path and reason.
Result<void> write_npy(const std::string& path, std::span<const float> values);
// kNotFound, kIo, or kCorrupt for anything that write_npy does not write.
Result<std::vector<float>> read_npy(const std::string& path);

}  // namespace godwit::bench_codec

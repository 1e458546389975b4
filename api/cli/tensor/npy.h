// The front of a NumPy file, versions 1.0 to 3.0 (NEP 1): what its elements are and where they are.
//
// Thread: pure functions. Memory: the shape.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "dataplane/base/result.h"

namespace godwit::tensor {

// Longer ones are refused. NumPy itself pads to 64 bytes and stops at 10,000; chosen: what version
// 1.0 can say.
inline constexpr std::size_t kNpyFrontMax = 12 + 65'535;
inline constexpr std::size_t kNpyDimensionsMax = 64;  // NumPy's own

struct NpyFront {
  std::string descr;                 // as it stands there: "<f4", "|V2"
  std::vector<std::uint64_t> shape;  // empty: one element
  std::size_t bytes = 0;             // before the first element
  std::uint64_t elements = 0;        // the product of the shape
};

// Whether a file that begins so wants to be a NumPy file.
bool is_npy(std::span<const std::byte> front);

// `front` is the file up to kNpyFrontMax, or all of a shorter one. kCorrupt: it breaks the format,
// with the byte at which; kUnsupported: a later version, Fortran's order, or records.
Result<NpyFront> parse_npy(std::span<const std::byte> front);

// A one-dimensional file of float32, version 1.0. kIo, with path and reason.
Result<void> write_npy(const std::string& path, std::span<const float> values);

}  // namespace godwit::tensor

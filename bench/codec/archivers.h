// General and floating point compressors that others would use for parameters, lossless, at their
// fastest sensible level.
//
// Thread: one owner each. Memory: what the libraries take.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace godwit::bench_codec {

struct Archiver {
  std::string name;  // as part of a figure's name
  // Compresses `values` of `width` bytes each, at most kArchivedMax of them in all, and returns the
  // bytes it takes.
  std::function<std::size_t(std::span<const std::byte> values, std::size_t width)> bytes_of;
};

inline constexpr std::size_t kArchivedMax = std::size_t{1} << 20U;

// Byte planes and zstd -1, lz4, blosc with lz4 (bits shuffled) and with zstd (bytes shuffled), zfp
// (reversible; 4 bytes only).
std::vector<Archiver> archivers(std::size_t width);

}  // namespace godwit::bench_codec

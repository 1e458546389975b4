// The tiles of a tensor's file that are measured: all of them, or some spread evenly over it.
//
// Thread: immutable once read. Memory: `values_max` elements as they stand in the file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "api/cli/tensor/tensor_file.h"
#include "codec/codec.h"
#include "dataplane/base/result.h"

namespace godwit::codec_bench {

struct Sample {
  tensor::ElementType type = tensor::ElementType::kFloat32;
  std::uint64_t file_count = 0;  // elements of the whole tensor
  std::size_t count = 0;         // elements here
  std::vector<std::byte> bytes;  // of those
  // Of each tile, where its first element stands in the tensor. All tiles are full but the last.
  std::vector<std::uint64_t> tiles;

  bool is_whole() const { return count == file_count; }
  std::size_t elements_of(std::size_t tile) const {
    const std::size_t first = tile * codec::kTileElements;
    return count - first < codec::kTileElements ? count - first : codec::kTileElements;
  }
  // An element of the sample, in the tensor.
  std::uint64_t index_of(std::size_t element) const {
    return tiles[element / codec::kTileElements] + element % codec::kTileElements;
  }
  std::span<const std::byte> bytes_of(std::size_t tile) const;
  // The elements of a tile as they are; `out` has room for elements_of(tile).
  void values_of(std::size_t tile, std::span<double> out) const;
};

// At most `values_max` elements, which is one tile at least. As TensorFile::read().
Result<Sample> read_sample(tensor::TensorFile& file, std::uint64_t values_max);

}  // namespace godwit::codec_bench

#include "api/cli/codec_bench/sample.h"

#include <algorithm>
#include <array>

#include "dataplane/base/assert.h"

namespace godwit::codec_bench {

using codec::kTileElements;

std::span<const std::byte> Sample::bytes_of(std::size_t tile) const {
  const std::size_t width = tensor::bytes_of(type);
  return std::span(bytes).subspan(tile * kTileElements * width, elements_of(tile) * width);
}

void Sample::values_of(std::size_t tile, std::span<double> out) const {
  const auto wanted = out.first(elements_of(tile));
  if (tensor::is_float(type)) {
    return tensor::read_floats(type, bytes_of(tile), wanted);
  }
  std::vector<std::int64_t> integers(wanted.size());
  tensor::read_integers(type, bytes_of(tile), integers);
  std::transform(integers.begin(), integers.end(), wanted.begin(), [](std::int64_t x) {
    return static_cast<double>(x);
  });
}

Result<Sample> read_sample(tensor::TensorFile& file, std::uint64_t values_max) {
  GODWIT_ASSERT(values_max >= kTileElements);
  Sample sample;
  sample.type = file.type();
  sample.file_count = file.count();
  const std::size_t width = tensor::bytes_of(sample.type);
  const std::uint64_t tiles = (file.count() + kTileElements - 1) / kTileElements;
  const std::uint64_t taken = file.count() <= values_max ? tiles : values_max / kTileElements;
  sample.count = static_cast<std::size_t>(std::min(file.count(), taken * kTileElements));
  sample.bytes.resize(sample.count * width);
  // With a part of the tiles the last one, which may be short, is never among them.
  for (std::uint64_t i = 0; i < taken; ++i) {
    const std::uint64_t tile =
        taken == tiles
            ? i
            : static_cast<std::uint64_t>(static_cast<double>(i) * static_cast<double>(tiles) /
                                         static_cast<double>(taken));
    sample.tiles.push_back(tile * kTileElements);
    const std::size_t at = sample.tiles.size() - 1;
    const auto room =
        std::span(sample.bytes).subspan(at * kTileElements * width, sample.elements_of(at) * width);
    if (auto read = file.read(sample.tiles.back(), room); !read) {
      return Failure(read.error());
    }
  }
  return sample;
}

}  // namespace godwit::codec_bench

// A tensor's file with any bytes, described in any way: what is accepted lies within the file, and
// all of its elements can be read and become integers of a topic, or are refused with a reason.
//
// The first three bytes describe: type (or none), offset, count (or none).
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "api/cli/codec_bench/quanta.h"
#include "api/cli/codec_bench/sample.h"
#include "api/cli/tensor/npy.h"
#include "api/cli/tensor/tensor_file.h"
#include "dataplane/base/assert.h"

namespace {

using namespace godwit;

tensor::Described described_by(const std::uint8_t* data) {
  tensor::Described described;
  if (data[0] % 12 < tensor::kElementTypes.size()) {
    described.type = tensor::kElementTypes.at(data[0] % 12);
  }
  described.offset = data[1];
  if (data[2] % 2 == 1) {
    described.count = data[2] / 2;
  }
  return described;
}

void use(const tensor::Layout& layout, std::span<const std::byte> file) {
  const std::size_t width = tensor::bytes_of(layout.type);
  GODWIT_ASSERT(layout.offset <= file.size() &&
                layout.count <= (file.size() - layout.offset) / width);
  const auto elements = file.subspan(layout.offset, layout.count * width);
  codec_bench::Sample sample;
  sample.type = layout.type;
  sample.file_count = layout.count;
  sample.count = layout.count;
  sample.bytes.assign(elements.begin(), elements.end());
  for (std::size_t first = 0; first < sample.count; first += codec::kTileElements) {
    sample.tiles.push_back(first);
  }
  const auto quanta = codec_bench::quanta_of(sample, {});
  GODWIT_ASSERT(quanta || !quanta.error().message.empty());
  if (quanta) {
    GODWIT_ASSERT(quanta->values.size() == sample.count);
    GODWIT_ASSERT(quanta->fraction_bits >= 0 &&
                  quanta->fraction_bits <= codec_bench::kFractionBitsMax);
    GODWIT_ASSERT(std::all_of(quanta->values.begin(), quanta->values.end(), [](std::int64_t x) {
      return -codec::kValueLimit < x && x < codec::kValueLimit;
    }));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) {
    return 0;
  }
  const auto file = std::as_bytes(std::span(data + 3, size - 3));
  const auto front = file.first(std::min(file.size(), tensor::kNpyFrontMax));
  const auto layout = tensor::layout_of(front, file.size(), described_by(data));
  GODWIT_ASSERT(layout || !layout.error().message.empty());
  if (layout) {
    use(*layout, file);
  }
  return 0;
}
